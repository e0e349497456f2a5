"""The connectome of all animals: rank, factors, communities, motifs, and what they stand beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectome.communities.choice import choose_form, drop_small
from neuropipe.connectome.communities.consensus import Consensus, consensus
from neuropipe.connectome.communities.nested import Hierarchy, nest_blocks
from neuropipe.connectome.communities.search import Blocks
from neuropipe.connectome.data import Animals
from neuropipe.connectome.factorization import Factors
from neuropipe.connectome.motifs import Motif, find_motifs
from neuropipe.connectome.nulls import ShiftTest, shift_test
from neuropipe.connectome.rank import RankTable, rank_table
from neuropipe.connectome.readings import (
    Window,
    event_windows,
    read_windows,
    time_windows,
    window_graph,
)
from neuropipe.connectome.restarts import fit_starts, restart_similarity
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.connectome.stability import (
    Bootstrap,
    Explained,
    SplitHalf,
    bootstrap,
    explained,
    split_half,
)
from neuropipe.connectome.tensor import TensorSource, tensor_source

_RUNS = 3  # of block models that are compared or averaged
_WINDOWS_TO_CHOOSE = 3
_STARTS_TO_COMPARE = 5

__all__ = ["ConnectomeFit", "fit_connectome", "source_of"]


@dataclass(frozen=True)
class ConnectomeFit:
    """All that is known of a dataset's dynamic connectome.

    Parameters
    ----------
    source : TensorSource
    factors : Factors
        Of the start with the least error.
    errors : array of shape (n_starts,)
        Relative squared errors of all starts, ascending.
    similarity : array of shape (n_starts, n_starts)
        Of the starts' components; see `restarts.restart_similarity`.
    ranks : RankTable or None
        None with a given rank.
    windows : list of Window
        Event types, then stretches of time; one window, the whole, with clocks of their own.
    blocks : list of Blocks
        Communities of every window.
    hierarchies : list of Hierarchy
        Blocks of blocks of every window.
    agreement : list of Consensus
        Of the communities that the best starts lead to, of every window.
    degree_corrected : bool
        The form of all block models.
    motifs : list of Motif
    component_blocks : list of Blocks
        Communities of every component.
    shifts : ShiftTest
        Its windows and components are those of its own short fits.
    component_p_values : array of shape (rank,)
        Of each component beside the largest of every shift.
    bootstrap : Bootstrap
    halves : SplitHalf
    explained : Explained
    """

    source: TensorSource
    factors: Factors
    errors: np.ndarray
    similarity: np.ndarray
    ranks: RankTable | None
    windows: list[Window]
    blocks: list[Blocks]
    hierarchies: list[Hierarchy]
    agreement: list[Consensus]
    degree_corrected: bool
    motifs: list[Motif]
    component_blocks: list[Blocks]
    shifts: ShiftTest
    component_p_values: np.ndarray
    bootstrap: Bootstrap
    halves: SplitHalf
    explained: Explained

    def is_motif(self, motif: Motif, alpha: float) -> bool:
        """Whether the motif's component saves more than the circular shifts'."""
        return bool(self.component_p_values[motif.component] <= alpha)


def source_of(animals: Animals, settings: ConnectomeSettings) -> TensorSource:
    """Lay out the tensor of a dataset's animals."""
    return tensor_source(
        animals.traces,
        animals.presence,
        animals.sampling_rate,
        settings.affinity,
        settings.factorization,
        segments=animals.segments,
        lengths=animals.lengths,
        own_clocks=animals.clock == "own",
    )


def fit_connectome(animals: Animals, settings: ConnectomeSettings) -> ConnectomeFit:
    """Factorise, read communities, and measure what they are worth.

    Parameters
    ----------
    animals : Animals
    settings : ConnectomeSettings
    """
    source, seed = source_of(animals, settings), settings.seed
    chosen = settings.factorization
    ranks = None
    if chosen.rank == "auto":
        ranks = rank_table(source, chosen.ranks, seed=seed)
    rank = ranks.chosen if ranks is not None else int(chosen.rank)
    starts = fit_starts(
        source,
        rank,
        chosen.n_restarts,
        max_iterations=chosen.max_iterations,
        tolerance=chosen.tolerance,
        seed=seed,
    )
    factors, n_units = starts[0], source.n_units
    windows = _windows(animals, source, settings)
    graphs = _window_graphs(factors, n_units, windows, settings)
    degree_corrected = choose_form(
        graphs[:_WINDOWS_TO_CHOOSE],
        settings.communities.degree_correction,
        n_runs=_RUNS,
        seed=seed,
    )
    blocks = read_windows(
        factors,
        factors.coactivity(),
        n_units,
        windows,
        degree_corrected=degree_corrected,
        n_runs=settings.communities.n_runs,
        min_weight=settings.communities.min_weight,
        seed=seed,
    )
    motifs, partitions = find_motifs(
        factors,
        n_units,
        degree_corrected=degree_corrected,
        n_runs=settings.communities.n_runs,
        min_weight=settings.communities.min_weight,
        seed=seed,
    )
    shifts = shift_test(
        source,
        rank,
        windows,
        n_shifts=settings.n_shifts,
        min_weight=settings.communities.min_weight,
        seed=seed,
    )
    labels = np.array([one.labels for one in blocks])
    return ConnectomeFit(
        source=source,
        factors=factors,
        errors=np.array([one.error for one in starts]),
        similarity=restart_similarity(starts),
        ranks=ranks,
        windows=windows,
        blocks=blocks,
        hierarchies=[
            nest_blocks(graph, one, seed=seed) for graph, one in zip(graphs, blocks, strict=True)
        ],
        agreement=_over_starts(starts, n_units, windows, settings, degree_corrected),
        degree_corrected=degree_corrected,
        motifs=motifs,
        component_blocks=partitions,
        shifts=shifts,
        component_p_values=shifts.component_p_values(factors, n_units),
        bootstrap=bootstrap(
            source,
            factors,
            windows,
            labels,
            np.array([one.labels for one in partitions]),
            n_draws=settings.n_bootstrap,
            min_weight=settings.communities.min_weight,
            seed=seed,
        ),
        halves=split_half(source, rank, seed=seed),
        explained=explained(source, factors, seed=seed),
    )


def _windows(animals: Animals, source: TensorSource, settings: ConnectomeSettings) -> list[Window]:
    if source.own_clocks:
        return [Window("all", np.ones(source.n_samples, dtype=bool))]
    return [
        *event_windows(animals.events, source.frames),
        *time_windows(source.frames, source.sampling_rate, settings.n_windows),
    ]


def _window_graphs(
    factors: Factors, n_units: int, windows: list[Window], settings: ConnectomeSettings
) -> list[np.ndarray]:
    activity = factors.coactivity()
    least = settings.communities.min_weight
    return [drop_small(window_graph(factors, activity, n_units, one), least) for one in windows]


def _over_starts(
    starts: list[Factors],
    n_units: int,
    windows: list[Window],
    settings: ConnectomeSettings,
    degree_corrected: bool,
) -> list[Consensus]:
    """Agreement of the communities that the best starts lead to."""
    read = [
        read_windows(
            one,
            one.coactivity(),
            n_units,
            windows,
            degree_corrected=degree_corrected,
            n_runs=_RUNS,
            min_weight=settings.communities.min_weight,
            seed=settings.seed,
        )
        for one in starts[:_STARTS_TO_COMPARE]
    ]
    return [consensus(np.array([blocks[k].labels for blocks in read])) for k in range(len(windows))]
