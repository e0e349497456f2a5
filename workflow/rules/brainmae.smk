# BrainMAE: pretrain one model a fold and one on all subjects, predict targets, embed recordings.


wildcard_constraints:
    model=r"final|seed-\d+_fold-\d+",
    target=r"[^/]+",


MODELS = "results/{dataset}/models/brainmae"


rule brainmae_pretrain:
    input:
        recordings=recordings_of,
        others=others_of,
        weights=given_weights,
    output:
        directory(f"{MODELS}/{{model}}"),
    log:
        "logs/{dataset}/models/brainmae/{model}.log",
    benchmark:
        "benchmarks/{dataset}/models/brainmae/{model}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    threads: lambda w: max(1, study.brainmae(w.dataset).settings.pretraining.threads)
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=gpus("pretraining"),
    params:
        lock=lambda w: study.lock(w.dataset),
        files=lambda w: study.files_digest(w.dataset),
        recordings="results/{dataset}/recordings",
        scratch=f"{MODELS}/.scratch/{{model}}",
        others=others_as_options,
        weights=lambda w, input: (
            f"--weights {input.weights[0]}" if input.weights else ""
        ),
        settings=lambda w: study.brainmae(w.dataset).pretraining,
        code=lambda w: study.step_code("brainmae", "pretrain"),
    shell:
        "python -m neuropipe brainmae pretrain {wildcards.dataset} {wildcards.model}"
        " --lock {params.lock:q} --recordings {params.recordings} {params.others} {params.weights}"
        " --settings {params.settings:q} --scratch {params.scratch} --output {output} 2> {log}"


rule brainmae_finetune:
    input:
        recordings=recordings_of,
        models=models_of,
    output:
        "results/{dataset}/predictions/brainmae/{target}.nc",
    log:
        "logs/{dataset}/predictions/brainmae/{target}.log",
    benchmark:
        "benchmarks/{dataset}/predictions/brainmae/{target}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    threads: lambda w: max(1, study.brainmae(w.dataset).settings.finetuning.threads)
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=gpus("finetuning"),
    params:
        lock=lambda w: study.lock(w.dataset),
        recordings="results/{dataset}/recordings",
        models=MODELS,
        scratch="results/{dataset}/predictions/brainmae/.scratch/{target}",
        settings=lambda w: study.settings(w.dataset, "brainmae"),
        code=lambda w: study.step_code("brainmae", "finetune"),
    shell:
        "python -m neuropipe brainmae finetune {wildcards.dataset} {wildcards.target:q}"
        " --lock {params.lock:q} --recordings {params.recordings} --models {params.models}"
        " --settings {params.settings:q} --scratch {params.scratch:q} --output {output:q} 2> {log:q}"


rule brainmae:
    input:
        recording="results/{dataset}/recordings/{recording}.nc",
        models=models_of,
    output:
        report(
            directory("results/{dataset}/brainmae/{recording}"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/brainmae.rst",
            category="{dataset}",
            subcategory="brainmae",
        ),
    log:
        "logs/{dataset}/brainmae/{recording}.log",
    benchmark:
        "benchmarks/{dataset}/brainmae/{recording}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        models=MODELS,
        settings=lambda w: study.settings(w.dataset, "brainmae"),
        code=lambda w: study.code("brainmae"),
    shell:
        "python -m neuropipe brainmae recording {input.recording} --models {params.models}"
        " --settings {params.settings:q} --output {output} 2> {log}"


rule brainmae_group:
    input:
        recordings=recordings_of,
        models=models_of,
        predictions=predictions_of,
    output:
        report(
            directory("results/{dataset}/brainmae/group"),
            patterns=["figures/{figure}.svg", "figures/{figure}.png"],
            caption="../report/group.rst",
            category="{dataset}",
            subcategory="group",
        ),
    log:
        "logs/{dataset}/brainmae/group.log",
    benchmark:
        "benchmarks/{dataset}/brainmae/group.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        lock=lambda w: study.lock(w.dataset),
        recordings="results/{dataset}/recordings",
        models=MODELS,
        predictions=lambda w, input: " ".join(
            f"--predictions '{p}'" for p in input.predictions
        ),
        settings=lambda w: study.settings(w.dataset, "brainmae"),
        code=lambda w: study.code("brainmae"),
    shell:
        "python -m neuropipe brainmae group {wildcards.dataset} --lock {params.lock:q}"
        " --recordings {params.recordings} --models {params.models} {params.predictions}"
        " --settings {params.settings:q} --output {output} 2> {log}"
