# Static functional connectivity: the baseline of every dynamic model.


rule connectivity:
    input:
        "results/{dataset}/recordings/{recording}.nc",
    output:
        report(
            directory("results/{dataset}/connectivity/{recording}"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/connectivity.rst",
            category="{dataset}",
            subcategory="connectivity",
        ),
    log:
        "logs/{dataset}/connectivity/{recording}.log",
    benchmark:
        "benchmarks/{dataset}/connectivity/{recording}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=lambda w: study.settings(w.dataset, "connectivity"),
        code=lambda w: study.code("connectivity"),
    shell:
        "python -m neuropipe connectivity recording {input} --settings {params.settings:q}"
        " --output {output} 2> {log}"


rule connectivity_group:
    input:
        recordings_of,
    output:
        report(
            directory("results/{dataset}/connectivity/group"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/group.rst",
            category="{dataset}",
            subcategory="group",
        ),
    log:
        "logs/{dataset}/connectivity/group.log",
    benchmark:
        "benchmarks/{dataset}/connectivity/group.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        lock=lambda w: study.lock(w.dataset),
        files=lambda w: study.files_digest(w.dataset),
        recordings="results/{dataset}/recordings",
        settings=lambda w: study.settings(w.dataset, "connectivity"),
        code=lambda w: study.code("connectivity"),
    shell:
        "python -m neuropipe connectivity group {wildcards.dataset} --lock {params.lock:q}"
        " --recordings {params.recordings} --settings {params.settings:q}"
        " --output {output} 2> {log}"
