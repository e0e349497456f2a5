"""`neuropipe report`: result folders to pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuropipe.errors import ResultError
from neuropipe.manifest import read_lock
from neuropipe.names import check_name
from neuropipe.report.cohort import collect
from neuropipe.report.home import home_sections, read_summary
from neuropipe.report.index import index_sections
from neuropipe.report.page import write_page
from neuropipe.report.settings import DatasetCard, ReportSettings
from neuropipe.report.subject import subject_sections
from neuropipe.results import Result
from neuropipe.settings import parse_settings


def report_subject(
    *, dataset: str, subject: str, results: Sequence[Path], settings: str, output: Path
) -> None:
    """Write the page of one subject.

    Parameters
    ----------
    dataset : str
        Name, title, modality, licence and citation as JSON.
    subject : str
        As in the lock.
    results : sequence of Path
        Result folders of the subject's recordings, in the order of the sections. Those of the
        dataset stand in its index.
    settings : str
        Options as JSON.
    output : Path
        The HTML file.

    Raises
    ------
    SettingsError
        If the dataset's card or the settings are wrong.
    ResultError
        If a result is incomplete or belongs to another dataset or subject; then nothing is written.
    """
    card = parse_settings(DatasetCard, dataset, "dataset")
    options = parse_settings(ReportSettings, settings, f"report settings of {card.name}")
    check_name(subject, "subject")
    read = [Result.read(folder, arrays=False) for folder in results]
    for result, folder in zip(read, results, strict=True):
        _check_owner(result, folder, card.name, subject)
    sections = subject_sections(card, subject, read, options)
    write_page(output, f"{card.name} · subject {subject}", sections)


def _check_owner(result: Result, folder: Path, dataset: str, subject: str) -> None:
    if result.dataset != dataset or result.subject != subject:
        raise ResultError(
            f"{folder} is of dataset {result.dataset}, subject {result.subject or '-'}",
            f"a result of dataset {dataset}, subject {subject}",
            "correct the list of results",
        )


def report_index(
    *, dataset: str, results: Path, lock: Path, output: Path, settings: str = "{}"
) -> None:
    """Write the index of a dataset's subjects.

    Parameters
    ----------
    dataset : str
        Name, title, modality, licence and citation as JSON.
    results : Path
        Results folder of the dataset, with one folder an analysis.
    lock : Path
        Lock table of the dataset; a subject whose results are absent is listed as not finished.
    output : Path
        The HTML file, beside the subjects' pages.
    settings : str
        Options as JSON.

    Raises
    ------
    SettingsError, LockError, ResultError
        If the card or settings, the lock or the results folder is wrong.
    """
    card = parse_settings(DatasetCard, dataset, "dataset")
    options = parse_settings(ReportSettings, settings, f"report settings of {card.name}")
    recordings = read_lock(lock, card.name)
    if not results.is_dir():
        raise ResultError(f"{results} is no folder", "the results of a dataset", "run it first")
    subjects, group, unfinished = collect(results, recordings, output.parent)
    sections = index_sections(card, subjects, group, unfinished, options)
    write_page(output, card.title, sections)


def report_home(*, indices: Sequence[Path], output: Path) -> None:
    """Write the page that leads to all datasets.

    Parameters
    ----------
    indices : sequence of Path
        Index pages of the datasets.
    output : Path
        The HTML file; links are relative to its folder.

    Raises
    ------
    ResultError
        If a file is no index page.
    """
    datasets = [read_summary(index, output.parent) for index in indices]
    write_page(output, "Datasets", home_sections(datasets))
