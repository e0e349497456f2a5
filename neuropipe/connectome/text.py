"""Methods texts to paste, and the references they cite."""

from __future__ import annotations

from neuropipe.connectome.data import Animals
from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.recording import RecordingConnectome
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.prediction.text import PREDICTION_REFERENCES
from neuropipe.units import homologous_pairs

__all__ = ["REFERENCES", "group_methods", "recording_methods"]

REFERENCES = {
    "Cichocki2009": "Cichocki A, Phan AH (2009). Fast local algorithms for large scale nonnegative "
    "matrix and tensor factorizations. IEICE Trans Fundam E92-A:708-721.",
    "Dyballa2024": "Dyballa L, Lang S, Haslund-Gourley A, Yemini E, Zucker SW (2024). Learning "
    "dynamic representations of the functional connectome in neurobiological networks. ICLR 2024. "
    "arXiv:2402.14102.",
    "Hennig2007": "Hennig C (2007). Cluster-wise assessment of cluster stability. Comput Stat Data "
    "Anal 52:258-271.",
    "Karrer2011": "Karrer B, Newman MEJ (2011). Stochastic blockmodels and community structure in "
    "networks. Phys Rev E 83:016107.",
    "Maslov2002": "Maslov S, Sneppen K (2002). Specificity and stability in topology of protein "
    "networks. Science 296:910-913.",
    "Newman2004": "Newman MEJ (2004). Analysis of weighted networks. Phys Rev E 70:056131.",
    "Owen2009": "Owen AB, Perry PO (2009). Bi-cross-validation of the SVD and the nonnegative "
    "matrix factorization. Ann Appl Stat 3:564-594.",
    "Peixoto2014": "Peixoto TP (2014). Efficient Monte Carlo and greedy heuristic for the "
    "inference of stochastic block models. Phys Rev E 89:012804.",
    "Peixoto2014b": "Peixoto TP (2014). Hierarchical block structures and high-resolution model "
    "selection in large networks. Phys Rev X 4:011047.",
    "Peixoto2018": "Peixoto TP (2018). Nonparametric weighted stochastic block models. Phys Rev E "
    "97:012306.",
    "Phipson2010": PREDICTION_REFERENCES["Phipson2010"],
    "Traag2019": "Traag VA, Waltman L, van Eck NJ (2019). From Louvain to Leiden: guaranteeing "
    "well-connected communities. Sci Rep 9:5233.",
    "Westfall1993": "Westfall PH, Young SS (1993). Resampling-based multiple testing. Wiley.",
    "Williams2018": "Williams AH, Kim TH, Wang F, Vyas S, Ryu SI, Shenoy KV, Schnitzer M, Kolda "
    "TG, Ganguli S (2018). Unsupervised discovery of demixed, low-dimensional neural dynamics "
    "across multiple timescales through tensor component analysis. Neuron 98:1099-1115.",
}

_CLOCKS = {
    "shared": "Frame t is the same moment in all of them.",
    "events": "Windows about the events that all of them have were cut out and put into one order.",
    "own": "Each of them keeps its own time.",
}
_KINDS = {
    "geo": "the square root of the product of the sizes of their rates of change",
    "prod": "the product of the sizes of their rates of change",
    "min": "the smaller of the sizes of their rates of change",
}


def group_methods(animals: Animals, fit: ConnectomeFit, settings: ConnectomeSettings) -> str:
    """Methods text of a dataset's dynamic connectome.

    Parameters
    ----------
    animals : Animals
    fit : ConnectomeFit
    settings : ConnectomeSettings
    """
    parts = [
        _units(animals, settings),
        _affinity(animals, settings),
        _factorization(fit, settings),
        _rank(fit, animals.noun),
        _communities(fit, settings, animals.noun),
        _doubt(animals, fit, settings),
    ]
    if len(animals.events):
        parts.append(
            "Activity of each component inside and outside the events of each type was compared "
            "with circular shifts of its course, corrected over all components and types "
            "[Westfall1993]."
        )
    if len(homologous_pairs(animals.units)):
        parts.append(
            "How often left and right partners share a community of the whole run was compared "
            "with communities dealt out at random."
        )
    if settings.wiring:
        parts.append(
            "Affinities were correlated (Spearman, over pairs) with the synapse weights of a "
            f"wiring diagram, beside wirings in which every {animals.noun} keeps its number of "
            "partners [Maslov2002]."
        )
    return " ".join(parts)


