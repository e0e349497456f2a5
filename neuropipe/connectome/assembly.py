"""What is read from a dataset's fit: the whole run, events, pairs, whom to silence, wiring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.connectome.atlas import event_atlas
from neuropipe.connectome.communities.choice import drop_small
from neuropipe.connectome.communities.search import Blocks, fit_blocks
from neuropipe.connectome.data import Animals
from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.motif_table import motif_table
from neuropipe.connectome.readings import Window, component_graphs, window_graph
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.connectome.silencing import silencing_ranking
from neuropipe.connectome.wiring import WiringComparison, compare_with_wiring, merge_wiring
from neuropipe.stats.communities import louvain
from neuropipe.stats.connectivity_matrices import mean_correlation
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.units import homologous_pairs

__all__ = [
    "Assembly",
    "PairTest",
    "Static",
    "assemble",
    "static_reading",
    "tensor_events",
    "tensor_lengths",
]

_N_SHUFFLES = 999
_MOST_TYPES = 100  # types of events in the atlas: beyond, no correction leaves anything


@dataclass(frozen=True)
class PairTest:
    """Left/right pairs within communities, beside communities dealt out at random.

    Parameters
    ----------
    share : float
        Of the pairs whose units are in one community.
    static_share : float
        The same of Louvain's communities of the static correlation.
    null : array of shape (n_shuffles,)
    n_pairs : int
    """

    share: float
    static_share: float
    null: np.ndarray
    n_pairs: int

    @property
    def p_value(self) -> float:
        """One-sided."""
        return float(permutation_p_value(self.share, self.null))


@dataclass(frozen=True)
class Static:
    """What the simplest method says: mean correlation over the run, communities by Louvain.

    Parameters
    ----------
    labels : array of int of shape (n_units,)
    wiring : WiringComparison or None
        Its null is not drawn.
    """

    labels: np.ndarray
    wiring: WiringComparison | None


@dataclass(frozen=True)
class Assembly:
    """What is read from a fit.

    Parameters
    ----------
    graph : array of shape (n_units, n_units)
        Affinity above expectation over the whole run.
    blocks : Blocks
        Its communities.
    motifs : pandas.DataFrame
        See `motif_table.motif_table`.
    atlas : pandas.DataFrame
        See `atlas.event_atlas`; no rows without events.
    silencing : pandas.DataFrame
        See `silencing.silencing_ranking`, over all motifs, with the column ``motif``; no rows
        without motifs.
    homologues : PairTest or None
        None where no left/right pairs are known.
    wiring : WiringComparison or None
    static_wiring : WiringComparison or None
        See `Static`.
    """

    graph: np.ndarray
    blocks: Blocks
    motifs: pd.DataFrame
    atlas: pd.DataFrame
    silencing: pd.DataFrame
    homologues: PairTest | None
    wiring: WiringComparison | None
    static_wiring: WiringComparison | None


def assemble(
    animals: Animals,
    fit: ConnectomeFit,
    static: Static,
    settings: ConnectomeSettings,
    wiring: pd.DataFrame | None = None,
) -> Assembly:
    """Read a fit.

    Parameters
    ----------
    animals : Animals
    fit : ConnectomeFit
    static : Static
        See `static_reading`.
    settings : ConnectomeSettings
    wiring : pandas.DataFrame, optional
        See `wiring_files.read_wiring`.

    Raises
    ------
    UnfitRecordingError
        If the wiring shares too few units with the animals.
    """
    everything = Window("all", np.ones(fit.source.n_samples, dtype=bool))
    graph = window_graph(fit.factors, fit.factors.coactivity(), fit.source.n_units, everything)
    blocks = fit_blocks(
        drop_small(graph, settings.communities.min_weight),
        degree_corrected=fit.degree_corrected,
        n_runs=settings.communities.n_runs,
        seed=settings.seed,
    )
    motifs = motif_table(animals, fit, settings.alpha)
    return Assembly(
        graph=graph,
        blocks=blocks,
        motifs=motifs,
        atlas=_event_atlas(animals, fit, settings.seed),
        silencing=_silencing(animals, fit, motifs),
        homologues=_pair_test(animals, blocks.labels, static.labels, settings.seed),
        wiring=_compared(animals, graph, blocks.labels, wiring, _N_SHUFFLES, settings.seed),
        static_wiring=static.wiring,
    )


def _compared(
    animals: Animals,
    affinity: np.ndarray,
    labels: np.ndarray,
    wiring: pd.DataFrame | None,
    n_shuffles: int,
    seed: int,
) -> WiringComparison | None:
    """Compare with the wiring of the animals' units, merged where they are; None without any."""
    if wiring is None:
        return None
    return compare_with_wiring(
        affinity,
        animals.names,
        merge_wiring(wiring, animals.merged),
        n_shuffles=n_shuffles,
        seed=seed,
        communities=labels,
    )


