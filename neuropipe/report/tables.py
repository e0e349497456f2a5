"""Metrics to tables of ready-made text; the templates only lay them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuropipe.report.numbers import (
    MISSING,
    format_beside,
    format_column,
    format_interval,
    format_number,
    format_quantity,
)
from neuropipe.report.summary import KeyNumber, find_metric, metric_names
from neuropipe.results import Metric, Result, Verdict

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
BETTER = {"higher": "higher is better", "lower": "lower is better", "": ""}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A table cell.

    Parameters
    ----------
    text : str
        What is printed.
    note : str
        A smaller second line.
    verdict : {"good", "doubtful", "bad"}, optional
        Colours the cell, or becomes a chip where `text` is empty.
    sort : float, optional
        Number that the column is sorted by; None sorts by text.
    link : str
        Where the text leads; ``""`` for nowhere.
    """

    text: str
    note: str = ""
    verdict: Verdict | None = None
    sort: float | None = None
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's heading; `numeric` cells are set flush right."""

    text: str
    note: str = ""
    numeric: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row: its heading and its cells."""

    head: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table without empty columns.

    Parameters
    ----------
    columns : tuple of Column
        The first stands above the rows' headings.
    rows : tuple of Row
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @classmethod
    def build(cls, columns: Sequence[Column], rows: Iterable[Row]) -> Table:
        """Drop the columns in which no cell says anything."""
        found = list(rows)
        kept = [
            i
            for i in range(len(columns) - 1)
            if any(r.cells[i].text or r.cells[i].verdict for r in found)
        ]
        return cls(
            columns=(columns[0], *(columns[i + 1] for i in kept)),
            rows=tuple(Row(head=r.head, cells=tuple(r.cells[i] for i in kept)) for r in found),
        )


def metric_table(metrics: Iterable[Metric], digits: int, *, describe: bool = True) -> Table:
    """One row a metric: number, baseline, chance, 95 % interval, n, split, verdict.

    Parameters
    ----------
    metrics : iterable of Metric
    digits : int
        Significant digits.
    describe : bool
        Whether to print what each metric means, and the bounds of its verdict.
    """
    metrics = list(metrics)
    split = any(m.split for m in metrics)
    columns = [
        Column(text="Measure"),
        Column(text="Number", numeric=True),
        Column(text="Baseline", numeric=True),
        Column(text="Chance", numeric=True),
        Column(text="95 % interval", numeric=True),
        Column(text="n", numeric=True),
        Column(text="Split" if split else "Seed"),
        Column(text="Verdict"),
    ]
    return Table.build(columns, (_metric_row(m, digits, describe, split) for m in metrics))


def _metric_row(metric: Metric, digits: int, describe: bool, split: bool) -> Row:
    return Row(
        head=named(metric, describe),
        cells=(
            Cell(text=format_quantity(metric.value, metric.unit, digits), sort=metric.value),
            _beside(metric.baseline, metric, digits, metric.baseline_name),
            _beside(metric.chance, metric, digits),
            Cell(text=format_interval(metric.interval, digits)),
            Cell(text="" if metric.n is None else format_number(metric.n), sort=metric.n),
            _split(metric, split),
            Cell(
                text="",
                verdict=metric.verdict,
                note=metric.bounds if describe and metric.verdict else "",
            ),
        ),
    )


def named(metric: Metric, describe: bool) -> Cell:
    """Name of a metric with the arrow of its better way, and what it means."""
    arrow = ARROWS[metric.better]
    return Cell(
        text=f"{metric.name}\u00a0{arrow}" if arrow else metric.name,
        note=metric.description if describe else "",
    )


def _beside(value: float | None, metric: Metric, digits: int, note: str = "") -> Cell:
    if value is None:
        return Cell(text="")
    return Cell(text=format_beside(value, metric.value, digits), note=note, sort=value)


def _split(metric: Metric, split: bool) -> Cell:
    """How the data were parted, and the seed; `split` tells whether the column is about that."""
    seed = "" if metric.seed is None else str(metric.seed)
    words = f"seed {seed}" if seed and split else seed
    return Cell(text=metric.split, note=words) if metric.split else Cell(text=words)


def recordings_table(
    results: Sequence[Result], labels: Sequence[str], links: Sequence[str], digits: int
) -> Table:
    """Compact table of one analysis: one row a recording, one column a metric.

    Parameters
    ----------
    results : sequence of Result
    labels, links : sequence of str
        Name and address of each result.
    digits : int
        Significant digits.
    """
    columns, cells = [Column(text="Recording")], []
    for name in metric_names(results):
        metrics = [find_metric(result, name) for result in results]
        columns.append(metric_column(next(m for m in metrics if m is not None)))
        cells.append(_column_cells(metrics, digits))
    rows = [
        Row(head=Cell(text=label, link=link), cells=tuple(column[i] for column in cells))
        for i, (label, link) in enumerate(zip(labels, links, strict=True))
    ]
    return Table.build(columns, rows)


def metric_column(metric: Metric) -> Column:
    """Heading of a column of one metric: its name with the arrow, and its unit."""
    return Column(text=named(metric, describe=False).text, note=metric.unit, numeric=True)


def _column_cells(metrics: Sequence[Metric | None], digits: int) -> list[Cell]:
    texts = format_column([None if m is None else m.value for m in metrics], digits)
    return [
        Cell(text="") if m is None else Cell(text=text or MISSING, verdict=m.verdict, sort=m.value)
        for m, text in zip(metrics, texts, strict=True)
    ]


def key_table(groups: Sequence[tuple[Cell, Sequence[KeyNumber]]], digits: int) -> Table:
    """Key numbers of all analyses, each analysis named in its first row.

    Parameters
    ----------
    groups : sequence of (Cell, sequence of KeyNumber)
        Analyses with their numbers, in order.
    digits : int
        Significant digits.
    """
    several = any(n.low is not None for _, numbers in groups for n in numbers)
    columns = [
        Column(text="Measure"),
        Column(text="Analysis"),
        Column(text="Median" if several else "Number", numeric=True),
        Column(text="Range", numeric=True),
        Column(text="Baseline", numeric=True),
        Column(text="Chance", numeric=True),
        Column(text="Verdict"),
    ]
    rows = [_key_row(analysis, n, digits) for analysis, numbers in groups for n in numbers]
    return Table.build(columns, rows)


def _key_row(analysis: Cell, number: KeyNumber, digits: int) -> Row:
    metric = number.metric
    low, high = number.low, number.high
    span = None if low is None or high is None or low == high else (low, high)
    return Row(
        head=named(metric, describe=False),
        cells=(
            analysis,
            Cell(text=format_quantity(metric.value, metric.unit, digits), sort=metric.value),
            Cell(text=format_interval(span, digits)),
            _beside(metric.baseline, metric, digits, metric.baseline_name),
            _beside(metric.chance, metric, digits),
            Cell(text=number.verdict_words, verdict=number.tally.worst),
        ),
    )


def explanations(results: Iterable[Result]) -> list[tuple[str, str]]:
    """What each metric of several results means, and its bounds, once."""
    texts: dict[str, str] = {}
    for metric in (m for r in results for m in r.metrics):
        better = BETTER[metric.better]
        said = not better or better in metric.description.lower()
        parts = (metric.description, "" if said else better, metric.bounds)
        text = " ".join(_sentence(p) for p in parts if p.strip())
        if text and metric.name not in texts:
            texts[metric.name] = text
    return list(texts.items())


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def not_computed(results: Iterable[Result]) -> list[str]:
    """Say of each metric without a value why it has none."""
    return [
        f"{m.name} could not be computed. {m.description}".strip()
        for r in results
        for m in r.metrics
        if m.value is None
    ]
