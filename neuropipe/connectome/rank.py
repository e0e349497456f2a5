"""How many components: factor variance, held-out entries and stability, side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from neuropipe.connectome.factorization import Factors, fit_activity, squared_errors
from neuropipe.connectome.operators import AffinityTensor
from neuropipe.connectome.restarts import fit_starts, restart_similarity
from neuropipe.connectome.tensor import TensorSource

__all__ = ["RankTable", "choose_rank", "factor_variance", "held_out_errors", "knee", "rank_table"]

_SMOOTH = 1.5  # ranks, SD of the Gaussian over the derivative of factor variance
_FLAT = 0.25  # of the steepest rise, below which the curve counts as flat
_STABLE = 0.7  # restart similarity that a rank should reach
_HIDDEN = 0.1  # share of the units of an animal that are hidden
_BLOCKS = 6  # blocks of time that are held out alternately
_LOST = 3  # standard errors above the least held-out error that count as clearly worse
_FEW = 3  # animals below which time is held out in place of units of animals


@dataclass(frozen=True)
class RankTable:
    """Diagnostics of every candidate.

    Parameters
    ----------
    ranks : array of int of shape (n_ranks,)
        Candidates that were fitted.
    errors : array of shape (n_ranks, n_starts)
        Relative squared error of every start.
    variance : array of shape (n_ranks,)
        See `factor_variance`; mean over starts.
    similarity : array of shape (n_ranks,)
        Mean over pairs of starts; NaN with one start.
    held_out : array of shape (n_ranks, n_folds)
        Squared error over squared norm of hidden entries.
    knee : int
        Rank from which on factor variance is flat.
    chosen : int
    reason : str
        Why, in words.
    """

    ranks: np.ndarray
    errors: np.ndarray
    variance: np.ndarray
    similarity: np.ndarray
    held_out: np.ndarray
    knee: int
    chosen: int
    reason: str


def factor_variance(factors: Factors) -> float:
    """Total variance of the unit-norm pair factors over their largest: how many directions.

    Notes
    -----
    With s the singular values of the centred matrix of components x pairs: sum(s^2) / max(s^2).
    Grows by one with every component that points elsewhere, and stays when components repeat
    (Dyballa et al. 2024, NeuralEncodingManifolds).
    """
    rows = np.nan_to_num(factors.pairs).T
    if len(rows) < 2:
        return 0.0
    variance = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    return float(variance.sum() / variance.max()) if variance.max() > 0 else 0.0


def knee(ranks: np.ndarray, variance: np.ndarray) -> int:
    """Rank at which the smoothed derivative of factor variance has flattened.

    Parameters
    ----------
    ranks : array of int of shape (n_ranks,)
        Ascending.
    variance : array of shape (n_ranks,)

    Returns
    -------
    int
        One of `ranks`; the last where the curve never flattens.
    """
    if len(ranks) < 3:
        return int(ranks[-1])
    fine = np.arange(ranks[0], ranks[-1] + 1)
    slope = gaussian_filter1d(np.gradient(np.interp(fine, ranks, variance)), _SMOOTH)
    steepest = int(np.argmax(slope))
    flat = np.flatnonzero(slope[steepest:] < _FLAT * slope[steepest])
    at = fine[steepest + flat[0]] if len(flat) else fine[-1]
    return int(ranks[np.searchsorted(ranks, at)])


def held_out_errors(
    source: TensorSource, rank: int, *, n_folds: int, max_iterations: int, seed: int = 0
) -> np.ndarray:
    """Error of predicted entries that were no part of the fit.

    With three animals or more on one clock, a tenth of the units of each animal is hidden, so that
    other animals must tell. Else pairs are fitted on alternate blocks of time; in the other blocks
    half of the units tell the components' activity, from which all other pairs are predicted
    (Owen & Perry 2009, doi:10.1214/08-AOAS227).

    Parameters
    ----------
    source : TensorSource
    rank : int
    n_folds : int
    max_iterations : int
    seed : int

    Returns
    -------
    array of shape (n_folds,)
        Squared error over squared norm of the hidden entries.
    """
    rng = np.random.default_rng(seed)
    if source.own_clocks or source.n_animals < _FEW:
        return np.array(
            [_over_time(source, rank, fold, max_iterations, rng) for fold in range(n_folds)]
        )
    return np.array([_over_units(source, rank, max_iterations, rng) for _ in range(n_folds)])


def _over_units(
    source: TensorSource, rank: int, max_iterations: int, rng: np.random.Generator
) -> float:
    shown = _hide(source.presence, _HIDDEN, rng, keep=2)
    visible = source.with_presence(shown)
    fitted = fit_starts(visible, rank, 2, max_iterations=max_iterations, seed=_seed(rng))[0]
    return _hidden_error(source.tensor, visible.tensor, fitted, fitted.activity())


def _over_time(
    source: TensorSource, rank: int, fold: int, max_iterations: int, rng: np.random.Generator
) -> float:
    block = np.arange(source.n_samples) * _BLOCKS // source.n_samples
    held = block % 2 == fold % 2
    train, test = source.with_samples(~held), source.with_samples(held)
    fitted = fit_starts(train, rank, 2, max_iterations=max_iterations, seed=_seed(rng))[0]
    visible = test.with_presence(_hide(source.presence, 0.5, rng, keep=0)).tensor
    return _hidden_error(test.tensor, visible, fitted, fit_activity(visible, fitted))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _hide(presence: np.ndarray, share: float, rng: np.random.Generator, *, keep: int) -> np.ndarray:
    """Hide a share of each animal's units, but leave each unit `keep` animals where it has them."""
    shown = presence.copy()
    for row in shown:
        spare = np.flatnonzero(row & (shown.sum(axis=0) > keep))
        n_hidden = min(len(spare), max(1, round(share * int(row.sum()))))
        row[rng.permutation(spare)[:n_hidden]] = False
    return shown


