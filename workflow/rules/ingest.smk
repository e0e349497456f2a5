# Sources to Recordings. Raw files are no inputs: the lock's rows stand for them among the params, so
# that planning never touches the data; `neuropipe ingest` verifies every file against the lock.


rule simulate:
    output:
        directory("resources/{dataset}"),
    log:
        "logs/{dataset}/simulate.log",
    benchmark:
        "benchmarks/{dataset}/simulate.tsv"
    wildcard_constraints:
        dataset=one_of(study.datasets_of("simulated")),
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        kind=lambda w: study.dataset(w.dataset).source.simulate,
        settings=lambda w: study.source_settings(w.dataset),
        code=lambda w: study.code("simulate", w.dataset),
    shell:
        "python -m neuropipe simulate {params.kind} --settings {params.settings:q} --output {output} 2> {log}"


rule fetch:
    output:
        touch("resources/{dataset}/.fetched/{recording}"),
    log:
        "logs/{dataset}/fetch/{recording}.log",
    benchmark:
        "benchmarks/{dataset}/fetch/{recording}.tsv"
    wildcard_constraints:
        dataset=one_of(study.datasets_of("remote")),
    retries: 2
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=1000,
        runtime=240,
    params:
        lock=lambda w: study.lock(w.dataset),
        files=lambda w: study.files_digest(w.dataset, w.recording),
        root=lambda w: study.root(w.dataset),
    shell:
        "python -m neuropipe fetch {wildcards.recording} --dataset {wildcards.dataset}"
        " --lock {params.lock:q} --root {params.root:q} 2> {log}"


rule atlas:
    output:
        directory("resources/atlases/{atlas}"),
    log:
        "logs/atlases/{atlas}.log",
    benchmark:
        "benchmarks/atlases/{atlas}.tsv"
    wildcard_constraints:
        atlas=NAME,
    retries: 2
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    shell:
        "python -m neuropipe atlas {wildcards.atlas} --output {output} 2> {log}"


rule ingest:
    input:
        lambda w: study.sources(w.dataset, w.recording),
    output:
        "results/{dataset}/recordings/{recording}.nc",
    log:
        "logs/{dataset}/ingest/{recording}.log",
    benchmark:
        "benchmarks/{dataset}/ingest/{recording}.tsv"
    conda:
        "../../envs/neuropipe.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        modality=lambda w: study.dataset(w.dataset).modality,
        lock=lambda w: study.lock(w.dataset),
        files=lambda w: study.files_digest(w.dataset, w.recording),
        root=lambda w: study.root(w.dataset),
        settings=lambda w: study.read_settings(w.dataset),
        code=lambda w: study.code("ingest", w.dataset),
    shell:
        "python -m neuropipe ingest {wildcards.recording} --dataset {wildcards.dataset}"
        " --modality {params.modality} --lock {params.lock:q} --root {params.root:q}"
        " --settings {params.settings:q} --output {output} 2> {log}"
