"""What a dataset needs of BrainMAE: its models, targets and settings, known while planning.

Only pydantic is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.errors import SettingsError

__all__ = ["FINAL", "LABEL_MODELS", "PEERS", "Plan", "model_names", "split_name"]

FINAL = "final"  # pretrained on all subjects, for embeddings and for other datasets

#: Rows of models that are trained on labels, by their keys in the settings.
LABEL_MODELS = {
    "full": "BrainMAE, fine-tuned",
    "scratch": "BrainMAE, from scratch",
    "svm": "correlation, linear SVM",
    "cnn": "BrainNetCNN-like",
    "graph": "graph transformer on FC",
}
#: Rows of other networks that are pretrained, by their keys in the settings.
PEERS = {"patch_mae": "patch MAE", "jepa": "JEPA"}
_AFTER_TRAINING = (  # settings that a pretrained model does not depend on
    "baselines", "classifiers", "confounds", "connectome_networks", "finetune", "finetune_mask",
    "finetuning", "head_lr_scale", "n_permutations", "n_resamples", "pool",
)  # fmt: skip


def model_names(settings: BrainmaeSettings, subjects: Sequence[str]) -> list[str]:
    """Name all models of a dataset.

    Parameters
    ----------
    settings : BrainmaeSettings
    subjects : sequence of str of length n_recordings
        Subject of every recording in the lock.

    Returns
    -------
    list of str
        ``final``, then ``seed-<seed>_fold-<fold>`` of every model that leaves some subjects out
        (recordings, where there is one subject; none of a single recording).
    """
    n_subjects = len(set(subjects))
    n_folds = min(settings.n_splits, n_subjects if n_subjects > 1 else len(subjects))
    folds = range(n_folds if n_folds > 1 else 0)
    return [FINAL, *(f"seed-{seed}_fold-{fold}" for seed in settings.seeds for fold in folds)]


@dataclass(frozen=True)
class Plan:
    """What the workflow makes of a dataset.

    Parameters
    ----------
    settings : BrainmaeSettings
    subjects : sequence of str of length n_recordings
        Subject of every recording in the lock.
    """

    settings: BrainmaeSettings
    subjects: Sequence[str]

    @cached_property
    def models(self) -> list[str]:
        """See `model_names`."""
        return model_names(self.settings, self.subjects)

    @property
    def targets(self) -> tuple[str, ...]:
        """Columns that models are trained to predict; none of too few subjects."""
        enough = len(set(self.subjects)) >= self.settings.min_subjects
        return self.settings.targets if enough else ()

    @cached_property
    def pretraining(self) -> str:
        """Settings as JSON, those that pretraining does not look at left at their defaults.

        A change of the others need not train the models anew.
        """
        fields = type(self.settings).model_fields
        plain = {name: fields[name].get_default() for name in _AFTER_TRAINING}
        return self.settings.model_copy(update=plain).model_dump_json()


def split_name(name: str, settings: BrainmaeSettings) -> tuple[int, int] | None:
    """Position of the seed, and fold, of a model's name; None for the final model.

    Raises
    ------
    SettingsError
        If it is no such name.
    """
    if name == FINAL:
        return None
    parts = dict(part.partition("-")[::2] for part in name.split("_"))
    try:
        return settings.seeds.index(int(parts["seed"])), int(parts["fold"])
    except (KeyError, ValueError):
        raise SettingsError(
            f"model {name!r}", "final or seed-<seed>_fold-<fold>", "correct the name"
        ) from None
