"""Factors: noise-free recovery, SIM-C (absent neurons), and what must not change the result."""

from __future__ import annotations

import numpy as np
import torch

from neuropipe.connectome.affinity import pair_index, rises_and_falls
from neuropipe.connectome.factorization import Factors, factorize, random_start
from neuropipe.connectome.operators import DenseTensor, SeparableTensor, dense_affinities
from neuropipe.connectome.proofs.epochs import source_of
from neuropipe.connectome.proofs.parallel import side_by_side
from neuropipe.connectome.restarts import best, component_cosines, fit_starts, matched
from neuropipe.connectome.settings import AffinitySettings, FactorizationSettings
from neuropipe.connectome.tensor import TensorSource, tensor_source
from neuropipe.simulate.calcium import CalciumData, sim_calcium
from neuropipe.simulate.settings import CalciumSimulation
from neuropipe.simulate.tensors import compose, planted_factors
from neuropipe.stats.checks import Check, at_least, at_most

__all__ = ["checks", "invariance_checks", "missing_checks", "recovery_checks"]

_RANK = 4  # three epochs and what they have in common
_STARTS, _ITERATIONS = 6, 150
_MODES = ("pairs", "times", "animals")
_FLOOR = 1e-6  # of weights whose logarithm is taken


def checks(*, full: bool = False) -> list[Check]:
    """Measure the factorization; about two minutes on two cores.

    Parameters
    ----------
    full : bool
        Ten seeds of missing neurons in place of five.
    """
    return [*recovery_checks(), *missing_checks(range(10 if full else 5)), *invariance_checks()]


def recovery_checks() -> list[Check]:
    """Check 3: noise-free tensors of known rank."""
    rng = np.random.default_rng(0)
    scores = []
    for seed in range(5):
        truth = planted_factors((190, 60, 8), 5, rng)
        values = np.moveaxis(compose(truth), 1, 2)
        tensor = DenseTensor(values, np.ones((190, 8), dtype=bool), dtype=torch.float64)
        found, _ = factorize(tensor, random_start(tensor, 5, 10, seed=seed))
        product = np.ones((5, 5))
        for mode, factor in zip(("pairs", "times", "animals"), truth, strict=True):
            product *= np.nan_to_num(getattr(best(found), mode)).T @ factor
        scores.append(matched(product)[1].mean())
    return [
        at_least("noise-free tensors: factor match score, minimum", min(scores), 0.8,
                 f"rank 5, 5 tensors, best of 10 starts; mean {np.mean(scores):.4f}")
    ]  # fmt: skip


def _fit(source: TensorSource) -> Factors:
    return fit_starts(source, _RANK, _STARTS, max_iterations=_ITERATIONS)[0]


def _zero_filled(data: CalciumData) -> TensorSource:
    """The bug: neurons that an animal lacks count as silent."""
    return tensor_source(
        np.nan_to_num(data.traces),
        np.ones_like(data.presence),
        data.sampling_rate,
        AffinitySettings(),
        FactorizationSettings(),
    )


def missing_checks(seeds: range) -> list[Check]:
    """Check 5, SIM-C: the same animals with neurons missing against the complete data.

    Parameters
    ----------
    seeds : range
    """
    rows: list[Check] = []
    drawn = side_by_side(_one_seed, seeds)
    found = {key: [one[key] for one in drawn] for key in drawn[0]}
    about = f"rank {_RANK}, mean over components, {len(seeds)} seeds"
    for missing, bound in ((0.2, 0.95), (0.4, 0.9)):
        ours, theirs = (found[missing, name] for name in ("masked", "zero fill"))
        cosines, filled = (np.array([c for c, _ in part]) for part in (ours, theirs))
        spread, other = (np.array([s for _, s in part]) for part in (ours, theirs))
        text = f"{about}; range {cosines[:, 0].min():.3f} to {cosines[:, 0].max():.3f}"
        share = f"{missing:.0%} missing"
        rows += [
            at_least(f"SIM-C {share}: pairs, cosine with complete data", cosines[:, 0].mean(),
                     bound, text),
            at_least(f"SIM-C {share}: times, cosine", cosines[:, 1].mean(), 0.94,
                     f"{about}; minimum {cosines[:, 1].min():.3f}"),
            at_least(f"SIM-C {share}: animals, cosine", cosines[:, 2].mean(), 0.94,
                     f"{about}; minimum {cosines[:, 2].min():.3f}"),
            at_most(f"SIM-C {share}: zero fill's pairs", filled[:, 0].mean(), 0.8, about),
            at_most(f"SIM-C {share}: SD over animals of log weight ratios", spread.max(), 0.5,
                    "median over components, largest of the seeds"),
            at_least(f"SIM-C {share}: the same of zero fill", other.min(), 1.0,
                     "smallest of the seeds"),
        ]  # fmt: skip
    return rows


