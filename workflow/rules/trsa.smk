# Geometry and topology of representations: each subject over all its recordings, then the subjects.


rule trsa:
    input:
        recordings=lambda w: [
            f"results/{w.dataset}/recordings/{recording}.nc"
            for recording in study.recordings(w.dataset, w.subject)
        ],
        models=lambda w: study.model_rdms(w.dataset),
    output:
        report(
            directory("results/{dataset}/trsa/sub-{subject}"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/trsa.rst",
            category="{dataset}",
            subcategory="trsa",
        ),
    log:
        "logs/{dataset}/trsa/sub-{subject}.log",
    benchmark:
        "benchmarks/{dataset}/trsa/sub-{subject}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        lock=lambda w: study.lock(w.dataset),
        recordings="results/{dataset}/recordings",
        stimuli=lambda w: study.root(w.dataset),
        models=lambda w: " ".join(
            f"--model '{path}'" for path in study.model_rdms(w.dataset)
        ),
        optional=lambda w: "" if study.is_asked(w.dataset, "trsa") else "--optional",
        settings=lambda w: study.settings(w.dataset, "trsa"),
        code=lambda w: study.code("trsa"),
    shell:
        "python -m neuropipe trsa subject {wildcards.subject} --dataset {wildcards.dataset}"
        " --lock {params.lock:q} --recordings {params.recordings} --stimuli {params.stimuli:q}"
        " {params.models} {params.optional} --settings {params.settings:q} --output {output} 2> {log}"


rule trsa_group:
    input:
        lambda w: [
            f"results/{w.dataset}/trsa/sub-{subject}"
            for subject in study.subjects(w.dataset)
        ],
    output:
        report(
            directory("results/{dataset}/trsa/group"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/group.rst",
            category="{dataset}",
            subcategory="group",
        ),
    log:
        "logs/{dataset}/trsa/group.log",
    benchmark:
        "benchmarks/{dataset}/trsa/group.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        settings=lambda w: study.settings(w.dataset, "trsa"),
        code=lambda w: study.code("trsa"),
    # Always optional: subjects with conditions of their own keep their results and the index.
    shell:
        "python -m neuropipe trsa group {wildcards.dataset} {input} --optional"
        " --settings {params.settings:q} --output {output} 2> {log}"
