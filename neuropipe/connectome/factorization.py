"""Non-negative tensor factorization with absent units absent: masked HALS, all starts at once.

``A[p, w, t] ~ sum_r pairs[p, r] animals[w, r] times[t, r]`` over pairs that an animal has. The mask
does not depend on time, so that the least-squares problem of every row of every factor is exact:
nothing is imputed (Cichocki & Phan 2009 for the updates; the masked Gram matrices are ours).

With clocks of their own, animals share the pairs only: ``A[p, w, t] ~ sum_r pairs[p, r]
activity[w, t, r]``.

Axis legend: p pairs, w animals, t samples, s slices, k starts, r components.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from neuropipe.connectome.operators import AffinityTensor
from neuropipe.connectome.sweeps import sweep

__all__ = ["Factors", "Start", "factorize", "fit_activity", "random_start", "squared_errors"]

_RIDGE = 1e-6  # of the pairs' Gram matrices, relative to their mean diagonal
_CALM = 5  # iterations in a row that must change little
_ROWS = 4_000_000  # numbers of the Gram matrices in memory at once
_UNSEEN = 0.05  # share of the largest evidence below which a pair's weight is not identified


@dataclass(frozen=True)
class Start:
    """Factors of all starts, on the device.

    Parameters
    ----------
    pairs : tensor of shape (p, k, r)
    times : tensor of shape (t, k, r), or (w, t, k, r) with clocks of their own
    animals : tensor of shape (w, k, r)
        1 with clocks of their own.
    slices : tensor of shape (s, k, r)
        1 with one slice.
    """

    pairs: torch.Tensor
    times: torch.Tensor
    animals: torch.Tensor
    slices: torch.Tensor

    def activity(self) -> torch.Tensor:
        """Each component's course in each animal, (w, t, k, r)."""
        times = self.times if self.times.ndim == 4 else self.times[None]
        return self.animals[:, None] * times

    def at(self, index: torch.Tensor) -> Start:
        """Some of the starts."""
        return Start(
            self.pairs[:, index],
            self.times[..., index, :],
            self.animals[:, index],
            self.slices[:, index],
        )


@dataclass(frozen=True)
class Factors:
    """One factorization, components by falling weight.

    Parameters
    ----------
    pairs : array of shape (p, r)
        Unit columns; NaN where a weight is not identified: no animal that has the pair shows the
        component.
    times : array of shape (t, r), or (w, t, r) with clocks of their own
        Unit columns.
    animals : array of shape (w, r)
        Unit columns.
    slices : array of shape (s, r)
        Weight of coactive and antagonist pairs; unit columns.
    weights : array of shape (r,)
        Product of the norms.
    evidence : array of shape (p, r)
        Sum over the animals that have the pair of their squared weights, over its maximum: how
        surely a pair's weight is known (its variance goes with the inverse).
    error : float
        Squared error over squared norm of the tensor.
    """

    pairs: np.ndarray
    times: np.ndarray
    animals: np.ndarray
    slices: np.ndarray
    weights: np.ndarray
    evidence: np.ndarray
    error: float

    @property
    def rank(self) -> int:
        """Number of components."""
        return len(self.weights)

    @property
    def own_clocks(self) -> bool:
        """Whether each animal has its own time courses."""
        return self.times.ndim == 3

    def activity(self) -> np.ndarray:
        """Each component's course in each animal, with its weight: (w, t, r)."""
        times = self.times if self.own_clocks else self.times[None]
        return np.asarray(self.animals[:, None] * times * self.weights)

    def levels(self) -> np.ndarray:
        """Mean activity of every component in every animal, over its largest: (w, r).

        With clocks of their own, of the samples in which the animal shows anything.
        """
        level = self.animals
        if self.own_clocks:
            known = (self.times.sum(axis=2) > 0).sum(axis=1)
            level = self.times.sum(axis=1) / np.maximum(known, 1)[:, None]
        return np.asarray(level / np.maximum(level.max(axis=0), 1e-30))

    def coactivity(self) -> np.ndarray:
        """The same of its coactive pairs alone; differs with a signed tensor only."""
        return np.asarray(self.activity() * self.slices[0])