def recording_methods(found: RecordingConnectome, noun: str, settings: ConnectomeSettings) -> str:
    """Methods text of one recording's share of a dataset's connectome.

    Parameters
    ----------
    found : RecordingConnectome
    noun : str
        What a unit is.
    settings : ConnectomeSettings
    """
    n = len(found.share)
    course = (
        "its own course of every component"
        if found.factors.own_clocks
        else "the components' courses times its weight of each"
    )
    corrected = found.blocks[0].degree_corrected
    return (
        f"The dynamic connectome [Dyballa2024] of the dataset ({n} recording{'s' * (n != 1)}, "
        f"{found.factors.rank} non-negative components of its {noun}-by-{noun} affinities) was "
        f"read for this recording, which has {int(found.presence.sum())} of the "
        f"{len(found.presence)} {noun}s: by {course}, affinities were averaged over "
        f"{len(found.windows)} equal stretches of its time, and what stands above the product of "
        f"the {noun}s' strengths [Newman2004], over its relative standard error, was partitioned "
        f"by {_block_model(corrected)} ({settings.communities.n_runs} runs, the shortest "
        "description)."
    )


def _units(animals: Animals, settings: ConnectomeSettings) -> str:
    n, n_units = animals.presence.shape
    n_subjects = len(set(animals.subjects))
    share = 100 * animals.presence.mean()
    text = (
        f"Traces of {n_units} {animals.noun}s in {n} recording{'s' * (n != 1)} of {n_subjects} "
        f"subject{'s' * (n_subjects != 1)} were brought together by name ({share:.0f} % of them "
        f"present in a recording on average, all in at least {100 * settings.min_presence:.3g} % "
        "of the recordings)."
    )
    if animals.merged:
        text += " Left and right partners were averaged."
    return text + (f" {_CLOCKS[animals.clock]}" if n > 1 else "")


def _affinity(animals: Animals, settings: ConnectomeSettings) -> str:
    chosen, rate = settings.affinity, animals.sampling_rate
    smoothed = f"smoothed (Gaussian, SD {chosen.smoothing:g} s), " * (chosen.smoothing * rate > 0.1)
    floor = f", lessened by {chosen.noise_floor:g} of these SDs" * (chosen.noise_floor > 0)
    cap = "" if chosen.cap is None else f" and cut at the {100 * chosen.cap:.4g} % quantile"
    text = (
        f"Each trace was {smoothed}differentiated, divided by the robust SD (1.4826 times the "
        f"median absolute deviation) of its rate of change{floor}{cap}. Two {animals.noun}s are as "
        f"alike at a moment as {_KINDS[chosen.kind]} where both change in the same direction, and "
        "not alike where they do not; that affinities rest on concurrent changes follows "
        "[Dyballa2024], the formula is ours."
    )
    if chosen.signed:
        text += " Changes in opposite directions made up a second set of affinities."
    if chosen.affinity_smoothing * rate >= 0.5:
        text += (
            f" Affinities were smoothed over time (Gaussian, SD {chosen.affinity_smoothing:g} s)."
        )
    return text


def _factorization(fit: ConnectomeFit, settings: ConnectomeSettings) -> str:
    source, chosen = fit.source, settings.factorization
    n_pairs = source.n_units * (source.n_units - 1) // 2
    shared = (
        "Recordings share the weights of pairs; each has its own course of every component. "
        if source.own_clocks
        else ""
    )
    return (
        f"The tensor of {n_pairs} pairs, {source.n_animals} recordings and {source.n_samples} "
        f"samples was factorised into {fit.factors.rank} non-negative components by hierarchical "
        f"alternating least squares [Cichocki2009]. {shared}A pair that a recording lacks is left "
        f"out of the squared error: nothing is imputed. Of {chosen.n_restarts} random starts (at "
        f"most {chosen.max_iterations} iterations; relative tolerance {chosen.tolerance:g}) the "
        "one with the least error was kept."
    )


