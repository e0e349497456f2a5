"""The page that leads to all datasets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuropipe.errors import ResultError
from neuropipe.report.index import SUMMARY_ID
from neuropipe.report.numbers import count
from neuropipe.report.sections import Section, render
from neuropipe.report.settings import modality_words
from neuropipe.report.summary import Tally
from neuropipe.report.tables import Cell, Column, Row, Table
from neuropipe.results import Verdict

_SUMMARY = re.compile(rf'<script type="application/json" id="{SUMMARY_ID}">(.*?)</script>')


@dataclass(frozen=True)
class DatasetSummary:
    """What an index page says of its dataset.

    Parameters
    ----------
    name, title, modality : str
    subjects, recordings, unfinished : int
        Counts.
    tally : Tally
        Subjects by their worst verdict.
    link : str
        Address of the index page, relative to the home page.
    """

    name: str
    title: str
    modality: str
    subjects: int
    recordings: int
    unfinished: int
    tally: Tally
    link: str


def read_summary(index: Path, home: Path) -> DatasetSummary:
    """Read the summary that an index page carries.

    Parameters
    ----------
    index : Path
        An index page.
    home : Path
        Folder of the home page.

    Raises
    ------
    ResultError
        If it is no index page.
    """
    try:
        found = _SUMMARY.search(index.read_text(encoding="utf-8"))
        if found is None:
            raise ValueError("no summary of a dataset in it")
        values = json.loads(found[1])
        tally = Tally(values.pop("bad"), values.pop("doubtful"), values.pop("good"))
        link = Path(os.path.relpath(index, home)).as_posix()
        return DatasetSummary(**values, tally=tally, link=link)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{index}: {error}", "an index page of a dataset", "delete it and run again"
        ) from error


def home_sections(datasets: Sequence[DatasetSummary]) -> list[Section]:
    """Lay out the list of datasets.

    Parameters
    ----------
    datasets : sequence of DatasetSummary
    """
    table = Table.build(
        [
            Column(text="Dataset"),
            Column(text="Modality"),
            Column(text="Subjects", numeric=True),
            Column(text="Recordings", numeric=True),
            Column(text="Bad", numeric=True),
            Column(text="Doubtful", numeric=True),
            Column(text="Good", numeric=True),
            Column(text="Not finished", numeric=True),
        ],
        (_row(dataset) for dataset in datasets),
    )
    n_subjects = sum(d.subjects for d in datasets)
    lead = f"{count(len(datasets), 'dataset')}, {count(n_subjects, 'subject')}"
    return [Section(title="Overview", name="overview", html=render("home", table=table, lead=lead))]


def _row(dataset: DatasetSummary) -> Row:
    def number(n: int, verdict: Verdict | None = None) -> Cell:
        return Cell(text=str(n) if n else "", verdict=verdict if n else None, sort=n)

    return Row(
        head=Cell(text=dataset.title, note=dataset.name, link=dataset.link),
        cells=(
            Cell(text=modality_words(dataset.modality)),
            Cell(text=str(dataset.subjects), sort=dataset.subjects),
            Cell(text=str(dataset.recordings), sort=dataset.recordings),
            number(dataset.tally.bad, "bad"),
            number(dataset.tally.doubtful, "doubtful"),
            number(dataset.tally.good, "good"),
            number(dataset.unfinished),
        ),
    )
