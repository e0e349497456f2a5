"""Models of RDMs: fixed ones, and families whose parameters are fitted to data.

All share one protocol: ``fit(data, measure, conditions, rdms)`` gives parameters, `predict` gives
the RDM they stand for. Fits look at the conditions and RDMs they are told to and at nothing else,
so that crossvalidation is a matter of counts. Axes: m component RDMs, k data RDMs, p pairs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuropipe.errors import InputError
from neuropipe.trsa.comparison.weighted import CENTRED, compare_draws, known_pairs, pair_weights
from neuropipe.trsa.inference.ceilings import pooled
from neuropipe.trsa.rdms import RDMs, n_conditions_of

__all__ = [
    "FixedModel",
    "InterpolateModel",
    "Model",
    "SelectModel",
    "WeightedModel",
    "fixed_models",
]

_STEPS = 51  # mixtures tried between two neighbours where the best one has no closed form


@dataclass(frozen=True, eq=False)
class Model(ABC):
    """What all models share: a name and component RDMs.

    Parameters
    ----------
    name : str
    dissimilarities : array of shape (n_components, n_pairs) or (n_pairs,)
    conditions : tuple of str, optional
        Names of the conditions; default: those of the data, in their order.

    Raises
    ------
    InputError
        If the number of pairs fits no number of conditions, or another one than named.
    """

    name: str
    dissimilarities: np.ndarray
    conditions: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        values = np.atleast_2d(np.asarray(self.dissimilarities, dtype=np.float64))
        n = n_conditions_of(values.shape[-1])
        if self.conditions is not None and len(self.conditions) != n:
            raise InputError(
                f"model {self.name!r} of {n} conditions with {len(self.conditions)} names",
                "one name each",
                "name every condition",
            )
        object.__setattr__(self, "dissimilarities", values)

    @property
    def n_components(self) -> int:
        """Number of component RDMs."""
        return len(self.dissimilarities)

    @property
    def flexible(self) -> bool:
        """Whether there is something to fit, so that scores need crossvalidation."""
        return True

    def of(self, conditions: Sequence[str]) -> Model:
        """Bring the model into the order of named conditions.

        Raises
        ------
        InputError
            If it lacks one, or has no names and another number of conditions.
        """
        if self.conditions is not None:
            found = RDMs(self.dissimilarities, self.conditions).of(conditions)
            return replace(self, dissimilarities=found.dissimilarities, conditions=found.conditions)
        if n_conditions_of(self.dissimilarities.shape[1]) != len(conditions):
            raise InputError(
                f"model {self.name!r} of {n_conditions_of(self.dissimilarities.shape[1])} unnamed "
                "conditions",
                f"the {len(conditions)} conditions of the data",
                "name the model's conditions",
            )
        return self

    def fit(
        self,
        data: np.ndarray,
        measure: str,
        conditions: np.ndarray | None = None,
        rdms: np.ndarray | None = None,
    ) -> np.ndarray:
        """Fit the parameters.

        Parameters
        ----------
        data : array of shape (n_rdms, n_pairs)
            NaN pairs are left out.
        measure : str
            By which the model is to do well.
        conditions : array of shape (n_conditions,), optional
            Mask, or how often each condition stands in a resample.
        rdms : array of shape (n_rdms,), optional
            Mask, or how often each RDM does.

        Returns
        -------
        array of shape (n_parameters,)
        """
        n = n_conditions_of(data.shape[1])
        counts = np.ones(n) if conditions is None else np.asarray(conditions, dtype=np.float64)
        share = np.ones(len(data)) if rdms is None else np.asarray(rdms, dtype=np.float64)
        return self._fit(data[share > 0], measure, counts, share[share > 0])

    def predict(self, theta: np.ndarray | None = None) -> np.ndarray:
        """Give the RDM of these parameters, shape (n_pairs,)."""
        share = self._default() if theta is None else np.asarray(theta, dtype=np.float64)
        return np.asarray(share @ self.dissimilarities)

    def _default(self) -> np.ndarray:
        return np.ones(self.n_components)

    def _weights(self, data: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """How often each pair stands in the resample; 0 where either side does not know it."""
        known = known_pairs(data, self.dissimilarities)
        return np.where(known, pair_weights(counts), 0.0)

    @abstractmethod
    def _fit(
        self, data: np.ndarray, measure: str, counts: np.ndarray, share: np.ndarray
    ) -> np.ndarray:
        """Fit to RDMs (k, p), conditions standing `counts` and RDMs `share` times."""


@dataclass(frozen=True, eq=False)
class FixedModel(Model):
    """One RDM and nothing to fit; several given are averaged."""

    @property
    def flexible(self) -> bool:
        """Never."""
        return False

    def predict(self, theta: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """Give the RDM, shape (n_pairs,)."""
        return np.asarray(self.dissimilarities.mean(axis=0))

    def _fit(self, *_: object) -> np.ndarray:
        return np.empty(0)


@dataclass(frozen=True, eq=False)
class SelectModel(Model):
    """One of several RDMs: the one with the best mean score. Its parameter is the place."""

    def predict(self, theta: np.ndarray | None = None) -> np.ndarray:
        """Give the selected RDM (default: the first), shape (n_pairs,)."""
        place = 0 if theta is None else int(np.ravel(theta)[0])
        return np.asarray(self.dissimilarities[place])

    def _fit(
        self, data: np.ndarray, measure: str, counts: np.ndarray, share: np.ndarray
    ) -> np.ndarray:
        scores = _mean_scores(self.dissimilarities, data, measure, counts, share)
        return np.array([float(np.argmax(scores))])


@dataclass(frozen=True, eq=False)
class WeightedModel(Model):
    """Sum of RDMs with non-negative weights; the parameters are the weights, of unit length.

    Notes
    -----
    Fitted by non-negative least squares to the pooled data (`pooled`); for measures that ignore a
    constant, components are centred first. For cosine and correlation this maximises the mean
    score exactly. Rank measures fit the pooled ranks, whitened ones leave the whitening out: both
    are stand-ins that cannot make a score too good, since scores are crossvalidated.
    """

    def _fit(
        self, data: np.ndarray, measure: str, counts: np.ndarray, share: np.ndarray
    ) -> np.ndarray:
        from scipy.optimize import nnls

        weights = self._weights(data, counts)
        used = weights > 0
        w = weights[used]
        target = pooled(data, measure, weights=weights, counts=share)[used]
        components = self.dissimilarities[:, used]
        if measure in CENTRED:
            components = components - (components @ w / w.sum())[:, None]
            target = target - target @ w / w.sum()
        root = np.sqrt(w)
        theta = nnls((components * root).T, target * root)[0]
        size = np.linalg.norm(theta)
        return np.asarray(theta / size if size > 0 else theta)


@dataclass(frozen=True, eq=False)
class InterpolateModel(Model):
    """Mixture of two neighbours in a row of RDMs; the parameters are shares that sum to 1.

    Notes
    -----
    For cosine and correlation the best mixture of each two neighbours has a closed form. Rank
    measures change in steps, whitened ones are costly: the best of 51 mixtures is taken.
    """

    def _default(self) -> np.ndarray:
        share = np.zeros(self.n_components)
        share[:2] = 1 / len(share[:2])
        return share

    def _fit(
        self, data: np.ndarray, measure: str, counts: np.ndarray, share: np.ndarray
    ) -> np.ndarray:
        if measure in ("cosine", "corr"):
            mixtures = self._closed_form(data, measure, counts, share)
        else:
            mixtures = self._mixtures(np.linspace(0, 1, _STEPS))
        scores = _mean_scores(mixtures @ self.dissimilarities, data, measure, counts, share)
        return np.asarray(mixtures[np.argmax(scores)])

    def _mixtures(self, shares: np.ndarray) -> np.ndarray:
        """Mixtures of all neighbours, shape (n, n_components): these shares, or one each."""
        n = self.n_components
        if n == 1:
            return np.ones((1, 1))
        rows = []
        for k in range(n - 1):
            own = np.atleast_1d(shares[k] if shares.ndim == 2 else shares)
            block = np.zeros((len(own), n))
            block[:, k], block[:, k + 1] = own, 1 - own
            rows.append(block)
        return np.concatenate(rows)

    def _closed_form(
        self, data: np.ndarray, measure: str, counts: np.ndarray, share: np.ndarray
    ) -> np.ndarray:
        """Where cos(w a + (1 - w) b, y) is best: ends, and the root of its derivative."""
        weights = self._weights(data, counts)
        used = weights > 0
        w = weights[used]
        y = pooled(data, measure, weights=weights, counts=share)[used]
        x = self.dissimilarities[:, used]
        if measure == "corr":
            x = x - (x @ w / w.sum())[:, None]
        gram, products = (x * w) @ x.T, (x * w) @ y
        shares = np.tile([0.0, 1.0, 0.5], (max(self.n_components - 1, 1), 1))
        for k in range(self.n_components - 1):
            # With coefficients (u, v) the optimum is along G^-1 c; w is its share u / (u + v).
            aa, ab, bb = gram[k, k], gram[k, k + 1], gram[k + 1, k + 1]
            ay, by = products[k : k + 2]
            u, v = bb * ay - ab * by, aa * by - ab * ay
            if u + v != 0:
                shares[k, 2] = np.clip(u / (u + v), 0, 1)
        return self._mixtures(shares)


def fixed_models(rdms: RDMs, column: str = "name") -> list[Model]:
    """Take every RDM for a fixed model of its own.

    Parameters
    ----------
    rdms : RDMs
    column : str
        Of the items; its entries name the models.

    Raises
    ------
    InputError
        If there is no such column.
    """
    if column not in rdms.table:
        raise InputError(
            f"model RDMs without a column {column!r}",
            f"one of {', '.join(map(str, rdms.table.columns))}",
            "name the models",
        )
    rows = zip(rdms.table[column], rdms.dissimilarities, strict=True)
    return [FixedModel(str(name), values, rdms.conditions) for name, values in rows]


def _mean_scores(
    candidates: np.ndarray, data: np.ndarray, measure: str, counts: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Mean score of every candidate over the data's RDMs, shape (n_candidates,)."""
    alike = compare_draws(candidates, data, counts[None], measure)[0]
    return np.asarray(alike @ share / share.sum())
