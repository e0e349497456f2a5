"""What many metrics say together: verdict counts, medians over recordings, common facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from neuropipe.results import Metric, Result, Verdict

QUALITY = "quality"  #: the analysis that every recording has and the overview speaks of
WORST_FIRST: tuple[Verdict, ...] = ("bad", "doubtful", "good")


@dataclass(frozen=True)
class Tally:
    """How many checks came out how."""

    bad: int = 0
    doubtful: int = 0
    good: int = 0

    @classmethod
    def of(cls, verdicts: Iterable[Verdict | None]) -> Tally:
        """Count verdicts; None is no verdict."""
        found = list(verdicts)
        return cls(**{verdict: found.count(verdict) for verdict in WORST_FIRST})

    @property
    def total(self) -> int:
        """Number of checks with a verdict."""
        return self.bad + self.doubtful + self.good

    @property
    def worst(self) -> Verdict | None:
        """The worst verdict that was given; None when there is none."""
        return next((v for v in WORST_FIRST if getattr(self, v)), None)

    @property
    def badness(self) -> tuple[float, float, float]:
        """Share of bad and of doubtful checks, smaller is better; no check at all comes last."""
        if not self.total:
            return (1.0, 1.0, 1.0)
        return (0.0, self.bad / self.total, self.doubtful / self.total)

    @property
    def short(self) -> str:
        """Say the counts, worst first: ``"1 bad, 2 doubtful, 9 good"``."""
        return ", ".join(f"{getattr(self, v)} {v}" for v in WORST_FIRST if getattr(self, v))

    def words(self, noun: str = "check") -> str:
        """Say the counts, worst first: ``"1 bad, 2 doubtful and 9 good checks"``."""
        parts = [f"{getattr(self, v)} {v}" for v in WORST_FIRST if getattr(self, v)]
        if not parts:
            return f"no {noun} with a verdict"
        plural = noun if self.total == 1 else f"{noun}s"
        joined = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
        return f"{joined} {plural}"


@dataclass(frozen=True, kw_only=True)
class KeyNumber:
    """One metric over the recordings of a subject.

    Parameters
    ----------
    metric : Metric
        The only recording's metric, or one that holds medians over the recordings.
    low, high : float or None
        Range over the recordings; None where there is one recording.
    tally : Tally
        Verdicts over the recordings.
    """

    metric: Metric
    low: float | None = None
    high: float | None = None
    tally: Tally

    @property
    def verdict_words(self) -> str:
        """Say the worst verdict, and in how many recordings it was given."""
        worst = self.tally.worst
        if worst is None or self.tally.total == 1:
            return worst or ""
        return f"{worst} in {getattr(self.tally, worst)} of {self.tally.total}"


def metric_names(results: Iterable[Result]) -> list[str]:
    """Names of all metrics that have a value or a verdict somewhere, in order of appearance."""
    names: dict[str, None] = {}
    for result in results:
        for metric in result.metrics:
            if metric.value is not None or metric.verdict is not None:
                names[metric.name] = None
    return list(names)


def find_metric(result: Result, name: str) -> Metric | None:
    """Return the metric of that name, None where the result lacks it."""
    return next((m for m in result.metrics if m.name == name), None)


def key_numbers(results: Sequence[Result], limit: int) -> list[KeyNumber]:
    """Choose and combine the metrics of one analysis over the recordings of a subject.

    Parameters
    ----------
    results : sequence of Result
        Results of the same analysis.
    limit : int
        Largest number of metrics; those with a verdict go first, each group in its own order.
    """
    numbers = [
        combine([m for r in results if (m := find_metric(r, name)) is not None])
        for name in metric_names(results)
    ]
    judged = [n for n in numbers if n.tally.total]
    return (judged + [n for n in numbers if not n.tally.total])[:limit]


def combine(metrics: Sequence[Metric]) -> KeyNumber:
    """Combine the same metric of several recordings into medians, range and verdict counts."""
    first = metrics[0]
    tally = Tally.of(m.verdict for m in metrics)
    if len(metrics) == 1:
        return KeyNumber(metric=first, tally=tally)
    values = _values(metrics, "value")
    middle = Metric(
        name=first.name,
        value=median(values) if values else None,
        unit=first.unit,
        description=first.description,
        better=first.better,
        baseline=_median(metrics, "baseline"),
        baseline_name=first.baseline_name,
        chance=_median(metrics, "chance"),
        verdict=tally.worst,
        bounds=first.bounds,
    )
    low, high = (min(values), max(values)) if values else (None, None)
    return KeyNumber(metric=middle, low=low, high=high, tally=tally)


def _values(metrics: Iterable[Metric], field: str) -> list[float]:
    return [value for m in metrics if (value := getattr(m, field)) is not None]


def _median(metrics: Iterable[Metric], field: str) -> float | None:
    values = _values(metrics, field)
    return median(values) if values else None


def common_facts(results: Iterable[Result], shown: int = 3) -> dict[str, str]:
    """Join the facts of several recordings.

    Parameters
    ----------
    results : iterable of Result
    shown : int
        Largest number of different values.

    Returns
    -------
    dict of str to str
        A fact that all share as it is; a few different ones joined by ``"; "``. More say nothing of
        the subject and stand with the recordings alone.
    """
    values: dict[str, list[str]] = {}
    for result in results:
        for name, value in result.facts.items():
            known = values.setdefault(name, [])
            if value not in known:
                known.append(value)
    return {name: "; ".join(found) for name, found in values.items() if len(found) <= shown}


def shared_facts(results: Sequence[Result]) -> dict[str, str]:
    """Facts that all recordings share."""
    first, *rest = (result.facts for result in results)
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in rest)}


def main_metric(results: Iterable[Result], name: str = "") -> Metric | None:
    """Find the metric that orders subjects with equal verdicts.

    Parameters
    ----------
    results : iterable of Result
        Quality results.
    name : str
        Name from the settings; ``""`` takes the first that says which way is better. One without
        a value anywhere orders nothing and is passed over.

    Returns
    -------
    Metric or None
        An example of that metric, for its name and direction.
    """
    known = (m for r in results for m in r.metrics if m.value is not None)
    return next((m for m in known if (m.name == name if name else m.better)), None)


def group_by_analysis(results: Iterable[Result]) -> Mapping[str, list[Result]]:
    """Sort results by analysis in order of appearance, the quality checks first."""
    groups: dict[str, list[Result]] = {QUALITY: []}
    for result in results:
        groups.setdefault(result.analysis, []).append(result)
    return {analysis: found for analysis, found in groups.items() if found}