def _hidden_error(
    whole: AffinityTensor, visible: AffinityTensor, factors: Factors, activity: np.ndarray
) -> float:
    """Error over the entries of `whole` that `visible` lacks, from sums over each."""
    missed = [squared_errors(tensor, factors, activity).sum() for tensor in (whole, visible)]
    return float((missed[0] - missed[1]) / (whole.squared_norm - visible.squared_norm))


def rank_table(
    source: TensorSource,
    ranks: tuple[int, ...],
    *,
    n_starts: int = 3,
    n_folds: int = 3,
    max_iterations: int = 40,
    seed: int = 0,
) -> RankTable:
    """Fit candidates and choose.

    Two in a row that predict held-out entries clearly worse than the best so far end it: higher
    ranks overfit the more, and cost the most.

    Parameters
    ----------
    source : TensorSource
    ranks : tuple of int
        Ascending.
    n_starts : int
    n_folds : int
        Of held-out entries.
    max_iterations : int
        Of these fits; fewer than of the final one.
    seed : int
    """
    errors, variance, similarity, held_out = [], [], [], []
    for rank in ranks:
        found = fit_starts(source, rank, n_starts, max_iterations=max_iterations, seed=seed)
        errors.append([one.error for one in found])
        variance.append(np.mean([factor_variance(one) for one in found]))
        pairs = np.triu_indices(n_starts, k=1)
        similarity.append(restart_similarity(found)[pairs].mean() if n_starts > 1 else np.nan)
        held_out.append(
            held_out_errors(source, rank, n_folds=n_folds, max_iterations=max_iterations, seed=seed)
        )
        if _past_the_least(np.array(held_out)):
            break
    fitted = np.array(ranks[: len(errors)])
    bend = knee(fitted, np.array(variance))
    chosen, reason = choose_rank(fitted, bend, np.array(similarity), np.array(held_out))
    return RankTable(
        ranks=fitted,
        errors=np.array(errors),
        variance=np.array(variance),
        similarity=np.array(similarity),
        held_out=np.array(held_out),
        knee=bend,
        chosen=chosen,
        reason=reason,
    )


def _past_the_least(held_out: np.ndarray) -> bool:
    least, worse, error = _above_least(held_out)
    return len(worse) >= least + 3 and bool((worse > _LOST * error)[-2:].all())


def _above_least(held_out: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """The best candidate, how much worse others are, and the standard error of that over folds.

    All candidates are scored on the same hidden entries, so that folds are compared in pairs.
    """
    least = int(np.argmin(held_out.mean(axis=1)))
    worse = held_out - held_out[least]
    n_folds = held_out.shape[1]
    spread = worse.std(axis=1, ddof=1) if n_folds > 1 else np.zeros(len(worse))
    return least, worse.mean(axis=1), spread / np.sqrt(n_folds)


def choose_rank(
    ranks: np.ndarray, bend: int, similarity: np.ndarray, held_out: np.ndarray
) -> tuple[int, str]:
    """Choose among candidates.

    Those whose held-out error is within one standard error of the least (of the difference, folds
    in pairs) are equally good. Of them, the
    one at the knee of factor variance or the next above it; the smallest where all lie below the
    knee, or where there is none within the candidates. Of those the first whose starts agree.

    Parameters
    ----------
    ranks : array of int of shape (n_ranks,)
    bend : int
        The knee.
    similarity : array of shape (n_ranks,)
    held_out : array of shape (n_ranks, n_folds)

    Returns
    -------
    rank : int
    reason : str
    """
    least, worse, error = _above_least(held_out)
    good = np.flatnonzero(worse <= error)
    above = good[ranks[good] >= bend]
    place = above if len(above) and bend < ranks[-1] else good
    stable = place[similarity[place] >= _STABLE]
    at = int(stable[0] if len(stable) else place[0])
    text = (
        f"held-out error {held_out[at].mean():.3f} is within one standard error of the least "
        f"({held_out[least].mean():.3f}, rank {ranks[least]}); factor variance "
        + (f"bends at {bend}" if bend < ranks[-1] else "has no knee")
    )
    if np.isfinite(similarity[at]):
        text += f"; starts agree to {similarity[at]:.2f}"
    return int(ranks[at]), text
