"""Where thresholds help to tell regions apart, where they hurt, and what choosing them costs (V2).

All of it leave-one-subject-out, nearest centroid, 8 regions, 24 subjects, 62 conditions, against
the rank RDM. Generators that favour topology do so by construction, as do those of geometry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from scipy.spatial.distance import pdist

from neuropipe.simulate.representations import (
    DESIGN,
    Design,
    cluster_regions,
    graph_regions,
    layout_regions,
    planted_regions,
    scaled_regions,
)
from neuropipe.stats.checks import Check, at_least, at_most, between
from neuropipe.stats.resampling import paired_difference_interval
from neuropipe.trsa.topology.families import GEODESIC, RANK, RAW, geodesic_vectors
from neuropipe.trsa.topology.grid import CATEGORIES, RANK_CELL, cells, sample_categories
from neuropipe.trsa.topology.homology import persistence_vectors
from neuropipe.trsa.topology.selection import grid_accuracy, identify, nested_accuracy
from neuropipe.trsa.topology.transforms import normalised_ranks

__all__ = ["CONDITIONS", "Condition", "checks", "measure", "optimism"]

CHANCE = 1 / 8
_SEEDS = range(5)
_MORE_SEEDS = range(12)
_DESIGN = DESIGN

Metric = Literal["euclidean", "correlation"]
Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class Condition:
    """A generator of representations and how they are measured.

    Parameters
    ----------
    make : callable
        From a random generator and a design to activity (s, r, 1, n, p) or dissimilarities
        (s, r, n_pairs).
    metric : str, optional
        Of the RDMs; None for dissimilarities.
    cell : (lower, upper), optional
        Fixed cell that is measured too.
    """

    make: Callable[[np.random.Generator, Design], np.ndarray]
    metric: Metric | None = "correlation"
    cell: tuple[float, float] | None = None

    def rdms(self, seed: int) -> np.ndarray:
        """Dissimilarities of one seed, shape (s, r, n_pairs)."""
        data = self.make(np.random.default_rng(seed), _DESIGN)
        if self.metric is None:
            return data
        return np.array([[pdist(region[0], self.metric) for region in own] for own in data])


def _white(rng: np.random.Generator, design: Design) -> np.ndarray:
    return rng.standard_normal(design.empty().shape)


#: What is measured; names say what regions differ in.
CONDITIONS: dict[str, Condition] = {
    "planted, no noise": Condition(planted_regions),
    "planted, noise 4": Condition(partial(planted_regions, noise=4.0)),
    "planted, noise 5": Condition(partial(planted_regions, noise=5.0)),
    "graph, own magnitudes": Condition(partial(graph_regions, warp=1.0), None, (0.45, 0.55)),
    "graph, common magnitudes": Condition(partial(graph_regions, warp=0.0), None, (0.45, 0.55)),
    "clusters, own gaps": Condition(cluster_regions, "euclidean", (0.0, 0.1)),
    # By correlation the same clusters gain nothing: the winner hangs on the measure too.
    "clusters, own gaps, correlation": Condition(cluster_regions, cell=(0.0, 0.1)),
    "common clusters, own layout": Condition(layout_regions, "euclidean"),
    # At noise 3.5 all families are right by correlation, which tells nothing.
    "common clusters, own layout, correlation": Condition(partial(layout_regions, noise=5.0)),
    "common sides, own magnitudes": Condition(
        partial(graph_regions, warp=0.0, informative="magnitudes", noise=3.0), None
    ),
    "scale alone": Condition(scaled_regions, "euclidean"),
    "pure noise": Condition(_white),
}


def measure(condition: Condition, seeds: Sequence[int], *, homology: bool = False) -> Scores:
    """Accuracy of every family.

    Parameters
    ----------
    condition : Condition
    seeds : sequence of int
    homology : bool
        Whether to measure Betti curves too, a second a seed.

    Returns
    -------
    dict of str to array of shape (n_seeds, s)
        Raw and rank RDM, the mean of 10 cells of each category, RGDM, ``Betti`` if asked for, and
        ``cell`` if fixed.
    """
    found: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        vectors = condition.rdms(seed)
        drawn = sample_categories(np.random.default_rng(seed))
        fixed = [RANK_CELL, *([condition.cell] if condition.cell else [])]
        grid = np.concatenate([np.array(fixed), *drawn.values()])
        accuracy = grid_accuracy(*_ranked(vectors), grid)
        parts = np.split(accuracy[len(fixed) :], np.cumsum([len(c) for c in drawn.values()])[:-1])
        row = {RAW: identify(vectors).accuracy, RANK: accuracy[0]}
        row |= {n: part.mean(axis=0) for n, part in zip(drawn, parts, strict=True)}
        flat = vectors.reshape(-1, vectors.shape[-1])
        row[GEODESIC] = identify(geodesic_vectors(flat).reshape(vectors.shape)).accuracy
        if homology:
            curves = persistence_vectors(flat, squared=condition.metric == "correlation")
            row["Betti"] = identify(curves.reshape(*vectors.shape[:2], -1)).accuracy
        if condition.cell:
            row["cell"] = accuracy[1]
        for name, scores in row.items():
            found.setdefault(name, []).append(scores)
    return {name: np.array(rows) for name, rows in found.items()}


def optimism(condition: Condition, seeds: Sequence[int]) -> Scores:
    """Accuracy of the best cell of the grid, chosen with and without the held-out subject.

    Returns
    -------
    dict of str to array of shape (n_seeds, s)
        ``rank``, ``un-nested``, ``nested``.
    """
    found = []
    for seed in seeds:
        nested = nested_accuracy(*_ranked(condition.rdms(seed)), cells())
        best = nested.grid[nested.grid.mean(axis=1).argmax()]
        found.append((nested.grid[0], best, nested.accuracy))
    rows = np.array(found)
    return {name: rows[:, k] for k, name in enumerate(("rank", "un-nested", "nested"))}


def checks(*, full: bool = False) -> list[Check]:
    """Measure the claims; 40 s on one core, 4 minutes in full.

    Parameters
    ----------
    full : bool
        12 seeds instead of 5, and Betti curves beside the other families.

    Returns
    -------
    list of Check
        Where every family is right, where none but ranks should be used, where thresholds must win
        and must lose, and how optimistic the best cell is.
    """
    seeds = _MORE_SEEDS if full else _SEEDS
    found = {
        name: measure(own, seeds, homology=full)
        for name, own in CONDITIONS.items()
        if name != "pure noise"
    }
    rows = [*_floor_and_noise(found), *_winning(found), *_losing(found)]
    return [*rows, *_optimism(seeds)]


def _floor_and_noise(found: dict[str, Scores]) -> list[Check]:
    plain = found["planted, no noise"]
    worst = min(plain, key=lambda name: plain[name].mean(axis=1).min())
    rows = [
        at_least(
            "identification, planted, no noise: worst family",
            plain[worst].mean(axis=1).min(),
            0.95,
            f"{worst}; {_beside(plain)}; discriminates nothing, as it must",
        )
    ]
    for name in ("planted, noise 4", "planted, noise 5"):
        means = {family: scores.mean(axis=1) for family, scores in found[name].items()}
        ends = np.maximum(means["local"], means["global"])
        for claim, gap in (
            ("rank - topology", means[RANK] - means["topology"]),
            ("topology - max(local, global)", means["topology"] - ends),
        ):
            rows.append(_above(f"identification, {name}: {claim}, least", gap, found[name]))
    return rows


def _winning(found: dict[str, Scores]) -> list[Check]:
    rows = []
    for name in ("graph, own magnitudes", "clusters, own gaps"):
        scores, cell = found[name], CONDITIONS[name].cell
        low, high = _pooled(scores["cell"], scores[RANK])
        detail = f"95 % interval {low:+.3f} to {high:+.3f}, {_beside(scores)}; by construction: "
        detail += "the cell lies where the generator put the information"
        title = f"identification, {name}: cell {cell} - rank, lower end"
        rows.append(Check(title, low, "> 0", low > 0, detail))
    for name in ("graph, common magnitudes", "clusters, own gaps, correlation"):
        scores, cell = found[name], CONDITIONS[name].cell
        low, high = _pooled(scores["cell"], scores[RANK])
        detail = f"95 % interval {low:+.3f} to {high:+.3f}, {_beside(scores)}"
        title = f"identification, {name}: cell {cell} - rank, upper end"
        rows.append(Check(title, high, "< 0.02", high < 0.02, detail))
    scores = found["clusters, own gaps"]
    return [*rows, *_below("clusters, own gaps", scores, ("topology",))]


def _losing(found: dict[str, Scores]) -> list[Check]:
    rows = []
    for name in (
        "common clusters, own layout",
        "common clusters, own layout, correlation",
        "common sides, own magnitudes",
    ):
        rows += _below(name, found[name], ("topology", "local"))
    scale = found["scale alone"]
    ranked = (RANK, *CATEGORIES, GEODESIC)
    away = max(np.abs(scale[family].mean(axis=1) - CHANCE).max() for family in ranked)
    return [
        *rows,
        at_least(
            "identification, scale alone: raw RDM, least",
            scale[RAW].mean(axis=1).min(),
            0.8,
            _beside(scale),
        ),
        at_most("identification, scale alone: ranks from chance", away, 0.05, _beside(scale)),
    ]


def _optimism(seeds: Sequence[int]) -> list[Check]:
    planted = optimism(CONDITIONS["planted, noise 5"], seeds)
    noise = optimism(CONDITIONS["pure noise"], seeds)
    rows = []
    for name, scores in (("planted, noise 5", planted), ("pure noise", noise)):
        gap = (scores["un-nested"] - scores["nested"]).mean()
        rows.append(between(f"identification, {name}: optimism", gap, 0.0, 0.1, _beside(scores)))
    seem = sum(
        paired_difference_interval(best, rank)[0] > 0
        for best, rank in zip(noise["un-nested"], noise["rank"], strict=True)
    )
    false, _ = _pooled(noise["un-nested"], noise["rank"])
    low, high = _pooled(noise["nested"], noise["rank"])
    return [
        *rows,
        Check(
            "identification, pure noise: un-nested best cell - rank, lower end",
            false,
            "> 0",
            false > 0,
            f"pooled; in {seem} of {len(seeds)} seeds alone. A cell chosen so seems better than "
            "ranks where nothing is to be found: it is shown and never tested",
        ),
        Check(
            "identification, pure noise: nested best cell - rank",
            (noise["nested"] - noise["rank"]).mean(),
            "interval holds 0",
            low <= 0 <= high,
            f"95 % interval {low:+.3f} to {high:+.3f}, {_beside(noise)}",
        ),
        at_most(
            "identification, pure noise: nested best cell from chance",
            abs(noise["nested"].mean() - CHANCE),
            0.03,
            _beside(noise),
        ),
    ]


def _ranked(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks (m, n_pairs), subjects and labels of vectors (s, r, n_pairs)."""
    subjects, labels = np.indices(vectors.shape[:2]).reshape(2, -1)
    return normalised_ranks(vectors.reshape(len(subjects), -1)), subjects, labels


def _pooled(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """Interval of the mean difference over the subjects of all seeds."""
    return paired_difference_interval(one.ravel(), two.ravel())


def _above(title: str, gap: np.ndarray, scores: Scores) -> Check:
    """Claim a gap (n_seeds,) in every seed."""
    least = float(gap.min())
    return Check(title, least, f"> 0 in {len(gap)} of {len(gap)} seeds", least > 0, _beside(scores))


def _below(name: str, scores: Scores, families: Sequence[str]) -> list[Check]:
    """Claim that families are worse than ranks in every seed."""
    rank = scores[RANK].mean(axis=1)
    return [
        _above(
            f"identification, {name}: rank - {family}, least",
            rank - scores[family].mean(axis=1),
            scores,
        )
        for family in families
    ]


def _beside(scores: Scores) -> str:
    """List the mean accuracy of all families."""
    return ", ".join(f"{name} {values.mean():.3f}" for name, values in scores.items())
