from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from neuropipe.errors import NeuropipeError, ResultError, SettingsError
from neuropipe.report.commands import report_subject
from neuropipe.report.settings import DatasetCard, ReportSettings
from neuropipe.report.subject import issues, subject_sections, verdict_sentence
from neuropipe.report.summary import Tally
from neuropipe.results import Metric, Result

from . import fakes
from .conftest import RUNS, Study
from .html import Page

CARD = DatasetCard.model_validate_json(fakes.CARD)
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">\' & "quoted"'


def test_a_page_says_everything_about_one_recording(study: Study) -> None:
    page = Page(study.page("sub-02"))
    result = Result.read(study.one[0], arrays=False)
    for metric in result.metrics:
        assert metric.name in page.text
        assert metric.description in page.text
    for name, value in result.facts.items():
        assert f"{name} {value}" in page.text
    assert "Estimator shrunk covariance" in page.text
    assert "Baseline" in page.text
    assert "without shrinkage" in page.text
    assert "0.780 to 0.840" in page.text
    assert "drift could not be computed. Needs an absolute baseline" in page.text
    assert "Covariances were shrunk [3] after scrubbing [2]." in page.text
    assert "[3] Ledoit O, Wolf M 2004." in page.text
    assert "ab" * 32 in page.text
    assert "neuropipe quality results/sub-02.nc" in page.text
    assert all(figure.caption in page.text for figure in result.figures)
    figures = [image["alt"] for image in page.images if image["alt"] != "MNE"]
    assert figures == [
        "Signals of all regions over time", "Power spectrum", "Correlation between regions",
    ]  # fmt: skip


def test_the_sections_come_in_order(study: Study) -> None:
    results = [Result.read(folder, arrays=False) for folder in study.many]
    sections = subject_sections(CARD, "01", results, ReportSettings())
    assert [s.title for s in sections] == [
        "Overview",
        "Quality",
        "Functional connectivity",
        "Methods",
        "Provenance",
        "Errors and warnings",
    ]
    assert all(s.html.strip() for s in sections)


def test_twelve_runs_are_one_table_and_folded_parts_below_three_megabytes(study: Study) -> None:
    html = study.page("sub-01")
    page = Page(html)
    assert len(html.encode()) < 3_000_000
    assert html.count("<details") >= 24
    for run in RUNS:
        assert run.removeprefix("task-rest_") in page.text
    assert page.text.count("Estimator shrunk covariance") == 1
    anchors = [link[1:] for link in page.links if link.startswith("#") and link != "#"]
    assert set(anchors) <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)


def test_nothing_is_loaded_from_elsewhere(study: Study) -> None:
    for name in ("sub-01", "sub-02", "index"):
        page = Page(study.page(name))
        assert [load for load in page.loads if not load.startswith("data:")] == []
        styles = " ".join(page.styles)
        assert "@import" not in styles
        assert "url(http" not in styles.replace('"', "").replace("'", "")


def test_the_same_results_give_the_same_bytes(study: Study, tmp_path: Path) -> None:
    output = tmp_path / "again.html"
    report_subject(
        dataset=fakes.CARD, subject="02", results=study.one, settings="{}", output=output
    )
    assert output.read_text(encoding="utf-8") == study.page("sub-02")


def test_issues_are_worst_first_and_name_their_recordings() -> None:
    def made(recording: str, **verdicts: str) -> Result:
        metrics = [Metric(name=n, value=1.0, verdict=v) for n, v in verdicts.items()]  # type: ignore[arg-type]
        return Result(
            analysis="quality", dataset="d", recording=recording, subject="1", metrics=metrics
        )

    found = issues(
        [made("sub-1_run-1", a="doubtful", b="good"), made("sub-1_run-2", a="doubtful", b="bad")]
    )
    assert [(i.verdict, i.name, [text for text, _ in i.places]) for i in found] == [
        ("bad", "b", ["run-2"]),
        ("doubtful", "a", ["all 2 recordings"]),
    ]
    assert found[0].places[0][1] == "#np-quality-sub-1_run-2"


def test_one_sentence_says_how_the_checks_came_out() -> None:
    assert verdict_sentence(Tally()) == "No check gave a verdict."
    assert verdict_sentence(Tally(good=1)) == "1 good check."
    assert verdict_sentence(Tally(good=6)) == "All 6 checks are good."
    assert verdict_sentence(Tally(bad=1, good=6)) == "1 bad and 6 good checks."


def test_hostile_text_is_printed_not_run(tmp_path: Path) -> None:
    made = fakes.quality("x", "sub-x", 1)
    made.title = HOSTILE
    made.methods = f"{HOSTILE} [{HOSTILE}]"
    made.references = {"k": HOSTILE}
    made.facts = {HOSTILE: HOSTILE}
    made.warnings = [HOSTILE]
    hostile = {"name": HOSTILE, "description": HOSTILE, "unit": HOSTILE}
    made.metrics = [replace(m, **hostile) for m in made.metrics]
    made.figures = [replace(f, title=HOSTILE, caption=HOSTILE) for f in made.figures]
    made.provenance = {**made.provenance, "command": HOSTILE, "settings": {HOSTILE: HOSTILE}}
    made.write(tmp_path / "r")
    card = json.loads(fakes.CARD) | {"title": HOSTILE, "citation": HOSTILE, "license": HOSTILE}
    output = tmp_path / "page.html"
    report_subject(
        dataset=json.dumps(card), subject="x", results=[tmp_path / "r"], settings="", output=output
    )
    page = Page(output.read_text(encoding="utf-8"))
    assert page.handlers == []
    assert not any("alert(" in script for script in page.scripts)
    assert page.text.count("<script>alert(1)</script>") >= 12
    assert [i["src"] for i in page.images if not str(i["src"]).startswith("data:")] == []


def test_a_missing_figure_is_one_line_and_nothing_is_written(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    shutil.copytree(study.one[0], folder)
    next((folder / "figures").iterdir()).unlink()
    output = tmp_path / "page.html"
    with pytest.raises(ResultError, match=r"figures/.*complete result folder") as caught:
        report_subject(
            dataset=fakes.CARD, subject="02", results=[folder], settings="", output=output
        )
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"subject": "01"}, ResultError),
        ({"subject": "../02"}, NeuropipeError),
        ({"dataset": fakes.CARD.replace('"rest"', '"other"')}, ResultError),
        ({"dataset": "{}"}, SettingsError),
        ({"settings": '{"digits": 0}'}, SettingsError),
        ({"settings": '{"colour": "red"}'}, SettingsError),
        ({"results": [Path("nowhere")]}, ResultError),
    ],
)
def test_wrong_input_is_refused(
    study: Study, tmp_path: Path, change: dict[str, object], error: type[NeuropipeError]
) -> None:
    arguments = {
        "dataset": fakes.CARD, "subject": "02", "results": study.one, "settings": "",
        "output": tmp_path / "page.html",
    }  # fmt: skip
    with pytest.raises(error):
        report_subject(**(arguments | change))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_subject_without_results_still_gets_a_page(tmp_path: Path) -> None:
    output = tmp_path / "page.html"
    report_subject(dataset=fakes.CARD, subject="02", results=[], settings="", output=output)
    page = Page(output.read_text(encoding="utf-8"))
    assert "No check gave a verdict." in page.text
    assert "No errors or warnings." in page.text
    assert "Nothing was run." in page.text
