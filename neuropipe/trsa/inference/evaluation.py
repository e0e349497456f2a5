"""Compare models of RDMs: scores, noise ceiling, and what holds for new subjects and conditions.

One entry, `evaluate`, whatever the models and whatever the conclusion is to hold for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.stats.multiple import false_discovery, holm
from neuropipe.trsa.comparison.compare import COMPARISONS
from neuropipe.trsa.comparison.weighted import known_pairs
from neuropipe.trsa.inference.models import Model
from neuropipe.trsa.inference.partial import partial_compare
from neuropipe.trsa.inference.resample import draw_both, dual_variance, members
from neuropipe.trsa.inference.scoring import Bootstraps, Scorer, draw_folds
from neuropipe.trsa.inference.shuffling import permutation_tests
from neuropipe.trsa.inference.testing import TTest, t_test
from neuropipe.trsa.rdms import RDMs

__all__ = ["Evaluation", "New", "evaluate", "partial_compare"]

New = Literal["subjects", "conditions", "both"]

_MIN_CONDITIONS = 4  # of a bootstrap over them; with three, all draws hold the same ones


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of models, and how sure they are.

    Parameters
    ----------
    models, subjects : tuple of str
    measure : str
    new : {"subjects", "conditions", "both"}
        What the intervals and tests generalise to.
    crossvalidated : bool
        Whether scores are of held-out subjects and conditions (a model was flexible).
    scores : array of shape (n_models, n_subjects)
    against_zero : TTest of shape (n_models,)
        Mean scores with standard error, 95 % t interval and one-sided p of no relation.
    against_ceiling : TTest of shape (n_models,), or None
        Mean score minus the lower noise ceiling, two-sided; None with one subject.
    ceiling : TTest of shape (2,), or None
        Lower and upper noise ceiling with intervals (their p values mean nothing).
    pairs : array of int of shape (n_pairs_of_models, 2)
        Places of the two models of each difference.
    differences : TTest of shape (n_pairs_of_models,)
        First minus second, two-sided.
    p_holm, p_fdr : arrays of shape (n_pairs_of_models,)
        Their p values adjusted for the number of pairs.
    p_permutation, p_permutation_any : arrays of shape (n_models,), or None
        Of models with shuffled conditions, alone and against the best of all models.
    percentiles : array of shape (n_models, 2)
        2.5 and 97.5 % of the bootstrap: to be shown only, it is too narrow for few subjects.
    n_pairs : int
        Pairs of conditions that everything rests on.
    n_redrawn : int
        Draws that had too few distinct subjects or conditions and were drawn anew.
    """

    models: tuple[str, ...]
    subjects: tuple[str, ...]
    measure: str
    new: New
    crossvalidated: bool
    scores: np.ndarray
    against_zero: TTest
    against_ceiling: TTest | None
    ceiling: TTest | None
    pairs: np.ndarray
    differences: TTest
    p_holm: np.ndarray
    p_fdr: np.ndarray
    p_permutation: np.ndarray | None
    p_permutation_any: np.ndarray | None
    percentiles: np.ndarray
    n_pairs: int
    n_redrawn: int

    @property
    def mean(self) -> np.ndarray:
        """Mean score of each model, shape (n_models,)."""
        return self.against_zero.value

    @property
    def df(self) -> float:
        """Degrees of freedom of the t tests."""
        return self.against_zero.df

    def table(self) -> pd.DataFrame:
        """Lay out one row a model: score, error, interval, p values."""
        zero, top = self.against_zero, self.against_ceiling
        columns = {
            "model": self.models,
            "score": zero.value,
            "standard_error": zero.standard_error,
            "low": zero.low,
            "high": zero.high,
            "p_zero": zero.p_value,
        }
        if top is not None:
            columns["p_ceiling"] = top.p_value
        if self.p_permutation is not None and self.p_permutation_any is not None:
            columns["p_permutation"] = self.p_permutation
            columns["p_permutation_any"] = self.p_permutation_any
        return pd.DataFrame(columns)

    def difference_table(self) -> pd.DataFrame:
        """Lay out one row a pair of models: difference, error, p values."""
        names = np.array(self.models, dtype=object)
        return pd.DataFrame(
            {
                "first": names[self.pairs[:, 0]],
                "second": names[self.pairs[:, 1]],
                "difference": self.differences.value,
                "standard_error": self.differences.standard_error,
                "low": self.differences.low,
                "high": self.differences.high,
                "p_value": self.differences.p_value,
                "p_holm": self.p_holm,
                "p_fdr": self.p_fdr,
            }
        )


