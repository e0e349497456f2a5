# Checks of one recording.


rule quality:
    input:
        "results/{dataset}/recordings/{recording}.nc",
    output:
        report(
            directory("results/{dataset}/quality/{recording}"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/quality.rst",
            category="{dataset}",
            subcategory="quality",
        ),
    log:
        "logs/{dataset}/quality/{recording}.log",
    benchmark:
        "benchmarks/{dataset}/quality/{recording}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=lambda w: study.settings(w.dataset, "quality"),
        code=lambda w: study.code("quality"),
    shell:
        "python -m neuropipe quality {input} --settings {params.settings:q} --output {output} 2> {log}"
