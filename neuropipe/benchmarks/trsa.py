"""RDMs, transforms, selection and searchlights beside their peers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib import import_module
from typing import Any

import numpy as np

from neuropipe.benchmarks import geometry
from neuropipe.benchmarks.table import BenchmarkRow, alone, compare, timed
from neuropipe.benchmarks.trsa_inference import bootstrap_rows
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.estimation.neighbourhoods import neighbourhoods
from neuropipe.trsa.estimation.searchlight import searchlight
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.topology.geodesic import geodesic
from neuropipe.trsa.topology.grid import cells
from neuropipe.trsa.topology.selection import grid_accuracy
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

__all__ = ["Crossnobis", "Items", "Spheres", "run"]

_CELL = (0.0, 0.3)


@dataclass(frozen=True)
class Crossnobis:
    """Patterns whose crossnobis RDM is estimated.

    Parameters
    ----------
    n_conditions, n_folds, n_channels : int
    n_residuals : int
        Of which the noise covariance is estimated; 0: distances are not whitened.
    """

    n_conditions: int = 200
    n_folds: int = 8
    n_channels: int = 1000
    n_residuals: int = 0

    @property
    def words(self) -> str:
        """Sizes."""
        return f"n={self.n_conditions}, R={self.n_folds}, P={self.n_channels}"

    def values(self) -> np.ndarray:
        """Patterns (n_folds, n_conditions, n_channels)."""
        rng = np.random.default_rng(0)
        signal = rng.standard_normal((self.n_conditions, self.n_channels))
        noise = rng.standard_normal((self.n_folds, self.n_conditions, self.n_channels))
        return signal + noise

    def residuals(self) -> np.ndarray:
        """Residuals (n_residuals, n_channels) of correlated channels."""
        rng = np.random.default_rng(1)
        white = rng.standard_normal((self.n_residuals, self.n_channels))
        return white + rng.standard_normal((self.n_residuals, 1))

    def patterns(self) -> Patterns:
        """The same, as ours takes them."""
        values = self.values()
        return Patterns(
            values=values,
            conditions=tuple(f"c{k:04d}" for k in range(self.n_conditions)),
            channels=tuple(map(str, range(self.n_channels))),
            folds=tuple(map(str, range(self.n_folds))),
            n_trials=np.ones(values.shape[:2], dtype=int),
        )

    def dataset(self) -> Any:
        """The same, as rsatoolbox takes them."""
        dataset: Any = import_module("rsatoolbox.data").Dataset
        return dataset(
            self.values().reshape(-1, self.n_channels),
            obs_descriptors={
                "condition": np.tile(np.arange(self.n_conditions), self.n_folds),
                "fold": np.repeat(np.arange(self.n_folds), self.n_conditions),
            },
        )

    def ours(self, patterns: Patterns, residuals: np.ndarray | None) -> np.ndarray:
        """Estimate our way, shape (n_pairs,)."""
        noise = None if residuals is None else Noise.of_residuals(residuals)
        found = estimate(replace(patterns, noise=noise), "crossnobis")
        return np.asarray(found.dissimilarities[0])

    def theirs(self, dataset: Any, residuals: np.ndarray | None) -> np.ndarray:
        """Estimate rsatoolbox's way, shape (n_pairs,)."""
        rdm, data = import_module("rsatoolbox.rdm"), import_module("rsatoolbox.data")
        precision = None
        if residuals is not None:
            precision = data.noise.prec_from_residuals(residuals, method="shrinkage_diag")
        found = rdm.calc_rdm(
            dataset, "crossnobis", "condition", noise=precision, cv_descriptor="fold"
        )
        return np.asarray(found.dissimilarities[0])


