"""Prediction of participants' labels from connectivity: features, folds, rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuropipe.connectivity.cohort import Cohort
from neuropipe.connectivity.model import (
    edges,
    expm,
    fisher_z,
    logm,
    partial_correlation,
    tangent_vectors,
)
from neuropipe.connectivity.settings import ConnectivitySettings, Kind
from neuropipe.connectivity.targets import Target, confound_matrix, read_target, split_groups
from neuropipe.stats.linear_models import fold_gram, gram_matrix
from neuropipe.stats.prediction import (
    Classification,
    Classifier,
    FoldGram,
    Regression,
    classify,
    regress,
)
from neuropipe.stats.splits import Fold, fold_numbers, grouped_folds, joint_strata

__all__ = ["Row", "TargetResult", "fold_grams", "partitions", "predict_targets"]

Partitions = list[list[Fold]]


@dataclass(frozen=True)
class Row:
    """One model's scores.

    Parameters
    ----------
    name : str
        In words: ``"correlation"``, ``"tangent, logistic"``, ``"confounds alone"``.
    scores : Classification or Regression
    """

    name: str
    scores: Classification | Regression


@dataclass(frozen=True)
class TargetResult:
    """All models of one target.

    Parameters
    ----------
    target : Target
    rows : list of Row
    folds : array of int of shape (n_seeds, n_subjects)
        Fold in which each subject was tested.
    """

    target: Target
    rows: list[Row]
    folds: np.ndarray


def partitions(
    targets: Sequence[Target], groups: Sequence[str], settings: ConnectivitySettings
) -> Partitions:
    """Part the subjects into folds, once a seed, stratified by all class targets at once.

    Parameters
    ----------
    targets : sequence of Target
    groups : sequence of str of length n_subjects
        See `split_groups`.
    settings : ConnectivitySettings

    Raises
    ------
    UnfitRecordingError
        If there are fewer groups than folds.
    """
    columns = [t.values.tolist() for t in targets if t.is_classification]
    strata = joint_strata(columns, n_splits=settings.n_splits, groups=list(groups))
    return [
        grouped_folds(groups, strata, n_splits=settings.n_splits, seed=seed)
        for seed in settings.seeds
    ]


def fold_grams(kind: Kind, cohort: Cohort, parts: Partitions) -> list[list[np.ndarray]]:
    """Gram matrices of one kind of connectivity.

    Parameters
    ----------
    kind : {"correlation", "partial", "tangent"}
    cohort : Cohort
    parts : list (n_seeds) of list of Fold

    Returns
    -------
    list (n_seeds) of list (n_splits) of arrays of shape (n_subjects, n_subjects)
        Not yet centred by the training subjects. One matrix serves all folds except in the tangent
        space, whose reference is a mean of training subjects.

    Notes
    -----
    The reference is the log-Euclidean mean (Arsigny et al. 2007), which needs one matrix logarithm
    a subject, where nilearn iterates towards the affine-invariant one in every fold. On 40
    recordings of 199 ROIs the inner products of either correlate at 0.996, and the iteration costs
    about 2 s of CPU time a fold.
    """
    if kind == "tangent":
        covariances = cohort.covariances.astype(np.float64)
        logs = np.stack([logm(c).astype(np.float32) for c in covariances])
        return [
            [
                gram_matrix(
                    tangent_vectors(
                        covariances, expm(logs[fold.train].mean(axis=0).astype(np.float64))
                    )
                )
                for fold in folds
            ]
            for folds in parts
        ]
    if kind == "partial":
        features = np.stack(
            [
                fisher_z(edges(partial_correlation(c.astype(np.float64)))).astype(np.float32)
                for c in cohort.covariances
            ]
        )
    else:
        features = cohort.z
    whole = gram_matrix(features)
    return [[whole for _ in folds] for folds in parts]


@dataclass(frozen=True)
class _Shared:
    """What the rows of all targets share: partitions, families and matrices."""

    settings: ConnectivitySettings
    groups: np.ndarray
    parts: Partitions
    grams: dict[Kind, list[list[np.ndarray]]]

    def row(
        self, name: str, target: Target, grams: FoldGram, classifier: Classifier = "ridge"
    ) -> Row:
        """Score one model."""
        settings = self.settings
        amount = {
            "n_permutations": settings.n_permutations,
            "n_resamples": settings.n_resamples,
            "seed": settings.seeds[0],
        }
        if not target.is_classification:
            return Row(
                name, regress(grams, self.parts, target.values, groups=self.groups, **amount)
            )
        scores = classify(
            grams,
            self.parts,
            target.values.astype(int),
            target.classes,
            classifier=classifier,
            groups=self.groups,
            **amount,
        )
        return Row(name, scores)

    def is_enough(self, target: Target) -> bool:
        """Whether a target that has lost subjects can still be predicted."""
        if target.known.sum() < self.settings.min_subjects:
            return False
        if not target.is_classification:
            return bool(np.ptp(target.values[target.known]) > 0)
        members = [self.groups[target.values == k] for k in range(len(target.classes))]
        return all(len(np.unique(of_class)) >= self.settings.n_splits for of_class in members)


def predict_targets(
    cohort: Cohort, settings: ConnectivitySettings
) -> tuple[list[TargetResult], list[str]]:
    """Predict every target from every kind of connectivity.

    Parameters
    ----------
    cohort : Cohort
    settings : ConnectivitySettings

    Returns
    -------
    results : list of TargetResult
        One a target, in the order of the settings.
    left_out : list of str
        Sentences about targets and rows left out because too few subjects are known.

    Raises
    ------
    UnfitRecordingError
        If a column is unknown, has one class, or a class too small for the folds.
    """
    left_out, enough = [], []
    for target in [read_target(name, cohort.participants, settings) for name in settings.targets]:
        n_known = int(target.known.sum())
        if n_known >= settings.min_subjects:
            enough.append(target)
        else:
            left_out.append(
                f"{target.name} is known of {n_known} subjects, fewer than "
                f"{settings.min_subjects}: not predicted."
            )
    if not enough:
        return [], left_out
    groups = split_groups(cohort.participants, settings)
    parts = partitions(enough, groups, settings)
    grams = {kind: fold_grams(kind, cohort, parts) for kind in settings.kinds}
    centred = {kind: _centred(grams[kind], parts) for kind in settings.kinds}
    shared = _Shared(settings, np.array(groups), parts, grams)
    folds = np.stack([fold_numbers(row, cohort.n_subjects) for row in parts])
    results = []
    for target in enough:
        rows = [
            shared.row(_name(kind, classifier), target, centred[kind], classifier)
            for kind in settings.kinds
            for classifier in (settings.classifiers if target.is_classification else ("ridge",))
        ]
        more, said = _confound_rows(target, cohort, shared)
        left_out += said
        results.append(TargetResult(target, rows + more, folds))
    return results, left_out


def _name(kind: Kind, classifier: Classifier) -> str:
    return kind if classifier == "ridge" else f"{kind}, {classifier}"


def _centred(
    grams: list[list[np.ndarray]], parts: Partitions, confounds: np.ndarray | None = None
) -> FoldGram:
    ready = [
        [fold_gram(gram, fold.train, confounds) for gram, fold in zip(row, folds, strict=True)]
        for row, folds in zip(grams, parts, strict=True)
    ]
    return lambda s, f: ready[s][f]


def _confound_rows(target: Target, cohort: Cohort, shared: _Shared) -> tuple[list[Row], list[str]]:
    """The first kind freed of confounds, and the confounds alone; or why there are none."""
    names = [name for name in shared.settings.confounds if name != target.name]
    if not names:
        return [], []
    confounds, known = confound_matrix(names, cohort.participants)
    of_known = target.only(known)
    if not shared.is_enough(of_known):
        return [], [
            f"{', '.join(names)} (confounds) known of {int(of_known.known.sum())} subjects with "
            f"{target.name}: too few for a model without them."
        ]
    # Those whose confounds are unknown neither train the regression nor are tested.
    parts = [[Fold(f.train[known[f.train]], f.test) for f in folds] for folds in shared.parts]
    first = shared.settings.kinds[0]
    freed = _centred(shared.grams[first], parts, confounds)
    alone = [[_scaled_gram(confounds, fold.train) for fold in folds] for folds in parts]
    return [
        shared.row(f"{first}, confounds regressed", of_known, freed),
        shared.row("confounds alone", of_known, _centred(alone, parts)),
    ], []


def _scaled_gram(confounds: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Gram matrix of confounds, each in units of its training deviation (years and classes)."""
    spread = confounds[train].std(axis=0)
    return gram_matrix(confounds / np.where(spread > 0, spread, 1.0))