def _one_seed(seed: int) -> dict[tuple[float, str], tuple[np.ndarray, float]]:
    """Masked and zero-filled fits at both shares of missing neurons, against the complete data."""
    complete = _fit(source_of(sim_calcium(CalciumSimulation(seed=seed, missing=0.0))))
    found = {}
    for missing in (0.2, 0.4):
        data = sim_calcium(CalciumSimulation(seed=seed, missing=missing))
        for name, source in (("masked", source_of(data)), ("zero fill", _zero_filled(data))):
            found[missing, name] = _against(complete, _fit(source))
    return found


def _against(complete: Factors, found: Factors) -> tuple[np.ndarray, float]:
    """Mean cosine of each mode, and spread of the animals' weights beside the complete data's."""
    partner, _ = matched(component_cosines(complete, found, _MODES))
    cosines = [
        np.diag(component_cosines(complete, found, (mode,))[:, partner]).mean() for mode in _MODES
    ]
    ratio = np.maximum(found.animals[:, partner], _FLOOR) / np.maximum(complete.animals, _FLOOR)
    return np.array(cosines), float(np.median(np.log(ratio).std(axis=0)))


def invariance_checks() -> list[Check]:
    """Check 8: order of neurons and animals, gains, and the way the tensor is held."""
    settings = CalciumSimulation(n_neurons=24, n_animals=5, duration=90, community_size=6, seed=3)
    data = sim_calcium(settings)
    rng = np.random.default_rng(1)
    source = source_of(data)
    gains = rng.uniform(0.2, 5.0, size=data.presence.shape)[..., None]
    scaled = tensor_source(
        data.traces * gains, data.presence, data.sampling_rate, source.affinity,
        source.factorization,
    )  # fmt: skip
    change = np.abs(scaled.rates - source.rates).max() / np.abs(source.rates).max()
    return [
        at_most("gains of single neurons: largest change of rates", change, 1e-4,
                "share of the largest; gains 0.2 to 5"),
        at_most("permuted neurons: largest change of the factors", _permuted_units(source, rng),
                1e-6, "float64, 30 iterations from the same start, share of the largest"),
        at_most("permuted animals: largest change of the factors",
                _permuted_animals(source, rng), 1e-6, "the same"),
        at_most("matrix-free products against dense: largest difference", _paths(source), 1e-10,
                "float64, share of the largest; geo and prod, signed or not, filtered or not"),
    ]  # fmt: skip


def _dense(source: TensorSource) -> DenseTensor:
    values, mask = dense_affinities(
        source.rates.astype(float), source.presence, "geo", filter_=source.filter_
    )
    return DenseTensor(values, mask, dtype=torch.float64)


def _permuted_units(source: TensorSource, rng: np.random.Generator) -> float:
    order = rng.permutation(source.n_units)
    first, second = pair_index(source.n_units)
    place = np.zeros((source.n_units, source.n_units), dtype=int)
    place[first, second] = place[second, first] = np.arange(len(first))
    pairs = place[order[first], order[second]]  # where each new pair stood
    moved = TensorSource(
        **{**vars(source), "rates": source.rates[:, order], "presence": source.presence[:, order]}
    )
    return _difference(source, moved, pairs=pairs, animals=np.arange(source.n_animals))


def _permuted_animals(source: TensorSource, rng: np.random.Generator) -> float:
    order = rng.permutation(source.n_animals)
    n_pairs = source.n_units * (source.n_units - 1) // 2
    return _difference(source, source.with_animals(order), pairs=np.arange(n_pairs), animals=order)


def _difference(
    source: TensorSource, moved: TensorSource, *, pairs: np.ndarray, animals: np.ndarray
) -> float:
    tensors = _dense(source), _dense(moved)
    start = random_start(tensors[0], 3, 1, seed=0)
    other = type(start)(
        start.pairs[torch.as_tensor(pairs)],
        start.times,
        start.animals[torch.as_tensor(animals)],
        start.slices,
    )
    a, b = (
        factorize(tensor, one, max_iterations=30)[0][0]
        for tensor, one in zip(tensors, (start, other), strict=True)
    )
    changes = (
        np.nan_to_num(a.pairs[pairs]) - np.nan_to_num(b.pairs),
        a.times - b.times,
        a.animals[animals] - b.animals,
    )
    return max(float(np.abs(change).max()) for change in changes)


def _paths(source: TensorSource) -> float:
    rates = source.rates.astype(float)
    largest = 0.0
    for kind in ("geo", "prod"):
        settings = source.affinity.model_copy(update={"kind": kind})
        parts = rises_and_falls(rates, settings)
        for signed in (False, True):
            for filter_ in (None, source.filter_):
                values, mask = dense_affinities(
                    rates, source.presence, kind, signed=signed, filter_=filter_
                )
                dense = DenseTensor(values, mask, dtype=torch.float64)
                free = SeparableTensor(
                    *parts, source.presence, signed=signed, filter_=filter_, dtype=torch.float64
                )
                start = random_start(dense, 3, 2, seed=1)
                weights = start.slices[:, None, None] * start.activity()[None]
                for a, b in (
                    (dense.over_samples(weights), free.over_samples(weights)),
                    (dense.over_pairs(start.pairs), free.over_pairs(start.pairs)),
                ):
                    largest = max(largest, float((a - b).abs().max() / a.abs().max()))
    return largest
