"""Bias between features: equal codes are called equal, learnt ones are not taken at face value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from neuropipe.simulate.geometry import feature_code, feature_task
from neuropipe.stats.checks import Check, at_least, at_most
from neuropipe.trsa.geometry.arrays import Trials
from neuropipe.trsa.geometry.features import FeatureShares, feature_shares
from neuropipe.trsa.geometry.proofs.networks import train_networks
from neuropipe.trsa.inference.partial import partial_compare

__all__ = ["checks", "hard_task_similarities", "learnt_shares", "planted_shares"]

_N_INPUTS = 8


def checks(*, full: bool = False) -> list[Check]:
    """Measure the claims; some ten seconds on one core.

    Parameters
    ----------
    full : bool
        Twice as many seeds.

    Returns
    -------
    list of Check
    """
    n_seeds = 6 if full else 3
    return [*_learnt(n_seeds), *_planted(2 * n_seeds), *_similarity(n_seeds)]


def learnt_shares(seed: int) -> tuple[np.ndarray, FeatureShares]:
    """Train a network on a linear feature and an exclusive or; measure its hidden layer.

    Parameters
    ----------
    seed : int

    Returns
    -------
    accuracies : array of shape (2,)
        On new inputs: linear, XOR.
    shares : FeatureShares
        Of the hidden layer for those inputs.
    """
    inputs, labels = feature_task(2000, _N_INPUTS, np.random.default_rng(seed))
    nets = train_networks(inputs[:1000], labels[:1000], [seed], activation="relu", gain=1.0)
    tested, truth = inputs[1000:], labels[1000:]
    features = pd.DataFrame(truth, columns=["linear", "XOR"])
    found = feature_shares(_trials(nets.hidden(tested)[0]), features)
    return nets.accuracy(tested, truth)[0], found


def planted_shares(seed: int, shares: tuple[float, float]) -> FeatureShares:
    """Measure two features planted at given shares of the variance."""
    rng = np.random.default_rng(seed)
    code = feature_code(1000, 100, rng, shares=shares, noise=0.5)
    features = pd.DataFrame(code.features, columns=["first", "second"])
    return feature_shares(_trials(code.activity), features)


def hard_task_similarities(seed: int) -> dict[str, float]:
    """Compare networks of a hard task, of an easy one and of both by their RDMs.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of str to float
        Similarity of ``"both-easy"`` and ``"both-hard"``: the latter two name the hard label
        equally well. The same ``", partial"``: without the RDM of the easy feature.
        ``"hard-hard"`` and ``"hard-easy"``: networks of one task each. ``"accuracy"``: the least.
        ``"caution"``: 1 if the network of both tasks is flagged.
    """
    inputs, labels = feature_task(600, _N_INPUTS, np.random.default_rng(seed))
    nets, worst = {}, 1.0
    for k, (name, columns) in enumerate({"easy": [0], "hard": [1], "both": [0, 1]}.items()):
        trained = train_networks(
            inputs,
            labels[:, columns],
            [100 * k + 2 * seed, 100 * k + 2 * seed + 1],
            activation="relu",
            n_hidden=50,
            gain=0.1,
        )
        worst = min(worst, trained.accuracy(inputs, labels[:, columns]).min())
        nets[name] = trained.hidden(inputs)
    rdms = {name: [pdist(net[:100]) for net in two] for name, two in nets.items()}
    easy = pdist(labels[:100, [0]])
    found = {
        "accuracy": worst,
        "hard-hard": _alike(rdms["hard"][0], rdms["hard"][1], []),
    }
    for one, two in (("both", "easy"), ("both", "hard"), ("hard", "easy")):
        pairs = [(a, b) for a in rdms[one] for b in rdms[two]]
        found[f"{one}-{two}"] = float(np.mean([_alike(a, b, []) for a, b in pairs]))
        partial = [_alike(a, b, [easy]) for a, b in pairs]
        found[f"{one}-{two}, partial"] = float(np.mean(partial))
    features = pd.DataFrame(labels, columns=["easy", "hard"])
    shares = feature_shares(_trials(nets["both"][0]), features)
    return {**found, "caution": float(bool(shares.caution))}


def _alike(first: np.ndarray, second: np.ndarray, nuisances: Sequence[np.ndarray]) -> float:
    """Rank correlation of two RDMs beyond others."""
    beyond = np.reshape(nuisances, (-1, len(first)))
    return float(partial_compare(first, second, beyond)[0, 0])


def _learnt(n_seeds: int) -> list[Check]:
    found = [learnt_shares(seed) for seed in range(n_seeds)]
    accuracies = np.array([a for a, _ in found])
    shares = np.array([s.shares for _, s in found])
    gap = float((shares[:, 0] - shares[:, 1]).min())
    detail = (
        f"{n_seeds} networks: variance linear {shares[:, 0].mean():.3f}, "
        f"XOR {shares[:, 1].mean():.3f}; accuracy {accuracies.mean(axis=0).round(4).tolist()}; "
        f"decodability {np.mean([s.decodability for _, s in found], axis=0).round(3).tolist()}"
    )
    return [
        at_least("features: accuracy of the worse feature", accuracies.min(), 0.99, detail),
        Check("features: variance of linear - XOR", gap, "> 0", gap > 0, detail),
        at_least(
            "features: share of networks with a caution",
            np.mean([bool(s.caution) for _, s in found]),
            1.0,
            found[0][1].caution,
        ),
    ]


def _planted(n_seeds: int) -> list[Check]:
    equal = [planted_shares(seed, (0.5, 0.5)) for seed in range(n_seeds)]
    unequal = [planted_shares(seed, (0.8, 0.2)) for seed in range(n_seeds)]
    gaps = [abs(s.relative_shares[0] - s.relative_shares[1]) for s in equal]
    errors = [abs(s.relative_shares[0] - 0.8) for s in unequal]
    detail = f"1000 trials, 100 units, noise .5, {n_seeds} seeds"
    return [
        at_most("features: difference of equal shares, largest", max(gaps), 0.03, detail),
        at_most("features: error of shares .8 and .2, largest", max(errors), 0.03, detail),
        at_most(
            "features: share of equal codes with a caution",
            np.mean([bool(s.caution) for s in equal]),
            0.0,
            detail,
        ),
        at_least(
            "features: share of unequal codes with a caution",
            np.mean(["decoded alike" in s.caution for s in unequal]),
            1.0,
            unequal[0].caution,
        ),
    ]


def _similarity(n_seeds: int) -> list[Check]:
    every = [hard_task_similarities(seed) for seed in range(n_seeds)]
    found = {name: np.array([row[name] for row in every]) for name in every[0]}
    detail = f"{n_seeds} seeds, 100 inputs, Spearman correlation of RDMs: " + ", ".join(
        f"{name} {values.mean():.3f}" for name, values in found.items()
    )
    raw = float((found["both-easy"] - found["both-hard"]).min())
    partial = float((found["both-hard, partial"] - found["both-easy, partial"]).min())
    what = "RDM similarity of a network of both tasks"
    return [
        Check(f"features: {what}, to easy - to hard, least", raw, "> 0", raw > 0, detail),
        Check(
            f"features: {what}, to hard - to easy without the easy feature, least",
            partial,
            "> 0",
            partial > 0,
            detail,
        ),
        at_least("features: share of those networks with a caution", found["caution"].mean(), 1.0),
    ]


def _trials(values: np.ndarray, n_blocks: int = 10) -> Trials:
    """Number blocks of trials as repeats."""
    n = len(values)
    return Trials(values, np.arange(n), np.arange(n) * n_blocks // n)