def random_start(
    tensor: AffinityTensor, rank: int, n_starts: int, *, own_clocks: bool = False, seed: int = 0
) -> Start:
    """Draw uniform factors (size does not matter: pairs are updated first, in a sweep).

    Parameters
    ----------
    tensor : AffinityTensor
    rank : int
    n_starts : int
    own_clocks : bool
        Whether each animal gets its own time courses.
    seed : int
    """
    rng = np.random.default_rng(seed)
    n_pairs, n_animals = tensor.mask.shape
    mask = tensor.mask

    def draw(*shape: int) -> torch.Tensor:
        return torch.as_tensor(rng.uniform(size=(*shape, n_starts, rank))).to(mask)

    n_samples = tensor.n_samples
    animals = draw(n_animals)
    times = draw(n_animals, n_samples) if own_clocks else draw(n_samples)
    slices = torch.ones(tensor.n_slices, n_starts, rank).to(mask)
    return _balanced(
        Start(
            pairs=draw(n_pairs),
            times=times,
            animals=torch.ones_like(animals) if own_clocks else animals,
            slices=draw(tensor.n_slices) if tensor.n_slices > 1 else slices,
        )
    )


def factorize(
    tensor: AffinityTensor,
    start: Start,
    *,
    max_iterations: int = 500,
    tolerance: float = 1e-6,
    target: float | np.ndarray | None = None,
    first: bool = False,
) -> tuple[list[Factors], list[np.ndarray]]:
    """Improve all starts until they change no more.

    Parameters
    ----------
    tensor : AffinityTensor
    start : Start
    max_iterations : int
    tolerance : float
        Relative change of the squared error below which, five times in a row, a start is done.
    target : float or array of shape (k,), optional
        Relative squared error at which a start is done at once.
    first : bool
        Whether all starts are done once one has reached its target.

    Returns
    -------
    factors : list of Factors
        One a start, in their order.
    errors : list of array
        Relative squared error after every iteration of each start.
    """
    n_starts = start.pairs.shape[1]
    device = start.pairs.device
    running = torch.arange(n_starts, device=device)
    calm = torch.zeros(n_starts, device=device)
    before = torch.full((n_starts,), torch.inf, dtype=torch.float64, device=device)
    history: list[list[float]] = [[] for _ in range(n_starts)]
    ended: dict[int, Factors] = {}
    goal = None
    if target is not None:
        goal = torch.as_tensor(np.broadcast_to(target, n_starts).copy()).to(before)
    state = start
    for iteration in range(max_iterations):
        state, error = _iterate(tensor, state)
        for k, value in zip(running.tolist(), error.tolist(), strict=True):
            history[k].append(value)
        change = (before[running] - error).abs() / error.clamp_min(1e-30)
        calm[running] = torch.where(change < tolerance, calm[running] + 1, 0)
        before[running] = error
        done = calm[running] >= _CALM
        if goal is not None:
            hit = error <= goal[running]
            done |= hit | (first & hit.any())
        if iteration == max_iterations - 1:
            done[:] = True
        if done.any():
            for place in torch.nonzero(done)[:, 0]:
                one = state.at(place[None])
                ended[int(running[place])] = _finished(tensor, one, float(error[place]))
            state, running = state.at(torch.nonzero(~done)[:, 0]), running[~done]
        if not len(running):
            break
    return [ended[k] for k in range(n_starts)], [np.array(values) for values in history]


def _iterate(tensor: AffinityTensor, state: Start) -> tuple[Start, torch.Tensor]:
    """Update pairs, then times and animals (and slices); the squared error is exact."""
    pairs = _update_pairs(tensor, state)
    overlaps = _overlaps(pairs, tensor.mask)
    sums = tensor.over_pairs(pairs)
    state = _update_samples(replace(state, pairs=pairs), sums, overlaps)
    error = _error(tensor, state, sums, overlaps)
    return _balanced(state), error