def evaluate(
    models: Sequence[Model],
    rdms: RDMs,
    *,
    measure: str = "rho-a",
    new: New = "both",
    subject_column: str = "subject",
    n_bootstrap: int = 1000,
    n_permutations: int = 999,
    seed: int = 0,
) -> Evaluation:
    """Score models on RDMs and test the scores.

    Parameters
    ----------
    models : sequence of Model
        Brought into the order of the data's conditions by name, where they have names.
    rdms : RDMs
        Of one region, layer or time: one RDM a subject, or several sessions each.
    measure : str
        How RDMs are compared.
    new : {"subjects", "conditions", "both"}
        What the conclusions are to hold for. ``"both"`` where conditions are a sample of many
        (stimuli); ``"subjects"`` only where no others exist; ``"conditions"`` speaks of these
        subjects alone, and is all that one subject allows.
    subject_column : str
        Column of the items that names the subject.
    n_bootstrap : int
        Draws with replacement.
    n_permutations : int
        Shuffles of the models' conditions; 0 for none.
    seed : int

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If the models' conditions or the items do not fit.
    UnfitRecordingError
        If there are too few subjects, conditions or known pairs for such conclusions.
    SettingsError
        If `new` or a number is not possible.

    Notes
    -----
    New subjects: variance of the subjects' scores over their number, t with ``S - 1`` degrees of
    freedom. New conditions: variance over draws of conditions times ``P / (P - 1)``, ``P - 1``.
    Both: `dual_variance`, ``min(S, P) - 1``. Differences are taken before their variance, so all
    tests of pairs are paired. Differences from the ceiling and flexible models, whose scores in
    different subjects depend on each other, get the bootstrap's variance times ``n / (n - 1)``
    also for new subjects. If any model is flexible, all are scored crossvalidated over subjects
    and conditions, on the same folds, and flexible ones are fitted anew in every fold of every
    draw (about 10 ms a draw and model).
    """
    values, aligned, names, member = _checked(models, rdms, new, subject_column)
    if n_bootstrap < 2 or n_permutations < 0:
        raise SettingsError(
            f"{n_bootstrap} draws and {n_permutations} permutations",
            "at least 2 and 0",
            "take about a thousand",
        )
    _check_measure(measure, new)
    for_folds, for_draws, for_permutations = np.random.default_rng(seed).spawn(3)
    n_subjects, n_conditions = len(names), rdms.n_conditions
    flexible = any(model.flexible for model in aligned)
    folds = draw_folds(n_subjects, n_conditions, for_folds) if flexible else None
    scorer = Scorer(aligned, values, member, measure, folds)
    once_s = np.ones((1, n_subjects), dtype=np.int64)
    once_c = np.ones((1, n_conditions), dtype=np.int64)
    scores = scorer.scores(once_s, once_c)[0]
    draws = draw_both(
        n_subjects,
        n_conditions,
        n_bootstrap,
        for_draws,
        folds=None if folds is None else folds.conditions,
    )
    drawn = scorer.bootstraps(draws, subjects=new != "conditions", conditions=new != "subjects")
    totals = np.concatenate([scores.mean(axis=1), scorer.ceilings(once_s, once_c)[0]])

    def tested(contrasts: np.ndarray, alternative: Literal["two-sided", "greater"]) -> TTest:
        if new == "subjects" and not flexible and not contrasts[:, -2:].any():
            variance = (contrasts[:, :-2] @ scores).var(axis=1, ddof=1) / n_subjects
        else:
            variance = _variance(drawn, contrasts, n_subjects, n_conditions)
        df = {"subjects": n_subjects, "conditions": n_conditions}.get(
            new, min(n_subjects, n_conditions)
        )
        # The ceilings of one subject are unknown and in no contrast that is asked for.
        return t_test(contrasts @ np.nan_to_num(totals), variance, df - 1, alternative=alternative)

    n_models = len(aligned)
    each = np.eye(n_models, n_models + 2)
    lower, upper = np.eye(n_models + 2)[-2:]
    pairs = np.array(np.triu_indices(n_models, 1)).T
    differences = tested(each[pairs[:, 0]] - each[pairs[:, 1]], "two-sided")
    several = n_subjects > 1
    p_alone = p_any = None
    if n_permutations:
        p_alone, p_any = permutation_tests(
            scorer, scores.mean(axis=1), n_permutations, for_permutations
        )
    shown = next(
        d for d in (drawn.by_both, drawn.by_conditions, drawn.by_subjects) if d is not None
    )
    return Evaluation(
        models=tuple(model.name for model in aligned),
        subjects=tuple(str(name) for name in names),
        measure=measure,
        new=new,
        crossvalidated=flexible,
        scores=scores,
        against_zero=tested(each, "greater"),
        against_ceiling=tested(each - lower, "two-sided") if several else None,
        ceiling=tested(np.stack([lower, upper]), "two-sided") if several else None,
        pairs=pairs,
        differences=differences,
        p_holm=holm(differences.p_value),
        p_fdr=false_discovery(differences.p_value),
        p_permutation=p_alone,
        p_permutation_any=p_any,
        percentiles=np.nanquantile(shown[:, :n_models], [0.025, 0.975], axis=0).T,
        n_pairs=int(np.isfinite(values[0]).sum()),
        n_redrawn=draws.n_redrawn,
    )


