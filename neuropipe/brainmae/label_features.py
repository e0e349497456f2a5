"""Features that linear models tell labels from, as Gram matrices in the folds of a dataset.

Axis legend: s subjects, r runs, f features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from neuropipe.brainmae.connectomes import (
    CoskewnessConnectivity,
    HiddenMarkovStates,
    SlidingWindowStates,
)
from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.features import Block, BlockScale
from neuropipe.brainmae.folds import Split
from neuropipe.brainmae.names import PEERS
from neuropipe.brainmae.run_connectivity import run_correlations, run_covariances
from neuropipe.brainmae.run_series import Run as Series
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.store import Stored
from neuropipe.prediction.connectomes import Grams, connectome_grams
from neuropipe.stats.linear_models import gram_matrix

__all__ = ["FROZEN", "WITH_FC", "label_grams"]

FROZEN = "BrainMAE"
WITH_FC = "correlation + BrainMAE"
_STATES: dict[str, Callable[[int], SlidingWindowStates | HiddenMarkovStates]] = {
    "windows": lambda seed: SlidingWindowStates(seed=seed),
    "hmm": lambda seed: HiddenMarkovStates(seed=seed),
}
_NAMES = {
    "windows": "sliding-window states",
    "hmm": "hidden Markov states",
    "coskewness": "co-skewness subspace",
}


def label_grams(
    runs: Runs, split: Split, stores: Mapping[str, Stored], settings: BrainmaeSettings
) -> dict[str, Grams]:
    """Gram matrices of subjects, by the name of the row that they give.

    Parameters
    ----------
    runs : Runs
        Of the dataset.
    split : Split
        With folds in which labels are predicted.
    stores : mapping of str to Stored
        Models by name; each fold has its own, which has not seen the subjects that it tests.
    settings : BrainmaeSettings

    Returns
    -------
    dict of str to list (n_seeds) of list (n_splits) of arrays (n_subjects, n_subjects)
        The model's features first (the blocks of `pool` together, then each alone), then those of
        the baselines, then correlation and the model's features together. Blocks are centred and
        scaled to equal total variance by the training subjects.
    """
    names = [run.recording for run in runs.runs]
    share = split.member == np.arange(len(split.subjects))[:, None]
    mean = share / share.sum(axis=1, keepdims=True)
    z = mean @ run_correlations(runs)
    out: dict[str, Grams] = {}

    def everywhere(make: Callable[[str, np.ndarray, int], np.ndarray]) -> Grams:
        """One matrix a fold, from the model's name, the training subjects and the seed."""
        return [
            [make(f"seed-{seed}_fold-{f}", fold.train, seed) for f, fold in enumerate(folds)]
            for seed, folds in zip(settings.seeds, split.partitions, strict=True)
        ]

    if "frozen" in settings.finetune:
        pools: list[tuple[str, Sequence[Block]]] = [(FROZEN, settings.pool)]
        if len(settings.pool) > 1:
            pools += [(f"{FROZEN}, {block} alone", (block,)) for block in settings.pool]

        def frozen(pool: Sequence[Block]) -> Grams:
            def make(name: str, train: np.ndarray, seed: int) -> np.ndarray:
                del seed
                found = stores[name].blocks(names)
                return _scaled_gram({key: mean @ found[key] for key in pool}, pool, train)

            return everywhere(make)

        out |= {name: frozen(pool) for name, pool in pools}
    if "correlation" in settings.baselines:
        out["correlation"] = connectome_grams("correlation", z, np.empty(0), split.partitions)
    if "tangent" in settings.baselines:
        covariances = np.tensordot(mean, run_covariances(runs), axes=1)
        out["tangent"] = connectome_grams("tangent", z, covariances, split.partitions)
    for key, name in _NAMES.items():
        if key in settings.baselines:
            out[name] = everywhere(_learnt_features(key, runs, split, mean))
    for key in settings.peers:
        out[f"{PEERS[key]}, frozen"] = everywhere(_peer_features(key, stores, names, mean))
    if FROZEN in out and "correlation" in out:
        fc = everywhere(
            lambda _, train, __: _scaled_gram({"connectivity": z}, ["connectivity"], train)
        )
        out[WITH_FC] = [
            [one + other for one, other in zip(row, more, strict=True)]
            for row, more in zip(out[FROZEN], fc, strict=True)
        ]
    return out


def _peer_features(
    key: str, stores: Mapping[str, Stored], names: list[str], mean: np.ndarray
) -> Callable[[str, np.ndarray, int], np.ndarray]:
    def make(name: str, train: np.ndarray, seed: int) -> np.ndarray:
        del seed
        found = stores[name].arrays[f"peer_{key}"].sel(recording=names).values
        return _scaled_gram({"token": mean @ found.astype(np.float64)}, ["token"], train)

    return make


def _scaled_gram(
    blocks: dict[Block, np.ndarray], pool: Sequence[Block], train: np.ndarray
) -> np.ndarray:
    scale = BlockScale({name: block[train] for name, block in blocks.items()}, pool)
    return gram_matrix(scale(blocks))


def _learnt_features(
    key: str, runs: Runs, split: Split, mean: np.ndarray
) -> Callable[[str, np.ndarray, int], np.ndarray]:
    """Features whose states or subspace are learnt from training runs."""
    series = [Series(runs.values(i), 1 / runs.runs[i].step) for i in range(len(runs.runs))]

    def make(name: str, train: np.ndarray, seed: int) -> np.ndarray:
        del name
        learner = CoskewnessConnectivity() if key == "coskewness" else _STATES[key](seed)
        learner.fit([series[i] for i in np.flatnonzero(np.isin(split.member, train))])
        found = mean @ learner.transform(series)
        spread = found[train].std(axis=0)
        return gram_matrix(found / np.where(spread > 0, spread, 1.0))

    return make
