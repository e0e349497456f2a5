"""The page of one subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from neuropipe.report.sections import (
    Section,
    analysis_section,
    anchor,
    methods_section,
    problems_section,
    provenance_section,
    render,
)
from neuropipe.report.settings import DatasetCard, ReportSettings
from neuropipe.report.summary import (
    QUALITY,
    WORST_FIRST,
    Tally,
    common_facts,
    group_by_analysis,
    key_numbers,
)
from neuropipe.report.tables import Cell, key_table
from neuropipe.report.text import heading, short_labels
from neuropipe.results import Result, Verdict

_PLACES = 12  # links an issue shows before it says "and 3 more"


@dataclass
class Issue:
    """A measure that is bad or doubtful, and where.

    Parameters
    ----------
    name : str
        The measure.
    verdict : {"bad", "doubtful"}
    places : list of (str, str)
        Text and address of each result that says so.
    more : int
        How many places are left out.
    """

    name: str
    verdict: Verdict
    places: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0


def subject_sections(
    card: DatasetCard, subject: str, results: Sequence[Result], settings: ReportSettings
) -> list[Section]:
    """Lay out everything that is known of one subject.

    Parameters
    ----------
    card : DatasetCard
        The dataset.
    subject : str
    results : sequence of Result
        Results of the subject's recordings.
    settings : ReportSettings

    Returns
    -------
    list of Section
        Overview, quality, one section an analysis, methods, provenance, errors and warnings.
    """
    return [
        overview_section(card, subject, results, settings),
        *(analysis_section(r, settings.digits) for r in group_by_analysis(results).values()),
        methods_section(card, results),
        provenance_section(results),
        problems_section(results),
    ]


def overview_section(
    card: DatasetCard, subject: str, results: Sequence[Result], settings: ReportSettings
) -> Section:
    """Say who the subject is and how sound its data are.

    Parameters
    ----------
    card : DatasetCard
    subject : str
    results : sequence of Result
        Results of the subject's recordings.
    settings : ReportSettings
    """
    groups = group_by_analysis(results)
    tally = Tally.of(m.verdict for r in results for m in r.metrics)
    numbers = [
        (
            Cell(text=heading(name, found[0].title), link=f"#{anchor(found[0])}"),
            key_numbers(found, settings.key_metrics),
        )
        for name, found in groups.items()
    ]
    recordings = {r.recording for r in groups.get(QUALITY, results)}
    if QUALITY not in groups:  # a result over all recordings of the subject is none of them
        recordings = recordings - {f"sub-{subject}"} or recordings
    html = render(
        "overview",
        card=card,
        heading=f"Subject {subject}",
        lead=card.title,
        trail=[("All datasets", "../../index.html"), ("Subjects", "index.html")],
        tally=tally,
        verdict=verdict_sentence(tally),
        issues=issues(results),
        facts={
            "Recordings": str(len(recordings)),
            "Modality": card.modality_words,
        }
        | common_facts(groups.get(QUALITY, [])),
        table=key_table(numbers, settings.digits),
    )
    return Section(title="Overview", name="overview", html=html)


def verdict_sentence(tally: Tally) -> str:
    """Say in one sentence how the checks came out."""
    if not tally.total:
        return "No check gave a verdict."
    if tally.good == tally.total:
        return "1 good check." if tally.total == 1 else f"All {tally.total} checks are good."
    words = tally.words()
    return f"{words[0].upper()}{words[1:]}."


def issues(results: Sequence[Result]) -> list[Issue]:
    """Collect the bad, then the doubtful measures, each with the recordings it concerns.

    Parameters
    ----------
    results : sequence of Result
    """
    found: dict[tuple[Verdict, str, str], Issue] = {}
    subject = results[0].subject if results else ""
    names = [r.recording for r in results]
    labels = short_labels([n for n in names if n != f"sub-{subject}"] or names, subject)
    for result in results:
        place = (labels.get(result.recording, "all recordings"), f"#{anchor(result)}")
        for metric in result.metrics:
            if metric.verdict in ("bad", "doubtful"):
                key = (metric.verdict, result.analysis, metric.name)
                found.setdefault(key, Issue(metric.name, metric.verdict)).places.append(place)
    for (_, analysis, _), issue in found.items():
        group = [r for r in results if r.analysis == analysis]
        if len(issue.places) == len(group):
            where = f"all {len(group)} recordings" if len(group) > 1 else "details"
            issue.places = [(where, f"#{anchor(group[0])}")]
        issue.more = max(0, len(issue.places) - _PLACES)
        del issue.places[_PLACES:]
    return sorted(found.values(), key=lambda issue: WORST_FIRST.index(issue.verdict))