def static_reading(animals: Animals, wiring: pd.DataFrame | None = None, *, seed: int) -> Static:
    """Read the same from the static correlation, which takes no fit.

    Parameters
    ----------
    animals : Animals
    wiring : pandas.DataFrame, optional
    seed : int

    Raises
    ------
    UnfitRecordingError
        If the wiring shares too few units with the animals.
    """
    correlation = _static_correlation(animals)
    labels = louvain(correlation, seed=seed)
    return Static(labels, _compared(animals, correlation, labels, wiring, 1, seed))


def tensor_events(animals: Animals, frames: np.ndarray) -> pd.DataFrame:
    """Events on the samples of the tensor.

    Parameters
    ----------
    animals : Animals
        Their events are in frames of the traces.
    frames : array of shape (n_samples,)
        Frame of each sample; see `tensor.TensorSource.frames`.
    """
    at = {name: np.searchsorted(frames, animals.events[name]) for name in ("start", "stop")}
    return animals.events.assign(**at)


def tensor_lengths(fit: ConnectomeFit) -> np.ndarray:
    """Samples of the tensor in use of each animal, (n_animals,)."""
    lengths = fit.source.lengths
    return np.asarray(np.searchsorted(fit.source.frames, lengths)).astype(int)


def _event_atlas(animals: Animals, fit: ConnectomeFit, seed: int) -> pd.DataFrame:
    if not 0 < animals.events["trial_type"].nunique() <= _MOST_TYPES:
        return pd.DataFrame()
    events = tensor_events(animals, fit.source.frames)
    if not fit.source.own_clocks:
        return event_atlas(fit.factors.times, events)
    return event_atlas(
        fit.factors.times,
        events,
        recordings=animals.recordings,
        lengths=tensor_lengths(fit),
        seed=seed,
    )


def _silencing(animals: Animals, fit: ConnectomeFit, motifs: pd.DataFrame) -> pd.DataFrame:
    """Rank the members of all motifs by the affinity that they give to theirs, over the run."""
    graphs = component_graphs(fit.factors, fit.source.n_units)
    level = fit.factors.coactivity().mean(axis=(0, 1))
    place = {name: k for k, name in enumerate(animals.names)}
    tables = []
    for number, row in motifs[motifs["is_motif"]].iterrows():
        labels = np.full(len(animals.names), -1)
        labels[[place[name] for name in row["members"]]] = number
        graph = graphs[row["component"]] * level[row["component"]]
        tables.append(silencing_ranking(graph, labels, animals.names).assign(motif=row["motif"]))
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables).sort_values("strength", ascending=False, kind="stable")
    return table.assign(rank=np.arange(1, len(table) + 1)).reset_index(drop=True)


def _static_correlation(animals: Animals) -> np.ndarray:
    """Mean over the animals that have both units; each over its own length."""
    total = sum(
        mean_correlation(traces[None, :, :length])
        for traces, length in zip(animals.traces, animals.lengths, strict=True)
    )
    count = animals.presence.T.astype(float) @ animals.presence
    return np.asarray(total / np.maximum(count, 1))


def _pair_test(
    animals: Animals, labels: np.ndarray, static_labels: np.ndarray, seed: int
) -> PairTest | None:
    pairs = homologous_pairs(animals.units)
    if not len(pairs):
        return None
    rng = np.random.default_rng(seed)
    null = [_share_together(rng.permutation(labels), pairs) for _ in range(_N_SHUFFLES)]
    return PairTest(
        share=_share_together(labels, pairs),
        static_share=_share_together(static_labels, pairs),
        null=np.array(null),
        n_pairs=len(pairs),
    )


def _share_together(labels: np.ndarray, pairs: np.ndarray) -> float:
    return float((labels[pairs[:, 0]] == labels[pairs[:, 1]]).mean())