def _variance(
    drawn: Bootstraps, contrasts: np.ndarray, n_subjects: int, n_conditions: int
) -> np.ndarray:
    """Variance of contrasts of models and ceilings (c, n_models + 2) in new data."""

    def spread(draws: np.ndarray) -> np.ndarray:
        # The ceilings of one subject are unknown in all draws; a draw without a pair tells nothing.
        known = np.where(np.isnan(draws).all(axis=0), 0.0, draws)
        known = known[np.isfinite(known).all(axis=1)]
        return np.asarray((known @ contrasts.T).var(axis=0, ddof=1))

    subjects, conditions, both = drawn.by_subjects, drawn.by_conditions, drawn.by_both
    if subjects is not None and conditions is not None and both is not None:
        return dual_variance(
            spread(subjects),
            spread(conditions),
            spread(both),
            n_subjects=n_subjects,
            n_conditions=n_conditions,
        )
    if subjects is not None:
        return spread(subjects) * n_subjects / (n_subjects - 1)
    assert conditions is not None  # one of the three is drawn
    return spread(conditions) * n_conditions / (n_conditions - 1)


def _check_measure(measure: str, new: str) -> None:
    """Refuse measures that are no similarity, or that resampled conditions leave undefined."""
    allowed = set(COMPARISONS) - {"bures_metric"}
    if new != "subjects":  # a condition drawn twice leaves pairs unknown, which these need
        allowed -= {"bures", "neg_riem_dist"}
    if measure not in allowed:
        raise SettingsError(
            f"measure {measure!r} for new {new}", f"one of {', '.join(sorted(allowed))}", "choose"
        )


def _checked(
    models: Sequence[Model], rdms: RDMs, new: str, subject_column: str
) -> tuple[np.ndarray, list[Model], np.ndarray, np.ndarray]:
    """Align models with data; blank the pairs that any side does not know."""
    if new not in get_args(New):
        raise SettingsError(f"new: {new!r}", f"one of {', '.join(get_args(New))}", "choose one")
    if not models:
        raise InputError("no models", "at least one", "add some")
    if len({model.name for model in models}) < len(models):
        raise InputError("two models of one name", "unique names", "rename one")
    if subject_column not in rdms.table:
        raise InputError(
            f"RDMs without a column {subject_column!r}",
            f"one of {', '.join(map(str, rdms.table.columns))}",
            "name the column whose entries are independent",
        )
    names, member = members(rdms.table[subject_column].to_numpy())
    if len(names) < 2 and new != "conditions":
        raise UnfitRecordingError(
            f"RDMs of {len(names)} subject",
            "at least two: one subject says nothing about others",
            "set new to 'conditions', the only conclusion one subject allows",
        )
    n_needed = 3 if new == "subjects" else _MIN_CONDITIONS
    if rdms.n_conditions < n_needed:
        raise UnfitRecordingError(
            f"RDMs of {rdms.n_conditions} conditions",
            f"at least {n_needed} to speak of new {new if new != 'both' else 'conditions'}",
            "use more conditions",
        )
    aligned = [model.of(rdms.conditions) for model in models]
    known = known_pairs(rdms.dissimilarities, *(model.dissimilarities for model in aligned))
    if known.sum() < 3:
        raise UnfitRecordingError(
            f"{int(known.sum())} pairs of conditions that all RDMs and models know",
            "at least 3",
            "leave out the RDMs that miss most pairs",
        )
    return np.where(known, rdms.dissimilarities, np.nan), aligned, names, member
