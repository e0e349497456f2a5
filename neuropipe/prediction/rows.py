"""Rows of a prediction's table: every target by every model, on the same folds.

A row comes from Gram matrices of features (`score_features`), or from out-of-fold predictions that
another model made (`decision_row`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuropipe.prediction.connectomes import Grams
from neuropipe.prediction.design import Design, Partitions
from neuropipe.prediction.targets import Target, confound_matrix
from neuropipe.stats.linear_models import fold_gram, gram_matrix
from neuropipe.stats.prediction import (
    Classifier,
    FoldGram,
    classify,
    regress,
    score_decisions,
    score_predictions,
)
from neuropipe.stats.prediction_scores import Classification, Regression
from neuropipe.stats.splits import Fold

__all__ = ["ALONE", "Row", "TargetResult", "decision_row", "feature_row", "score_features"]

ALONE = "confounds alone"


@dataclass(frozen=True)
class Row:
    """One model's scores.

    Parameters
    ----------
    name : str
        In words: ``"correlation"``, ``"tangent, logistic"``, ``"confounds alone"``.
    scores : Classification or Regression
    refitted : bool
        Whether the null repeats the training with shuffled labels; else it is that of
        `score_decisions`.
    """

    name: str
    scores: Classification | Regression
    refitted: bool = True


@dataclass(frozen=True)
class TargetResult:
    """All models of one target.

    Parameters
    ----------
    target : Target
    rows : list of Row
        In the order of tables and figures.
    folds : array of int of shape (n_seeds, n_subjects)
        Fold in which each subject was tested.
    """

    target: Target
    rows: list[Row]
    folds: np.ndarray


def score_features(
    design: Design, grams: Mapping[str, Grams]
) -> tuple[list[TargetResult], list[str]]:
    """Predict every target from every kind of features.

    Parameters
    ----------
    design : Design
    grams : mapping of str to list (n_seeds) of list (n_splits) of arrays
        By the name of the row, Gram matrices of shape (n_subjects, n_subjects) for every seed and
        fold of the design, not yet centred. From the first the confounds are regressed out, too.

    Returns
    -------
    results : list of TargetResult
        One a target. Other models' rows can be added with `dataclasses.replace`.
    left_out : list of str
        Sentences about rows left out because the confounds of too few subjects are known.

    Raises
    ------
    UnfitRecordingError
        If a confound is unknown or cannot be used.
    """
    centred = {name: _centred(of_kind, design.partitions) for name, of_kind in grams.items()}
    results, left_out = [], []
    for target in design.targets:
        rows = [
            feature_row(design, _name(name, classifier), target, centred[name], classifier)
            for name in grams
            for classifier in _classifiers(design, target)
        ]
        more, said = _confound_rows(design, target, grams)
        left_out += said
        results.append(TargetResult(target, rows + more, design.folds))
    return results, left_out


def _classifiers(design: Design, target: Target) -> tuple[Classifier, ...]:
    return design.settings.classifiers if target.is_classification else ("ridge",)


def _name(features: str, classifier: Classifier) -> str:
    return features if classifier == "ridge" else f"{features}, {classifier}"


def feature_row(
    design: Design, name: str, target: Target, grams: FoldGram, classifier: Classifier = "ridge"
) -> Row:
    """Train and score one linear model.

    Parameters
    ----------
    design : Design
    name : str
        Of the row.
    target : Target
    grams : callable
        From seed and fold to a Gram matrix centred by the training subjects.
    classifier : {"ridge", "logistic"}
        Of classes; numbers are predicted by ridge regression.
    """
    if target.is_classification:
        scores = classify(
            grams,
            design.partitions,
            target.values.astype(int),
            target.classes,
            classifier=classifier,
            groups=design.groups,
            **_amount(design),
        )
        return Row(name, scores)
    numbers = regress(
        grams, design.partitions, target.values, groups=design.groups, **_amount(design)
    )
    return Row(name, numbers)


def decision_row(design: Design, name: str, target: Target, decisions: np.ndarray) -> Row:
    """Score out-of-fold predictions of a model that was trained elsewhere, on the same folds.

    Parameters
    ----------
    design : Design
        Its partitions are those that the model was trained with.
    name : str
        Of the row.
    target : Target
    decisions : array of shape (n_seeds, n_subjects) or (n_seeds, n_subjects, n_outputs)
        Decision values of classes, see `score_decisions`, or predicted numbers in the target's
        unit. NaN leaves a subject out.
    """
    if target.is_classification:
        scores = score_decisions(
            decisions,
            design.partitions,
            target.values.astype(int),
            target.classes,
            groups=design.groups,
            **_amount(design),
        )
        return Row(name, scores, refitted=False)
    numbers = score_predictions(
        decisions, design.partitions, target.values, groups=design.groups, **_amount(design)
    )
    return Row(name, numbers, refitted=False)


def _amount(design: Design) -> dict[str, int]:
    settings = design.settings
    return {
        "n_permutations": settings.n_permutations,
        "n_resamples": settings.n_resamples,
        "seed": settings.seeds[0],
    }


def _centred(grams: Grams, parts: Partitions, confounds: np.ndarray | None = None) -> FoldGram:
    ready = [
        [fold_gram(gram, fold.train, confounds) for gram, fold in zip(row, folds, strict=True)]
        for row, folds in zip(grams, parts, strict=True)
    ]
    return lambda s, f: ready[s][f]


def _confound_rows(
    design: Design, target: Target, grams: Mapping[str, Grams]
) -> tuple[list[Row], list[str]]:
    """The first features freed of confounds, and the confounds alone; or why there are none."""
    names = [name for name in design.settings.confounds if name != target.name]
    if not names:
        return [], []
    confounds, known = confound_matrix(names, design.participants)
    of_known = target.only(known)
    if not design.is_enough(of_known):
        return [], [
            f"{', '.join(names)} (confounds) known of {int(of_known.known.sum())} subjects with "
            f"{target.name}: too few for a model without them."
        ]
    # Those whose confounds are unknown neither train the regression nor are tested.
    parts = [[Fold(f.train[known[f.train]], f.test) for f in folds] for folds in design.partitions]
    freed = [
        feature_row(
            design,
            f"{first}, confounds regressed",
            of_known,
            _centred(grams[first], parts, confounds),
        )
        for first in list(grams)[:1]
    ]
    alone = [[_scaled_gram(confounds, fold.train) for fold in folds] for folds in parts]
    return [*freed, feature_row(design, ALONE, of_known, _centred(alone, parts))], []


def _scaled_gram(confounds: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Gram matrix of confounds, each in units of its training deviation (years and classes)."""
    spread = confounds[train].std(axis=0)
    return gram_matrix(confounds / np.where(spread > 0, spread, 1.0))