@dataclass(frozen=True)
class Items:
    """RDMs of regions in several subjects.

    Parameters
    ----------
    n_subjects, n_regions, n_conditions : int
    step : float
        Of the grid of thresholds.
    """

    n_subjects: int = 30
    n_regions: int = 8
    n_conditions: int = 62
    step: float = 0.05

    @property
    def words(self) -> str:
        """Sizes."""
        return f"{self.n_subjects * self.n_regions} RDMs, n={self.n_conditions}"

    @cached_property
    def dissimilarities(self) -> np.ndarray:
        """RDMs (n_subjects n_regions, n_pairs), positive, without ties."""
        rng = np.random.default_rng(0)
        n_pairs = self.n_conditions * (self.n_conditions - 1) // 2
        regions = rng.random((self.n_regions, n_pairs))
        own = rng.random((self.n_subjects, self.n_regions, n_pairs))
        return 0.1 + (regions + 2 * own).reshape(-1, n_pairs)

    @cached_property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Subject and region of every RDM."""
        places = np.indices((self.n_subjects, self.n_regions)).reshape(2, -1)
        return places[0], places[1]

    def grid(self) -> np.ndarray:
        """Accuracy of every cell, (k, s), our way; ranks included."""
        return grid_accuracy(normalised_ranks(self.dissimilarities), *self.labels, cells(self.step))

    def plain_grid(self) -> np.ndarray:
        """The same by scikit-learn's nearest centroids, cell by cell."""
        from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
        from sklearn.neighbors import NearestCentroid

        subject, region = self.labels
        accuracy = []
        for lower, upper in cells(self.step):
            values = geotopological(self.dissimilarities, lower, upper)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pairs that are 1 in all RDMs of a region
                named = cross_val_predict(
                    NearestCentroid(), values, region, groups=subject, cv=LeaveOneGroupOut()
                )
            accuracy.append((named == region).reshape(self.n_subjects, -1).mean(axis=1))
        return np.array(accuracy)

    def paths(self) -> np.ndarray:
        """Geodesic distances, (m, n_pairs), our way."""
        return geodesic(self.dissimilarities, *_CELL).distances

    def networkx_paths(self) -> np.ndarray:
        """The same by networkx's Dijkstra, graph by graph, an edge at a time."""
        import networkx as nx

        near = geotopological(self.dissimilarities, *_CELL)
        n = self.n_conditions
        rows, columns = np.triu_indices(n, 1)
        found = []
        for weights in near:
            graph = nx.Graph()
            graph.add_nodes_from(range(n))
            kept = np.flatnonzero(weights < 1)
            graph.add_weighted_edges_from(
                zip(rows[kept], columns[kept], weights[kept], strict=True)
            )
            matrix = np.full((n, n), np.inf)
            for source, lengths in nx.all_pairs_dijkstra_path_length(graph):
                matrix[source, list(lengths)] = list(lengths.values())
            matrix[np.isinf(matrix)] = matrix[np.isfinite(matrix)].max()
            found.append(matrix[rows, columns])
        return np.array(found)

    def joint_transform(self) -> np.ndarray:
        """Geo-topological transform of rsatoolbox 0.3.2, which is another one."""
        rdms = import_module("rsatoolbox.rdm").RDMs(self.dissimilarities)
        transform = import_module("rsatoolbox.rdm.transform").geotopological_transform
        return np.asarray(transform(rdms, *_CELL).dissimilarities)


@dataclass(frozen=True)
class Spheres:
    """A volume in which a searchlight runs.

    Parameters
    ----------
    side : int
        Voxels, of 1 mm.
    n_conditions, n_folds : int
    radius : float
        In mm.
    """

    side: int = 14
    n_conditions: int = 8
    n_folds: int = 4
    radius: float = 2.0

    @property
    def words(self) -> str:
        """Sizes."""
        sizes = f"{self.side**3} voxels, radius {self.radius:g}"
        return f"{sizes}, n={self.n_conditions}, R={self.n_folds}"

    def values(self) -> np.ndarray:
        """Patterns (n_folds, n_conditions, n_voxels)."""
        shape = (self.n_folds, self.n_conditions, self.side**3)
        return np.random.default_rng(0).standard_normal(shape)

    def places(self) -> np.ndarray:
        """Positions (n_voxels, 3)."""
        return np.indices((self.side,) * 3).reshape(3, -1).T.astype(float)

    def ours(self, measure: str) -> np.ndarray:
        """RDMs (n_centres, n_pairs), neighbourhoods included."""
        names = [str(k) for k in range(self.n_conditions)]
        found = searchlight(
            self.values(), self.places(), self.radius, names, measure=measure, min_share=1.0
        )
        return found.dissimilarities

    def theirs(self, measure: str) -> np.ndarray:
        """RDMs by rsatoolbox at the same neighbourhoods, which it is given.

        Its searchlight knows no folds: crossnobis takes a list of data sets, as it makes itself.
        """
        near = neighbourhoods(self.places(), self.radius, min_share=1.0)
        members = list(near.members(np.arange(len(near.centres))))
        trials = self.values().reshape(-1, self.side**3)
        condition = np.tile(np.arange(self.n_conditions), self.n_folds)
        if measure == "correlation":
            peer = import_module("rsatoolbox.util.searchlight")
            found = peer.get_searchlight_RDMs(
                trials, near.centres, members, condition, method=measure, verbose=False
            )
            return np.asarray(found.dissimilarities)
        dataset: Any = import_module("rsatoolbox.data").Dataset
        folds = np.repeat(np.arange(self.n_folds), self.n_conditions)
        about = {"condition": condition, "fold": folds}
        spheres = [dataset(trials[:, one], obs_descriptors=about) for one in members]
        calc_rdm = import_module("rsatoolbox.rdm").calc_rdm
        found = calc_rdm(spheres, measure, "condition", cv_descriptor="fold")
        return np.asarray(found.dissimilarities)