def _update_pairs(tensor: AffinityTensor, state: Start) -> torch.Tensor:
    activity = state.activity()
    products = tensor.over_samples(state.slices[:, None, None] * activity[None])
    # Overlap of the components within each animal; a pair's Gram matrix sums its animals'.
    within = torch.einsum("wtkr,wtkq->wkrq", activity, activity)
    within *= torch.einsum("skr,skq->krq", state.slices, state.slices)
    pairs = state.pairs.clone()
    if bool((tensor.mask == 1).all()):
        sweep(pairs, products, _with_ridge(within.sum(dim=0)))
        return pairs
    step = max(1, _ROWS // within[0].numel())
    for start in range(0, len(pairs), step):
        part = slice(start, start + step)
        gram = (tensor.mask[part] @ within.flatten(1)).reshape(-1, *within.shape[1:])
        sweep(pairs[part], products[part], _with_ridge(gram))
    return pairs


def _with_ridge(gram: torch.Tensor) -> torch.Tensor:
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    ridge = _RIDGE * diagonal.mean(dim=-1) + 1e-30
    return gram + torch.diag_embed(ridge[..., None].expand_as(diagonal))


def _overlaps(pairs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Overlap of the components over the pairs of each animal, (w, k, r, r)."""
    by_start = pairs.transpose(0, 1)  # (k, p, r)
    whole = (mask == 1).all(dim=0)
    full = by_start.transpose(1, 2) @ by_start
    rows = [
        full if complete else (by_start * seen[:, None]).transpose(1, 2) @ by_start
        for complete, seen in zip(whole.tolist(), mask.T, strict=True)
    ]
    return torch.stack(rows)


def _update_samples(state: Start, sums: torch.Tensor, overlaps: torch.Tensor) -> Start:
    """Update times, animals and slices from sums over pairs (s, w, t, k, r)."""
    shares = torch.einsum("skr,skq->krq", state.slices, state.slices)
    products = torch.einsum("swtkr,skr->wtkr", sums, state.slices)
    times, animals = state.times.clone(), state.animals.clone()
    if times.ndim == 4:
        for course, product, overlap in zip(times, products, overlaps, strict=True):
            sweep(course, product, overlap * shares)
    else:
        gram = torch.einsum("wkrq,wkr,wkq->krq", overlaps, animals, animals) * shares
        sweep(times, torch.einsum("wtkr,wkr->tkr", products, animals), gram)
        within = torch.einsum("tkr,tkq->krq", times, times)
        product = torch.einsum("wtkr,tkr->wkr", products, times)
        sweep(animals, product, overlaps * within * shares)
    state = replace(state, times=times, animals=animals)
    if len(sums) > 1:
        activity = state.activity()
        within = torch.einsum("wtkr,wtkq->wkrq", activity, activity)
        slices = state.slices.clone()
        product = torch.einsum("swtkr,wtkr->skr", sums, activity)
        sweep(slices, product, (overlaps * within).sum(dim=0))
        state = replace(state, slices=slices)
    return state


def _balanced(state: Start) -> Start:
    """Give times, animals and slices unit columns; pairs carry the size."""
    times, time_norm = _unit(state.times, list(range(state.times.ndim - 2)))
    animals, animal_norm = state.animals, torch.ones_like(time_norm)
    if state.times.ndim == 3:
        animals, animal_norm = _unit(state.animals, [0])
    slices, slice_norm = state.slices, torch.ones_like(time_norm)
    if len(slices) > 1:
        slices, slice_norm = _unit(state.slices, [0])
    return Start(state.pairs * (time_norm * animal_norm * slice_norm), times, animals, slices)


def _unit(factor: torch.Tensor, axes: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    norm = factor.square().sum(dim=axes).sqrt()
    return factor / torch.where(norm > 0, norm, 1.0), norm


def _error(
    tensor: AffinityTensor, state: Start, sums: torch.Tensor, overlaps: torch.Tensor
) -> torch.Tensor:
    """Squared error over the squared norm, (k,), float64, without a further pass over the data."""
    activity = state.activity()
    found = torch.einsum("swtkr,skr,wtkr->k", sums, state.slices, activity)
    within = torch.einsum("wtkr,wtkq->wkrq", activity, activity)
    shares = torch.einsum("skr,skq->krq", state.slices, state.slices)
    fitted = (overlaps.double() * within.double() * shares.double()).sum(dim=(0, 2, 3))
    return (1 + (fitted - 2 * found.double()) / tensor.squared_norm).clamp_min(0)


def _finished(tensor: AffinityTensor, state: Start, error: float) -> Factors:
    """Order one start's components by weight and mark what is not identified."""
    evidence = tensor.mask @ state.animals[:, 0].square()
    if state.times.ndim == 4:
        evidence = tensor.mask @ state.times[..., 0, :].square().sum(dim=1)
    pairs = state.pairs[:, 0].double()
    evidence = evidence / evidence.amax(dim=0).clamp_min(1e-30)
    seen = evidence >= _UNSEEN
    norm = torch.where(seen, pairs, 0).square().sum(dim=0).sqrt()
    order = torch.argsort(norm, descending=True)
    unit = torch.where(seen, pairs / torch.where(norm > 0, norm, 1.0), torch.nan)

    def ordered(part: torch.Tensor) -> np.ndarray:
        return np.asarray(part[..., order].cpu().numpy(), dtype=float)

    return Factors(
        pairs=ordered(unit),
        times=ordered(state.times[..., 0, :]),
        animals=ordered(state.animals[:, 0]),
        slices=ordered(state.slices[:, 0]),
        weights=ordered(norm),
        evidence=ordered(evidence),
        error=error,
    )


def fit_activity(
    tensor: AffinityTensor, factors: Factors, *, n_iterations: int = 20, share_times: bool = False
) -> np.ndarray:
    """Find how much other recordings show of known components.

    Parameters
    ----------
    tensor : AffinityTensor
        With the same pairs; unknown pairs are masked.
    factors : Factors
        What is not identified counts as 0.
    n_iterations : int
    share_times : bool
        Keep the time courses too and find the animals' weights only.

    Returns
    -------
    array of shape (w, t, r)
        Weights and norms included: ``pairs @ activity`` is the fitted affinity.
    """
    mask = tensor.mask
    pairs = torch.as_tensor(np.nan_to_num(factors.pairs)).to(mask)[:, None]
    slices = torch.as_tensor(factors.slices).to(mask)[:, None]
    sums = torch.einsum("swtkr,skr->wtkr", tensor.over_pairs(pairs), slices)
    shares = torch.einsum("skr,skq->krq", slices, slices)
    overlaps = _overlaps(pairs, tensor.mask) * shares
    n_animals, n_samples, _, rank = sums.shape
    if share_times:
        times = torch.as_tensor(factors.times * factors.weights).to(mask)[:, None]
        within = torch.einsum("tkr,tkq->krq", times, times)
        weights = torch.zeros(n_animals, 1, rank).to(mask)
        product = torch.einsum("wtkr,tkr->wkr", sums, times)
        for _ in range(n_iterations):
            sweep(weights, product, overlaps * within)
        return np.asarray((weights[:, None] * times)[:, :, 0].cpu().numpy())
    activity = torch.zeros(n_animals, n_samples, 1, rank).to(mask)
    for course, product, overlap in zip(activity, sums, overlaps, strict=True):
        for _ in range(n_iterations):
            sweep(course, product, overlap)
    return np.asarray(activity[:, :, 0].cpu().numpy())


def squared_errors(tensor: AffinityTensor, factors: Factors, activity: np.ndarray) -> np.ndarray:
    """Squared error of each animal's affinities.

    Parameters
    ----------
    tensor : AffinityTensor
    factors : Factors
        What is not identified counts as 0.
    activity : array of shape (w, t, r)
        Weights included; see `Factors.activity` and `fit_activity`.

    Returns
    -------
    array of shape (w,)
        Over the entries that count.
    """
    mask = tensor.mask
    pairs = torch.as_tensor(np.nan_to_num(factors.pairs)).to(mask)[:, None]
    course = torch.as_tensor(activity).to(mask)
    slices = torch.as_tensor(factors.slices).to(mask)
    sums = tensor.over_pairs(pairs)[:, :, :, 0]
    found = torch.einsum("swtr,sr,wtr->w", sums, slices, course).double()
    within = torch.einsum("wtr,wtq->wrq", course, course) * (slices.T @ slices)
    fitted = (_overlaps(pairs, tensor.mask)[:, 0].double() * within.double()).sum(dim=(1, 2))
    return np.asarray(tensor.squared_norms + (fitted - 2 * found).cpu().numpy())