def _rank(fit: ConnectomeFit, noun: str) -> str:
    table = fit.ranks
    if table is None:
        return "Their number was given."
    by_time = fit.source.own_clocks or fit.source.n_animals < 3
    hidden = (
        "components fitted to alternate blocks of time told the other blocks' pairs from half of "
        f"the {noun}s there [Owen2009]"
        if by_time
        else f"a tenth of the {noun}s of each recording was hidden"
    )
    return (
        f"Their number was chosen among {', '.join(str(rank) for rank in table.ranks)}: of those "
        f"within one standard error of the least error of held-out affinities ({hidden}; "
        f"{table.held_out.shape[1]} folds) the one at the knee of factor variance or the next "
        "above it, else the largest; where several remain, the first whose starts agree to 0.7 "
        f"[Williams2018]. {table.reason[0].upper()}{table.reason[1:]}."
    )


def _block_model(corrected: bool) -> str:
    form = "with degree correction [Karrer2011]" if corrected else "without degree correction"
    return f"a stochastic block model with exponential weights [Peixoto2018], {form}"


def _communities(fit: ConnectomeFit, settings: ConnectomeSettings, noun: str) -> str:
    where = (
        "over all samples and recordings"
        if len(fit.windows) == 1
        else f"over the samples of each of {len(fit.windows)} windows (events by type, and equal "
        "stretches of time) and over recordings"
    )
    how = {
        "held-out": "chosen by what predicts left-out pairs better",
        "on": "set beforehand",
        "off": "set beforehand",
    }[settings.communities.degree_correction]
    return (
        f"Communities: the components' affinities were averaged {where}; what stands above the "
        f"product of the {noun}s' strengths [Newman2004], divided by its relative standard error, "
        f"was partitioned by {_block_model(fit.degree_corrected)} ({how}), the shortest of "
        f"{settings.communities.n_runs} descriptions by merges and moves [Peixoto2014], and its "
        "blocks by block models of theirs [Peixoto2014b]. The partitions of the best "
        f"{min(5, len(fit.errors))} starts were compared with their median partition [Traag2019] "
        f"[Hennig2007]. Motifs are blocks of single components with three {noun}s or more whose "
        "members are at least twice as alike as they are to others."
    )


def _doubt(animals: Animals, fit: ConnectomeFit, settings: ConnectomeSettings) -> str:
    n_shifts, n_draws = len(fit.shifts.shifts), len(fit.bootstrap.units)
    text = (
        f"All was compared with {n_shifts} data sets in which every trace was shifted circularly "
        "by a lag of its own, at least 10 s or a quarter of the recording, whichever is less; each "
        "was refitted from 2 starts of 60 iterations, and so were the data for it. A component's "
        "blocks count as motifs where the nats that they save beside one block are more than the "
        f"largest of a component in the shifts, p at most {settings.alpha:g}, the data counted as "
        "one of the shifts [Phipson2010]."
    )
    few = fit.source.n_animals < 3
    if n_draws:
        drawn = "twelfths of the time" if few else "recordings"
        text += (
            f" Stability is the mean Jaccard index of the {animals.noun}s that share a block with "
            f"one in the data and in {n_draws} refits on {drawn} drawn with replacement."
        )
    if fit.source.n_animals > 1:
        text += (
            " What components explain of a recording is the share of its squared affinities, by "
            "components of other recordings (at most 5 folds), beside one component and beside "
            "circularly shifted traces of the recording."
        )
    halved = "recordings" if fit.halves.what == "animals" else fit.halves.what
    return text + (
        f" Likeness of halves (of the {halved}, 3 splits) is the mean cosine of matched "
        f"components' graphs, beside shuffled {animals.noun}s."
    )
