"""The numbers of a dataset's connectome: each beside a baseline, chance and an interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropipe.connectome.assembly import Assembly
from neuropipe.connectome.data import Animals
from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.results import Metric, Verdict, finite
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.resampling import (
    Interval,
    bootstrap_interval,
    paired_difference_interval,
    percentile_interval,
)

__all__ = ["group_facts", "group_metrics", "group_warnings"]

_AGREE = 0.7  # similarity from which random starts count as finding the same components
_CLOCKS = {
    "shared": "shared by all recordings",
    "events": "windows about common events",
    "own": "each recording its own",
}


def group_metrics(
    animals: Animals, fit: ConnectomeFit, found: Assembly, settings: ConnectomeSettings
) -> list[Metric]:
    """Fit, communities and motifs beside shifts; what carries over to other animals; structure.

    Parameters
    ----------
    animals : Animals
    fit : ConnectomeFit
    found : Assembly
    settings : ConnectomeSettings
    """
    return [
        *_beside_shifts(fit, found, settings),
        *_carried_over(animals, fit, settings),
        *_stability(fit, settings),
        *_events(found, settings),
        *_structure(found, settings),
    ]


def _beside_shifts(
    fit: ConnectomeFit, found: Assembly, settings: ConnectomeSettings
) -> list[Metric]:
    data, shifts = fit.shifts.data, fit.shifts.shifts
    bounds = f"good when p is at most {settings.alpha:g}, else doubtful"
    n_motifs = int(found.motifs["is_motif"].sum())
    return [
        Metric(
            name="motifs",
            value=float(n_motifs),
            description="Blocks whose members are at least twice as alike as they are to others, "
            "in components whose blocks save more nats than in circularly shifted traces; the "
            "baseline counts those of all components.",
            baseline=float(len(found.motifs)),
            baseline_name="without the test",
            n=fit.factors.rank,
            seed=settings.seed,
        ),
        Metric(
            name="affinity explained",
            value=100 * data.fit,
            unit="%",
            description="Share of the squared affinities that the components explain; higher is "
            "better, and only what stands above chance is shared by units. "
            f"{_p_words(fit.shifts.fit_p_value, len(shifts))}, the data fitted as briefly.",
            better="higher",
            chance=100 * float(np.mean([one.fit for one in shifts])),
            n=fit.source.n_animals,
            seed=settings.seed,
            verdict=_verdict(fit.shifts.fit_p_value, len(shifts), settings.alpha),
            bounds=bounds,
        ),
        Metric(
            name="gain of communities",
            value=float(data.window_gains.max()),
            unit="nat",
            description="What communities save of the description of the best window's "
            "affinities beside one block for all units; higher is clearer. "
            f"{_p_words(fit.shifts.gain_p_value, len(shifts))}, each its own best window.",
            better="higher",
            baseline=0.0,
            baseline_name="one block",
            chance=float(fit.shifts.largest_window_gains.mean()),
            n=len(fit.windows),
            seed=settings.seed,
            verdict=_verdict(fit.shifts.gain_p_value, len(shifts), settings.alpha),
            bounds=bounds,
        ),
    ]


def _p_words(p_value: float, n_shifts: int) -> str:
    return f"p = {p_value:.2g} against {n_shifts} circular shifts"


def _verdict(p_value: float, n_draws: int, alpha: float) -> Verdict | None:
    """None where even the most extreme of so few draws would not reach `alpha`."""
    if 1 / (n_draws + 1) > alpha:
        return None
    return "good" if p_value <= alpha else "doubtful"


def _carried_over(
    animals: Animals, fit: ConnectomeFit, settings: ConnectomeSettings
) -> list[Metric]:
    shares, seed = fit.explained, settings.seed
    several = bool(np.isfinite(shares.others).any())
    ours, static, shifted = (
        _by_subject(100 * values, animals.subjects)
        for values in (shares.others if several else shares.own, shares.static, shares.shifted)
    )
    split = "recordings left out in turn, at most 5 folds" if several else ""
    metrics = [
        Metric(
            name="explained by other recordings" if several else "explained by its components",
            value=finite(ours.mean()),
            unit="%",
            description=(
                "Share of a recording's squared affinities that components of other recordings "
                "explain, mean over subjects; higher is better. "
                if several
                else "Share of the recording's squared affinities that its own components "
                "explain; higher is better, but it was fitted. "
            )
            + "The baseline is a single component, chance the recording's shifted traces.",
            better="higher",
            baseline=finite(static.mean()),
            baseline_name="one static pattern",
            chance=finite(shifted.mean()),
            interval=_mean_interval(ours, seed),
            n=len(ours),
            seed=seed,
            split=split,
        )
    ]
    if several:
        paired = len(ours) > 1
        metrics.append(
            Metric(
                name="explained above one static pattern",
                value=float((ours - static).mean()),
                unit="%",
                description="Components of other recordings minus one pattern of theirs, on the "
                "same recordings; above 0, changes of pattern are shared by recordings.",
                better="higher",
                baseline=0.0,
                baseline_name="no difference",
                interval=paired_difference_interval(ours, static, seed=seed) if paired else None,
                n=len(ours),
                seed=seed,
                split=split,
            )
        )
    return metrics


def _by_subject(values: np.ndarray, subjects: list[str]) -> np.ndarray:
    """Means of the recordings of each subject: recordings of one are not independent."""
    return np.asarray(pd.Series(values).groupby(subjects, sort=False).mean(), dtype=float)


def _mean_interval(values: np.ndarray, seed: int) -> Interval | None:
    return bootstrap_interval(values, seed=seed) if len(values) > 1 else None


def _stability(fit: ConnectomeFit, settings: ConnectomeSettings) -> list[Metric]:
    halves, n_starts = fit.halves, len(fit.errors)
    p_value = float(permutation_p_value(halves.value, halves.null))
    metrics = [
        Metric(
            name="components of two halves alike",
            value=halves.value,
            description=f"Mean cosine between the graphs of components fitted to two halves of "
            f"the {_halved(fit)}, matched one to one; higher is more reproducible. p = "
            f"{p_value:.2g} ({len(halves.null)} shuffles of the units of one half).",
            better="higher",
            chance=float(halves.null.mean()),
            n=fit.factors.rank,
            seed=settings.seed,
            split=f"halves of the {_halved(fit)}, 3 draws",
            verdict=_verdict(p_value, len(halves.null), settings.alpha),
            bounds=f"good when p is at most {settings.alpha:g}, else doubtful",
        ),
        Metric(
            name="components of starts alike",
            value=_start_similarity(fit) if n_starts > 1 else None,
            description="Mean cosine product of matched components over all pairs of random "
            f"starts; near 1 the data decide, below {_AGREE:g} single components are not to be "
            "told stories about."
            if n_starts > 1
            else "Not computed: one start.",
            better="higher",
            n=n_starts,
            seed=settings.seed,
        ),
    ]
    draws = fit.bootstrap.components
    if len(draws):
        means = draws.mean(axis=1)
        metrics.append(
            Metric(
                name="components under resampling alike",
                value=float(means.mean()),
                description="Mean cosine between the graphs of components and of their matches in "
                "refits on recordings (few: blocks of time) drawn with replacement; higher is more "
                "stable.",
                better="higher",
                chance=float(halves.null.mean()),
                interval=percentile_interval(means),
                n=len(draws),
                seed=settings.seed,
            )
        )
    return [*metrics, _rank(fit, settings)]


def _halved(fit: ConnectomeFit) -> str:
    return "recordings" if fit.halves.what == "animals" else fit.halves.what


def _start_similarity(fit: ConnectomeFit) -> float:
    return float(fit.similarity[np.triu_indices(len(fit.errors), k=1)].mean())


def _rank(fit: ConnectomeFit, settings: ConnectomeSettings) -> Metric:
    reason = "Number of components; it was given."
    if fit.ranks is not None:
        reason = f"Number of components, neither way better: {fit.ranks.reason}."
    return Metric(
        name="components", value=float(fit.factors.rank), description=reason, seed=settings.seed
    )


def _events(found: Assembly, settings: ConnectomeSettings) -> list[Metric]:
    if found.atlas.empty:
        return []
    tested = int(found.atlas["p_family"].notna().sum())
    return [
        Metric(
            name="components tied to events",
            value=float((found.atlas["p_family"] <= settings.alpha).sum()),
            description=f"Pairs of component and event type, of {tested}, in which activity "
            "inside the events differs from that outside by more than in circular shifts of the "
            f"course (p at most {settings.alpha:g} over all pairs together); more pairs mean more "
            "components that go with events.",
            chance=0.0,
            n=tested,
            seed=settings.seed,
        )
    ]


def _structure(found: Assembly, settings: ConnectomeSettings) -> list[Metric]:
    metrics = []
    seed, alpha = settings.seed, settings.alpha
    bounds = f"good when p is at most {alpha:g}, else doubtful"
    pairs = found.homologues
    if pairs is not None:
        metrics.append(
            Metric(
                name="homologous pairs together",
                value=100 * pairs.share,
                unit="%",
                description="Share of left/right pairs of units in one community of the whole "
                "run; healthy recordings lie well above chance. "
                f"p = {pairs.p_value:.2g} ({len(pairs.null)} shuffles of the communities).",
                better="higher",
                baseline=100 * pairs.static_share,
                baseline_name="static correlation, Louvain",
                chance=100 * float(pairs.null.mean()),
                n=pairs.n_pairs,
                seed=seed,
                verdict=_verdict(pairs.p_value, len(pairs.null), alpha),
                bounds=bounds,
            )
        )
    wiring, static = found.wiring, found.static_wiring
    if wiring is not None and static is not None:
        metrics += [
            Metric(
                name="correlation with wiring",
                value=finite(wiring.rho),
                description="Spearman correlation over pairs of units between affinity above "
                "expectation and the weight of their synapses; higher is closer to anatomy. "
                f"p = {wiring.p_value:.2g} ({len(wiring.rho_null)} rewired diagrams of the same "
                "degrees).",
                better="higher",
                baseline=finite(static.rho),
                baseline_name="static correlation",
                chance=finite(np.mean(wiring.rho_null)),
                n=wiring.n_units,
                seed=seed,
                verdict=_verdict(wiring.p_value, len(wiring.rho_null), alpha),
                bounds=bounds,
            ),
            Metric(
                name="synapses within communities",
                value=100 * wiring.share,
                unit="%",
                description="Share of the synapses' weight within communities of the whole run; "
                f"higher is closer to anatomy. p = {wiring.share_p_value:.2g} "
                f"({len(wiring.share_null)} rewired diagrams of the same degrees).",
                better="higher",
                baseline=100 * static.share,
                baseline_name="static correlation, Louvain",
                chance=100 * float(wiring.share_null.mean()),
                n=wiring.n_units,
                seed=seed,
                verdict=_verdict(wiring.share_p_value, len(wiring.share_null), alpha),
                bounds=bounds,
            ),
        ]
    return metrics


def group_facts(animals: Animals, fit: ConnectomeFit, found: Assembly) -> dict[str, str]:
    """Short facts for the overview."""
    n_animals, n_units = animals.presence.shape
    chosen = (
        "given" if fit.ranks is None else f"chosen among {', '.join(map(str, fit.ranks.ranks))}"
    )
    return {
        "subjects": str(len(set(animals.subjects))),
        "recordings": str(n_animals),
        f"{animals.noun}s": f"{n_units} ({100 * animals.presence.mean():.0f} % present)",
        "time axis": f"{fit.source.n_samples} samples, {_CLOCKS[animals.clock]}",
        "components": f"{fit.factors.rank} ({chosen})",
        "motifs": f"{int(found.motifs['is_motif'].sum())} of {len(found.motifs)} blocks",
        "block model": "with degree correction" if fit.degree_corrected else "plain",
    }


def group_warnings(
    animals: Animals, fit: ConnectomeFit, found: Assembly, settings: ConnectomeSettings
) -> list[str]:
    """What a reader must know before trusting the numbers.

    Parameters
    ----------
    animals : Animals
    fit : ConnectomeFit
    found : Assembly
    settings : ConnectomeSettings
    """
    warnings = list(animals.warnings)
    n_subjects, n_shifts = len(set(animals.subjects)), len(fit.shifts.shifts)
    if n_subjects == 1:
        warnings.append("One subject: nothing tells whether another one has the same motifs.")
    if 1 / (n_shifts + 1) > settings.alpha:
        warnings.append(
            f"{n_shifts} shifts cannot reach p = {settings.alpha:g}: no motif can be reported. "
            "Raise n_shifts."
        )
    else:
        warnings += _shift_warnings(fit, settings.alpha)
    if not found.motifs["is_motif"].any():
        smallest = float(fit.component_p_values.min())
        warnings.append(
            "No component's blocks save more nats than in circular shifts (smallest p = "
            f"{smallest:.2g}): no motif is reported, and nobody to silence."
        )
    warnings += _carry_warnings(animals, fit)
    if len(fit.errors) > 1 and _start_similarity(fit) < _AGREE:
        warnings.append(
            f"Random starts find different components (similarity {_start_similarity(fit):.2f}): "
            "distrust single components; communities of windows are the safer reading."
        )
    if fit.ranks is not None and fit.ranks.chosen == settings.factorization.ranks[-1]:
        warnings.append(
            f"The largest candidate, {fit.ranks.chosen} components, was chosen: more may be "
            "better. Add higher ones (factorization.ranks)."
        )
    return warnings


def _shift_warnings(fit: ConnectomeFit, alpha: float) -> list[str]:
    of_fit, of_gain = fit.shifts.fit_p_value, fit.shifts.gain_p_value
    if of_fit <= alpha:
        return []
    if of_gain <= alpha:
        return [
            f"The components explain no larger share than in circularly shifted traces (p = "
            f"{of_fit:.2g}), though communities stand above them (p = {of_gain:.2g}): units that "
            "change together make affinities vary more, and so few components do not follow."
        ]
    return [
        f"Neither the explained share (p = {of_fit:.2g}) nor the communities (p = {of_gain:.2g}) "
        "stand above circularly shifted traces: units share no moments that this method sees."
    ]


def _carry_warnings(animals: Animals, fit: ConnectomeFit) -> list[str]:
    others, static = (
        _by_subject(values, animals.subjects)
        for values in (fit.explained.others, fit.explained.static)
    )
    if not np.isfinite(others).any() or others.mean() > static.mean():
        return []
    return [
        f"Components of other recordings explain a recording no better ({100 * others.mean():.1f} "
        f"%) than one static pattern of theirs ({100 * static.mean():.1f} %): that patterns change "
        "over time is not shared by recordings, or too weak to be told from so few."
    ]
