"""Results over all recordings of a subject: counted, missed, and no recording of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.report.cohort import collect, unfinished_words
from neuropipe.report.index import index_sections
from neuropipe.report.settings import DatasetCard, ReportSettings
from neuropipe.report.subject import issues, overview_section
from neuropipe.results import GROUP, Metric, Result, Verdict

from . import fakes
from .html import Page

CARD = DatasetCard.model_validate_json(fakes.CARD)
RUNS = ("run-1", "run-2")


def result(analysis: str, recording: str, subject: str, verdict: Verdict | None = "good") -> Result:
    metric = Metric(name=f"{analysis} number", value=1.0, verdict=verdict, better="higher")
    return Result(
        analysis=analysis, dataset="rest", recording=recording, subject=subject, title=analysis,
        metrics=[metric],
    )  # fmt: skip


def results_of(subject: str, verdict: Verdict | None = "good") -> list[Result]:
    """Quality of two runs, and one result over both."""
    runs = [result("quality", f"sub-{subject}_{run}", subject) for run in RUNS]
    return [*runs, result("trsa", f"sub-{subject}", subject, verdict)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three subjects; the third has no result over its runs."""
    for subject in ("01", "02", "03"):
        for one in results_of(subject)[: 2 if subject == "03" else 3]:
            one.write(tmp_path / one.analysis / one.recording)
    result("trsa", GROUP, "").write(tmp_path / "trsa" / GROUP)
    return tmp_path


def lock() -> list[LockedRecording]:
    file = LockedFile("data", "x")
    return [
        LockedRecording(f"sub-{s}_{run}", s, "", "", "", (file,))
        for s in ("01", "02", "03") for run in RUNS
    ]  # fmt: skip


def test_missing_results_of_subjects_are_named_once(folder: Path) -> None:
    subjects, group, unfinished = collect(folder, lock(), folder / "report")
    assert [s.n_recordings for s in subjects] == [2, 2, 2]
    assert [[(r.analysis, r.recording) for r in s.results][2:] for s in subjects] == [
        [("trsa", "sub-01")], [("trsa", "sub-02")], [],
    ]  # fmt: skip
    assert [r.analysis for r in group] == ["trsa"]
    assert [(m.analysis, m.recording) for m in unfinished] == [("trsa", "sub-03")]
    (said,) = unfinished_words(unfinished)
    assert said.startswith("trsa: no result in 1 ")
    assert "(sub-03)" in said


def test_the_index_counts_recordings_and_what_is_missing(folder: Path) -> None:
    subjects, group, unfinished = collect(folder, lock(), folder / "report")
    sections = index_sections(CARD, subjects, group, unfinished, ReportSettings())
    text = Page("".join(section.html for section in sections)).text
    assert "Recordings 6" in text
    assert "1 subject not finished." in text
    assert "trsa: no result in 1 " in text


def test_results_of_recordings_are_still_missed_by_name(folder: Path) -> None:
    shutil.rmtree(folder / "quality" / "sub-02_run-2")
    unfinished = collect(folder, lock(), folder / "report")[2]
    assert {(m.analysis, m.recording) for m in unfinished} == {
        ("quality", "sub-02_run-2"), ("trsa", "sub-03"),
    }  # fmt: skip


@pytest.mark.parametrize("first", [0, 2])
def test_the_overview_counts_runs_alone(first: int) -> None:
    """With their quality, and where only other analyses of them are there."""
    found = results_of("01")
    others = [result("connectivity", f"sub-01_{run}", "01") for run in RUNS]
    html = overview_section(CARD, "01", [*others, *found[first:]], ReportSettings()).html
    assert "Recordings 2" in Page(html).text
    alone = overview_section(CARD, "01", found[2:], ReportSettings()).html
    assert "Recordings 1" in Page(alone).text


def test_an_issue_of_the_subject_is_of_no_single_run() -> None:
    found = results_of("01", "doubtful")
    found[0].metrics[0] = Metric(name="trsa number", value=1.0, verdict="bad")
    bad, doubtful = issues(found)
    assert (bad.name, [text for text, _ in bad.places]) == ("trsa number", ["run-1"])
    assert doubtful.verdict == "doubtful"
    ((text, link),) = doubtful.places
    assert text == "details"
    assert link.startswith("#")
    # Beside a second result of that analysis it is named for what it is.
    second = result("trsa", "sub-01_run-2", "01")
    ((text, _),) = issues([*found[1:], second])[0].places
    assert text == "all recordings"
