# The study, the names that wildcards may take, and what several topics use.
import sys
from pathlib import Path

# The package beside this workflow is the one whose code the fingerprints describe, so it is the one
# that runs, here and in every job, whatever else the environment has installed.
CHECKOUT = str(Path(str(workflow.current_basedir)).resolve().parents[1])
sys.path.insert(0, CHECKOUT)
shell.prefix(f"export PYTHONPATH='{CHECKOUT}'${{{{PYTHONPATH:+:$PYTHONPATH}}}}; ")

from neuropipe.errors import NeuropipeError
from neuropipe.study import Study
from snakemake.exceptions import WorkflowError

try:
    study = Study.load(config)
    study.check_locks()
except NeuropipeError as error:
    raise WorkflowError(str(error))

NAME = "[A-Za-z0-9][A-Za-z0-9_+-]*"


wildcard_constraints:
    dataset=NAME,
    recording=f"(?!group(/|$)){NAME}",
    subject=NAME,


def one_of(names):
    """Regular expression of these names alone; of none where there are none."""
    return "|".join(names) if names else "(?!)"


def recordings_of(wildcards):
    return [
        f"results/{wildcards.dataset}/recordings/{recording}.nc"
        for recording in study.recordings(wildcards.dataset)
    ]


def models_of(wildcards):
    return [
        f"results/{wildcards.dataset}/models/brainmae/{model}"
        for model in study.brainmae(wildcards.dataset).models
    ]


def predictions_of(wildcards):
    return [
        f"results/{wildcards.dataset}/predictions/brainmae/{target}.nc"
        for target in study.brainmae(wildcards.dataset).targets
    ]


def others_of(wildcards):
    """Recordings of the datasets that join pretraining."""
    return [
        f"results/{other}/recordings/{recording}.nc"
        for other in study.brainmae(wildcards.dataset).settings.pretrain_with
        for recording in study.recordings(other)
    ]


def others_as_options(wildcards):
    return " ".join(
        f"--with-lock {study.lock(other)} --with-recordings results/{other}/recordings"
        for other in study.brainmae(wildcards.dataset).settings.pretrain_with
    )


def given_weights(wildcards):
    """The model of another dataset that takes the place of training."""
    other = study.brainmae(wildcards.dataset).settings.weights_of
    return [f"results/{other}/models/brainmae/final"] if other else []


def gpus(stage):
    """GPUs that a stage of training asks for."""
    return lambda wildcards: int(
        getattr(study.brainmae(wildcards.dataset).settings, stage).device == "gpu"
    )
