# Dynamic connectome: factorise all recordings of a dataset at once, then read each one's share.


rule connectome_group:
    input:
        recordings=recordings_of,
        wiring=lambda w: study.wiring(w.dataset),
    output:
        report(
            directory("results/{dataset}/connectome/group"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/group.rst",
            category="{dataset}",
            subcategory="group",
        ),
    log:
        "logs/{dataset}/connectome/group.log",
    benchmark:
        "benchmarks/{dataset}/connectome/group.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=lambda w: int(study.connectome(w.dataset).factorization.device == "gpu"),
    params:
        lock=lambda w: study.lock(w.dataset),
        files=lambda w: study.files_digest(w.dataset),
        recordings="results/{dataset}/recordings",
        wiring=lambda w: " ".join(
            f"--wiring '{path}'" for path in study.wiring(w.dataset)
        ),
        settings=lambda w: study.settings(w.dataset, "connectome"),
        code=lambda w: study.code("connectome"),
    shell:
        "python -m neuropipe connectome group {wildcards.dataset} --lock {params.lock:q}"
        " --recordings {params.recordings} {params.wiring} --settings {params.settings:q}"
        " --output {output} 2> {log}"


rule connectome:
    input:
        "results/{dataset}/connectome/group",
    output:
        report(
            directory("results/{dataset}/connectome/{recording}"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/connectome.rst",
            category="{dataset}",
            subcategory="connectome",
        ),
    log:
        "logs/{dataset}/connectome/{recording}.log",
    benchmark:
        "benchmarks/{dataset}/connectome/{recording}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=lambda w: study.settings(w.dataset, "connectome"),
        code=lambda w: study.code("connectome"),
    shell:
        "python -m neuropipe connectome recording {wildcards.recording} --group {input}"
        " --settings {params.settings:q} --output {output} 2> {log}"
