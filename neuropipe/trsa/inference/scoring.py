"""Scores of models in the data and in resamples of it, crossvalidated where models are fitted.

Resamples, masks and folds are all counts of conditions and of subjects, so one function scores them
all. Axes: d draws, m models, s subjects, k RDMs, p pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.comparison.weighted import compare_draws
from neuropipe.trsa.inference.ceilings import ceiling_draws
from neuropipe.trsa.inference.models import Model
from neuropipe.trsa.inference.resample import Draws

__all__ = ["Bootstraps", "Folds", "Scorer", "draw_folds"]

_CONDITIONS_PER_FOLD = 4  # three pairs are the least that can be ranked; four leave room to draw
_MAX_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Folds:
    """Which fold every subject and condition is held out in.

    Parameters
    ----------
    subjects : array of int of shape (n_subjects,)
    conditions : array of int of shape (n_conditions,)
    """

    subjects: np.ndarray
    conditions: np.ndarray


def draw_folds(n_subjects: int, n_conditions: int, rng: np.random.Generator) -> Folds:
    """Part subjects and conditions at random into folds of nearly equal size.

    Parameters
    ----------
    n_subjects, n_conditions : int
        Up to 5 folds of either, of at least 4 conditions each; a single subject is one fold.
    rng : numpy.random.Generator

    Returns
    -------
    Folds

    Raises
    ------
    UnfitRecordingError
        If there are fewer than 8 conditions.
    """
    k = min(_MAX_FOLDS, n_conditions // _CONDITIONS_PER_FOLD)
    if k < 2:
        raise UnfitRecordingError(
            f"{n_conditions} conditions to fit models to and score them on others",
            f"at least {2 * _CONDITIONS_PER_FOLD}: few conditions leave nothing to hold out",
            "use fixed models",
        )
    return Folds(
        rng.permutation(np.arange(n_subjects) % min(_MAX_FOLDS, n_subjects)),
        rng.permutation(np.arange(n_conditions) % k),
    )


@dataclass(frozen=True, eq=False)
class Bootstraps:
    """Scores and ceilings of every draw: models first, then lower and upper ceiling.

    Parameters
    ----------
    by_subjects, by_conditions, by_both : array of shape (n_draws, n_models + 2), or None
        Draws of subjects with all conditions, of conditions with all subjects, and of both.
        Ceilings are NaN where there is one subject.
    """

    by_subjects: np.ndarray | None
    by_conditions: np.ndarray | None
    by_both: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores models on data.

    Parameters
    ----------
    models : sequence of Model
        In the order of the data's conditions.
    values : array of shape (n_rdms, n_pairs)
        NaN where any RDM or model does not know a pair.
    member : array of int of shape (n_rdms,)
        Subject of each RDM.
    measure : str
    folds : Folds, optional
        Needed where a model is flexible; fixed models and ceilings are then scored on the same
        held-out conditions, so that all stand on the same pairs.
    """

    models: Sequence[Model]
    values: np.ndarray
    member: np.ndarray
    measure: str
    folds: Folds | None = None

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return int(self.member.max()) + 1

    def held_out(self, conditions: np.ndarray) -> list[np.ndarray]:
        """Part counts of conditions (d, n) into those of each fold; without folds, all of them."""
        if self.folds is None:
            return [conditions]
        folds = self.folds.conditions
        return [conditions * (folds == f) for f in np.unique(folds)]

    def scores(self, subjects: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        """Score every model in every subject.

        Parameters
        ----------
        subjects : array of shape (n_draws or 1, n_subjects)
            How often each is drawn: what flexible models are fitted to.
        conditions : array of shape (n_draws or 1, n_conditions)

        Returns
        -------
        array of shape (n_draws or 1, n_models, n_subjects)
            Mean over a subject's RDMs and over folds of conditions; NaN for subjects that are not
            drawn where a model is flexible.
        """
        flexible = np.array([model.flexible for model in self.models])
        n_draws = max(len(subjects), len(conditions)) if flexible.any() else len(conditions)
        scores = np.empty((n_draws, len(self.models), self.n_subjects))
        if not flexible.all():
            fixed = np.stack([m.predict() for m in self.models if not m.flexible])
            parts = [
                compare_draws(fixed, self.values, part, self.measure)
                for part in self.held_out(conditions)
            ]
            scores[:, ~flexible] = self._by_subject(np.mean(parts, axis=0))
        for m, model in enumerate(self.models):
            for d in range(n_draws if model.flexible else 0):
                row = subjects[min(d, len(subjects) - 1)], conditions[min(d, len(conditions) - 1)]
                scores[d, m] = self._crossvalidated(model, *row)
        return scores

    def ceilings(self, subjects: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        """Noise ceilings of draws, NaN where there is one subject; see `ceiling_draws`.

        Parameters
        ----------
        subjects : array of shape (..., n_draws, n_subjects)
        conditions : array of shape (n_draws or 1, n_conditions)

        Returns
        -------
        array of shape (..., n_draws, 2)
        """
        if self.n_subjects < 2:
            return np.full((*subjects.shape[:-1], 2), np.nan)
        parts = [
            ceiling_draws(self.values, self.member, subjects, part, self.measure)
            for part in self.held_out(conditions)
        ]
        return np.asarray(np.mean(parts, axis=0))

    def bootstraps(self, draws: Draws, *, subjects: bool, conditions: bool) -> Bootstraps:
        """Score all draws, of subjects, of conditions, or of each and both.

        Parameters
        ----------
        draws : Draws
        subjects, conditions : bool
            What is drawn; what is not stays as it is.
        """
        once_c = np.ones((1, draws.conditions.shape[1]), dtype=np.int64)
        by_subjects = by_conditions = by_both = None
        if subjects:
            own = self.scores(draws.subjects, once_c)
            by_subjects = _joined(own, draws.subjects, self.ceilings(draws.subjects, once_c))
        if conditions:
            everyone = np.ones_like(draws.subjects)
            ways = np.stack([everyone, draws.subjects]) if subjects else everyone[None]
            ceilings = self.ceilings(ways, draws.conditions)
            own = self.scores(everyone[:1], draws.conditions)
            by_conditions = _joined(own, everyone, ceilings[0])
            if subjects:
                if any(model.flexible for model in self.models):
                    own = self.scores(draws.subjects, draws.conditions)
                # Fixed models score the same in a subject, whoever else is drawn.
                by_both = _joined(own, draws.subjects, ceilings[1])
        return Bootstraps(by_subjects, by_conditions, by_both)

    def _by_subject(self, alike: np.ndarray) -> np.ndarray:
        """Mean over each subject's RDMs: (d, m, k) to (d, m, s)."""
        own = self.member[:, None] == np.arange(self.n_subjects)
        return np.asarray(alike @ (own / own.sum(axis=0)))

    def _crossvalidated(
        self, model: Model, subjects: np.ndarray, conditions: np.ndarray
    ) -> np.ndarray:
        """Fit to the other folds' subjects and conditions, score the held-out ones: (s,)."""
        assert self.folds is not None  # `evaluate` draws them
        total = np.zeros(self.n_subjects)
        drawn = np.unique(self.folds.subjects[subjects > 0])
        alone = len(drawn) < 2  # nobody else to fit to: other conditions of the same subject
        parts = self.held_out(conditions)
        for part in parts:
            predictions = []
            for fold in drawn:
                others = subjects * (alone | (self.folds.subjects != fold))
                left = conditions * (part == 0)
                theta = model.fit(self.values, self.measure, left, others[self.member])
                predictions.append(model.predict(theta))
            alike = compare_draws(np.stack(predictions), self.values, part[None], self.measure)
            scores = self._by_subject(alike)[0]
            total += scores[np.searchsorted(drawn, self.folds.subjects).clip(0, len(drawn) - 1),
                            np.arange(self.n_subjects)]  # fmt: skip
        return np.where(subjects > 0, total / len(parts), np.nan)


def _joined(scores: np.ndarray, subjects: np.ndarray, ceilings: np.ndarray) -> np.ndarray:
    """Mean scores (d or 1, m, s) of the subjects drawn (d, s), beside the ceilings (d, 2)."""
    share = subjects[:, None] / subjects.sum(axis=1)[:, None, None]
    means = (np.where(share > 0, scores, 0.0) * share).sum(axis=2)
    return np.concatenate([means, ceilings], axis=1)
