# Results to pages.


rule report_subject:
    input:
        lambda w: study.results_of(w.dataset, w.subject),
    output:
        report(
            "results/{dataset}/report/sub-{subject}.html",
            caption="../report/subject.rst",
            category="{dataset}",
            subcategory="subjects",
            labels={"subject": "{subject}"},
        ),
    log:
        "logs/{dataset}/report/{subject}.log",
    benchmark:
        "benchmarks/{dataset}/report/{subject}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        card=lambda w: study.card(w.dataset),
        settings=lambda w: study.settings(w.dataset, "report"),
        code=lambda w: study.code("report"),
    shell:
        "python -m neuropipe report subject {wildcards.subject} {input} --dataset {params.card:q}"
        " --settings {params.settings:q} --output {output} 2> {log}"


rule report_index:
    input:
        lambda w: study.pages(w.dataset),
        lambda w: study.results_of_dataset(w.dataset),
    output:
        "results/{dataset}/report/index.html",
    log:
        "logs/{dataset}/report/index.log",
    benchmark:
        "benchmarks/{dataset}/report/index.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        results="results/{dataset}",
        lock=lambda w: study.lock(w.dataset),
        card=lambda w: study.card(w.dataset),
        settings=lambda w: study.settings(w.dataset, "report"),
        code=lambda w: study.code("report"),
    shell:
        "python -m neuropipe report index {params.results} --dataset {params.card:q} --lock {params.lock:q}"
        " --settings {params.settings:q} --output {output} 2> {log}"


rule report_home:
    input:
        [f"results/{dataset}/report/index.html" for dataset in study.datasets],
    output:
        "results/index.html",
    log:
        "logs/report.log",
    benchmark:
        "benchmarks/report.tsv"
    localrule: True
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=study.code("report"),
    shell:
        "python -m neuropipe report home {input} --output {output} 2> {log}"