def run(repeats: int = 5, quick: bool = False) -> list[BenchmarkRow]:
    """Time RDMs, model comparison and topology beside their peers, and what the geometry costs.

    Parameters
    ----------
    repeats : int
        Pairs of timed calls of short tasks; long ones have one.
    quick : bool
        Sizes that take seconds and say nothing about speed.

    Returns
    -------
    list of BenchmarkRow
        Beside rsatoolbox, scikit-learn and networkx. Where both sides give the same numbers the
        task tells the largest difference.
    """
    return [
        *_estimation(repeats, quick),
        *bootstrap_rows(quick, repeats=min(repeats, 3)),
        *_topology(repeats, quick),
        *geometry.run(quick=quick),
    ]


def _estimation(repeats: int, quick: bool) -> Iterator[BenchmarkRow]:
    small = Crossnobis(20, 3, 30) if quick else Crossnobis()
    large = Crossnobis(30, 3, 50) if quick else Crossnobis(1000, 10, 10_000)
    white = replace(small, n_residuals=50 if quick else 2000)
    yield _crossnobis(small, repeats, "no whitening")
    yield _crossnobis(white, min(repeats, 3), f"noise covariance of {white.n_residuals} residuals")
    yield _crossnobis(large, 1, "no whitening")
    spheres = Spheres(side=5) if quick else Spheres()
    yield _searchlight(spheres, "correlation", "get_searchlight_RDMs", min(repeats, 3))
    yield _searchlight(spheres, "crossnobis", "calc_rdm of a list", 1)
    wide = Crossnobis(20, 8, 500 if quick else 100_000, n_residuals=240)
    yield alone(
        f"noise of 240 residuals and crossnobis: {wide.words} ({8 * wide.n_channels**2 / 1e9:.0f} "
        "GB a covariance)",
        partial(_wide, wide),
        memory=not quick,
    )


def _crossnobis(case: Crossnobis, repeats: int, words: str) -> BenchmarkRow:
    residuals = case.residuals() if case.n_residuals else None
    patterns, dataset = case.patterns(), case.dataset()
    ours = partial(case.ours, patterns, residuals)
    theirs = partial(case.theirs, dataset, residuals)
    difference = np.abs(ours() - theirs()).max()
    task = f"crossnobis, {words}: {case.words}; largest difference {difference:.0e}"
    return compare(task, "rsatoolbox calc_rdm", ours, theirs, repeats=repeats, memory=False)


def _searchlight(case: Spheres, measure: str, peer: str, repeats: int) -> BenchmarkRow:
    ours, theirs = partial(case.ours, measure), partial(case.theirs, measure)
    difference = np.abs(ours() - theirs()).max()
    task = f"searchlight, {measure}: {case.words}; largest difference {difference:.0e}"
    peer = f"rsatoolbox {peer}, neighbourhoods given"
    return compare(task, peer, ours, theirs, repeats=repeats, memory=False)


def _wide(case: Crossnobis) -> None:
    case.ours(case.patterns(), case.residuals())


def _topology(repeats: int, quick: bool) -> Iterator[BenchmarkRow]:
    case = Items(4, 3, 10, 0.25) if quick else Items()
    yield _grid(case)
    difference = np.abs(case.paths() - case.networkx_paths()).max()
    yield compare(
        f"geodesics {_CELL}: {case.words}; largest difference {difference:.0e}",
        "networkx Dijkstra",
        case.paths,
        case.networkx_paths,
        repeats=min(repeats, 3),
        memory=False,
    )
    yield compare(
        f"geo-topological transform {_CELL}: {case.words}",
        "rsatoolbox geotopological_transform: no ranks, joint quantiles, other numbers",
        partial(geotopological, case.dissimilarities, *_CELL),
        case.joint_transform,
        repeats=repeats,
        memory=False,
    )


def _grid(case: Items) -> BenchmarkRow:
    """Time the grid once on each side: the plain loop takes minutes."""
    case.grid()
    found: list[np.ndarray] = []
    wall, cpu = timed(lambda: found.append(case.grid()))
    peer_wall, peer_cpu = timed(lambda: found.append(case.plain_grid()))
    ours, plain = found
    return replace(
        alone(
            f"{len(ours)} cells, leave one subject out: {case.words}; {(ours == plain).mean():.1%} "
            "of accuracies equal",
            case.grid,
            memory=False,
        ),
        peer="scikit-learn NearestCentroid, cell by cell",
        ours=wall,
        ours_cpu=cpu,
        theirs=peer_wall,
        theirs_cpu=peer_cpu,
        ratio=wall / peer_wall,
        ratio_low=wall / peer_wall,
        ratio_high=wall / peer_wall,
    )
