"""The index of a dataset: subjects ranked, how they spread, what is not finished."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from neuropipe.report.cohort import (
    Missing,
    SubjectResults,
    rank,
    ranking_metric,
    unfinished_words,
)
from neuropipe.report.numbers import count, format_column, format_quantity
from neuropipe.report.sections import (
    Section,
    analysis_section,
    methods_section,
    problems_section,
    provenance_section,
    render,
)
from neuropipe.report.settings import DatasetCard, ReportSettings
from neuropipe.report.subject import verdict_sentence
from neuropipe.report.summary import (
    QUALITY,
    Tally,
    find_metric,
    group_by_analysis,
    key_numbers,
    metric_names,
)
from neuropipe.report.tables import Cell, Column, Row, Table, metric_column, named
from neuropipe.results import Metric, Result

SUMMARY_ID = "np-summary"
_OTHER_METRICS = 1  # columns an analysis other than quality gets in the subjects' table


def index_sections(
    card: DatasetCard,
    subjects: Sequence[SubjectResults],
    group: Sequence[Result],
    unfinished: Sequence[Missing],
    settings: ReportSettings,
) -> list[Section]:
    """Lay out the index of a dataset.

    Parameters
    ----------
    card : DatasetCard
    subjects : sequence of SubjectResults
        In any order.
    group : sequence of Result
        Results over the dataset.
    unfinished : sequence of Missing
        Absent or broken results.
    settings : ReportSettings
    """
    ranked = rank(subjects, settings)
    metrics = _columns(ranked, settings.key_metrics)
    table = ranking_table(ranked, metrics, settings.digits)
    everything = [r for s in ranked for r in s.results] + list(group)
    sections = [
        _overview(card, ranked, metrics, settings, unfinished),
        Section(
            title="Subjects",
            name="subjects",
            html=render("ranking", table=table, main=_main_words(ranked, settings)),
        ),
    ]
    sections += [analysis_section([result], settings.digits) for result in group]
    if group:
        sections += [methods_section(card, group), provenance_section(group)]
    return [*sections, problems_section(everything, unfinished_words(unfinished))]


def _columns(subjects: Sequence[SubjectResults], limit: int) -> list[tuple[str, Metric]]:
    """Choose the metrics of the subjects' table: those of quality, and the first of the rest.

    A metric that is the same for all subjects tells none from another and is left out.
    """
    groups = group_by_analysis(r for s in subjects for r in s.results)
    chosen = []
    for analysis, found in groups.items():
        numbers = [n.metric for n in key_numbers(found, len(metric_names(found)))]
        varied = [
            m for m in numbers if len({s.median(analysis, m.name) for s in subjects} - {None}) > 1
        ]
        kept = varied or numbers
        chosen += [(analysis, m) for m in kept[: limit if analysis == QUALITY else _OTHER_METRICS]]
    return chosen


def ranking_table(
    ranked: Sequence[SubjectResults], metrics: Sequence[tuple[str, Metric]], digits: int
) -> Table:
    """One row a subject: rank, verdict, counts, recordings, medians of the metrics.

    Parameters
    ----------
    ranked : sequence of SubjectResults
        Best first.
    metrics : sequence of (str, Metric)
        Analysis and metric of each further column.
    digits : int
        Significant digits.
    """
    columns = [
        Column(text="Subject"),
        Column(text="Rank", numeric=True),
        Column(text="Verdict"),
        Column(text="Bad", numeric=True),
        Column(text="Doubtful", numeric=True),
        Column(text="Good", numeric=True),
        Column(text="Recordings", numeric=True),
        *(metric_column(m) for _, m in metrics),
        Column(text="Not finished", numeric=True),
    ]
    cells: list[list[Cell]] = [[] for _ in ranked]
    for analysis, metric in metrics:
        values = [s.median(analysis, metric.name) for s in ranked]
        for row, value, text in zip(cells, values, format_column(values, digits), strict=True):
            row.append(Cell(text=text, sort=value))
    rows = [_subject_row(i, s, cells[i - 1]) for i, s in enumerate(ranked, start=1)]
    return Table.build(columns, rows)


def _subject_row(place: int, subject: SubjectResults, values: Sequence[Cell]) -> Row:
    tally = subject.tally
    verdict = tally.worst or ("not finished" if subject.missing else "none")
    missing = len(subject.missing)
    return Row(
        head=Cell(text=subject.subject, link=subject.link),
        cells=(
            Cell(text=str(place), sort=place),
            Cell(text=verdict, verdict=tally.worst),
            *(Cell(text=str(n or ""), sort=n) for n in (tally.bad, tally.doubtful, tally.good)),
            Cell(text=str(subject.n_recordings), sort=subject.n_recordings),
            *values,
            Cell(text=str(missing) if missing else "", sort=missing),
        ),
    )


def _main_words(subjects: Sequence[SubjectResults], settings: ReportSettings) -> str:
    main = ranking_metric(subjects, settings)
    if main is None:
        return ""
    return f"{main.name} ({main.better or 'higher'} is better)"


def _overview(
    card: DatasetCard,
    ranked: Sequence[SubjectResults],
    metrics: Sequence[tuple[str, Metric]],
    settings: ReportSettings,
    unfinished: Sequence[Missing],
) -> Section:
    tally = Tally.of(s.tally.worst for s in ranked)
    n_recordings = sum(s.n_recordings for s in ranked)
    facts = {
        "Subjects": str(len(ranked)),
        "Recordings": str(n_recordings),
        "Modality": card.modality_words,
        "Licence": card.license,
    }
    if unfinished:
        facts["Results not finished"] = str(len(unfinished))
    html = render(
        "dataset",
        card=card,
        tally=tally,
        verdict=_dataset_sentence(tally, sum(bool(s.missing) for s in ranked)),
        facts=facts,
        strips=[s for a, m in metrics if (s := _strip(ranked, a, m, settings.digits))],
        summary=_summary(card, len(ranked), n_recordings, tally, len(unfinished)),
        summary_id=SUMMARY_ID,
    )
    return Section(title="Overview", name="overview", html=html)


def _dataset_sentence(tally: Tally, unfinished: int) -> str:
    left = f" {count(unfinished, 'subject')} not finished." if unfinished else ""
    if not tally.total:
        return verdict_sentence(tally) + left
    if tally.good == tally.total:
        return f"Every check of {count(tally.total, 'subject')} is good.{left}"
    parts = []
    if tally.bad:
        parts.append(f"{count(tally.bad, 'subject')} with a bad check")
    if tally.doubtful:
        parts.append(f"{tally.doubtful} with doubtful checks at worst")
    if tally.good:
        parts.append(f"{tally.good} with good checks only")
    return f"{', '.join(parts)}.{left}"


def _strip(
    subjects: Sequence[SubjectResults], analysis: str, metric: Metric, digits: int
) -> dict[str, Any] | None:
    """Place each subject on the axis of one metric; None where there is no spread to show."""
    values = [(s, v) for s in subjects if (v := s.median(analysis, metric.name)) is not None]
    if len(values) < 3:
        return None
    low, high = min(v for _, v in values), max(v for _, v in values)
    if low == high:
        return None
    dots = []
    for i, (subject, value) in enumerate(sorted(values, key=lambda pair: pair[0].subject)):
        verdicts = [
            m.verdict
            for r in subject.results
            if r.analysis == analysis and (m := find_metric(r, metric.name)) is not None
        ]
        dots.append(
            {
                "x": f"{10 + 580 * (value - low) / (high - low):.1f}",
                "y": f"{8 + 14 * ((i * 0.618034) % 1):.1f}",  # golden steps: even without chance
                "label": f"{subject.subject}: {format_quantity(value, metric.unit, digits)}",
                "link": subject.link,
                "verdict": Tally.of(verdicts).worst or "",
            }
        )
    return {
        "name": named(metric, describe=False).text,
        "dots": dots,
        "low": format_quantity(low, metric.unit, digits),
        "high": format_quantity(high, metric.unit, digits),
    }


def _summary(
    card: DatasetCard, n_subjects: int, n_recordings: int, tally: Tally, unfinished: int
) -> str:
    """Write what the home page wants to know as JSON that is safe inside a script element."""
    values: Mapping[str, Any] = {
        "name": card.name,
        "title": card.title,
        "modality": card.modality,
        "subjects": n_subjects,
        "recordings": n_recordings,
        "bad": tally.bad,
        "doubtful": tally.doubtful,
        "good": tally.good,
        "unfinished": unfinished,
    }
    return json.dumps(values).replace("<", "\\u003c").replace("&", "\\u0026")
