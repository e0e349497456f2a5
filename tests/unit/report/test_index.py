from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neuropipe.errors import LockError, ResultError
from neuropipe.report.cohort import Missing, SubjectResults, rank, unfinished_words
from neuropipe.report.commands import report_home, report_index
from neuropipe.report.index import index_sections
from neuropipe.report.settings import DatasetCard, ReportSettings
from neuropipe.results import Metric, Result, Verdict

from . import fakes
from .conftest import Study
from .html import Page

CARD = DatasetCard.model_validate_json(fakes.CARD)


def subject(
    name: str, snr: float | None, *verdicts: Verdict, better: str = "higher"
) -> SubjectResults:
    metrics = [Metric(name="snr", value=snr, better=better)]  # type: ignore[arg-type]
    metrics += [Metric(name=f"m{i}", value=1.0, verdict=v) for i, v in enumerate(verdicts)]
    result = Result(
        analysis="quality", dataset="rest", recording=name, subject=name, metrics=metrics
    )
    return SubjectResults(name, f"sub-{name}.html", 1, [result] if verdicts else [])


COHORT = [
    subject("none", 9.0),
    subject("bad", 90.0, "bad", "good"),
    subject("mixed", 10.0, "doubtful", "good"),
    subject("low", 10.0, "good", "good"),
    subject("high", 20.0, "good", "good"),
    subject("blank", None, "good"),
]


def test_subjects_rank_by_verdicts_then_by_the_main_metric() -> None:
    order = [s.subject for s in rank(COHORT, ReportSettings())]
    assert order == ["high", "low", "blank", "mixed", "bad", "none"]


def test_lower_can_be_better_and_the_settings_choose_the_metric() -> None:
    pair = [subject("a", 2.0, "good", better="lower"), subject("b", 1.0, "good", better="lower")]
    assert [s.subject for s in rank(pair, ReportSettings())] == ["b", "a"]
    assert [s.subject for s in rank(pair, ReportSettings(rank_metric="m0"))] == ["a", "b"]


def test_many_runs_do_not_rank_worse_than_few() -> None:
    many = subject("many", 1.0, "bad", *["good"] * 11)
    few = subject("few", 1.0, "bad", "good")
    assert [s.subject for s in rank([few, many], ReportSettings())] == ["many", "few"]


def test_the_page_lists_subjects_in_rank_order_with_relative_links(study: Study) -> None:
    page = Page(study.page("index"))
    links = [link for link in page.links if link.startswith("sub-")]
    assert set(links) == {"sub-01.html", "sub-02.html"}
    assert "../../index.html" in page.links
    assert "Functional connectivity of the dataset" in page.text
    sections = index_sections(CARD, COHORT, [], [], ReportSettings())
    ranking = Page(next(s.html for s in sections if s.name == "subjects"))
    assert ranking.links == [
        "sub-high.html", "sub-low.html", "sub-blank.html", "sub-mixed.html", "sub-bad.html",
        "sub-none.html",
    ]  # fmt: skip


def test_what_is_absent_is_listed_as_not_finished(study: Study) -> None:
    page = Page(study.page("index"))
    assert "Not finished" in page.text
    assert "quality: no result in 1 recording (sub-03)" in page.text
    assert "connectivity: no result in 1 recording (sub-03)" in page.text
    assert "recordings: no result" not in page.text
    assert "1 subject not finished." in page.text
    assert "sub-03.html" not in page.links


def test_what_is_not_finished_is_said_once_a_reason() -> None:
    missing = [
        Missing("quality", "a", "no result"),
        Missing("quality", "b", "no result"),
        Missing("quality", "c", "broken"),
        Missing("connectivity", "group", "no result"),
    ]
    assert unfinished_words(missing) == [
        "quality: no result in 2 recordings (a, b)",
        "quality: broken in 1 recording (c)",
        "connectivity: no result in the dataset",
    ]


def test_a_metric_without_spread_is_no_column() -> None:
    pair = [subject("a", 1.0, "good", "good"), subject("b", 2.0, "good", "bad")]
    sections = index_sections(CARD, pair, [], [], ReportSettings())
    text = Page(next(s.html for s in sections if s.name == "subjects")).text
    assert "snr" in text
    assert "m0" not in text
    assert "Doubtful" not in text


def test_a_broken_result_is_listed_too(study: Study, tmp_path: Path) -> None:
    results = tmp_path / "results" / "rest"
    for folder in study.one:
        shutil.copytree(folder, results / folder.parent.name / folder.name)
    (results / "quality" / "sub-02" / "metrics.json").write_text("{broken", encoding="utf-8")
    output = tmp_path / "index.html"
    report_index(dataset=fakes.CARD, results=results, lock=study.lock, output=output)
    text = Page(output.read_text(encoding="utf-8")).text
    assert "quality: Expecting property name" in text
    assert "connectivity: Expecting" not in text


def test_an_index_needs_its_lock_and_its_folder(study: Study, tmp_path: Path) -> None:
    output = tmp_path / "index.html"
    with pytest.raises(LockError, match="manifest lock rest"):
        report_index(
            dataset=fakes.CARD, results=study.results, lock=tmp_path / "no.tsv", output=output
        )
    with pytest.raises(ResultError, match="no folder"):
        report_index(dataset=fakes.CARD, results=tmp_path / "no", lock=study.lock, output=output)
    assert list(tmp_path.iterdir()) == []


def test_strips_show_how_subjects_spread() -> None:
    html = index_sections(CARD, COHORT, [], [], ReportSettings())[0].html
    assert html.count("<circle") == 4  # snr: one subject has no value, one no result
    assert "high: 20" in html
    assert "snr\u00a0↑ of 4 subjects, from 10 to 90" in html


def test_the_home_page_counts_what_the_index_found(study: Study) -> None:
    page = Page((study.root / "index.html").read_text(encoding="utf-8"))
    assert "rest/report/index.html" in page.links
    assert "1 dataset, 3 subjects" in page.text
    assert "Resting state of twelve volunteers rest fMRI 3 14" in page.text


def test_a_hostile_title_stays_text_on_the_way_home(study: Study, tmp_path: Path) -> None:
    title = "</script><script>alert(1)</script> & <b>"
    card = json.dumps(json.loads(fakes.CARD) | {"title": title})
    index = tmp_path / "rest" / "report" / "index.html"
    report_index(dataset=card, results=study.results, lock=study.lock, output=index)
    report_home(indices=[index], output=tmp_path / "index.html")
    for path in (index, tmp_path / "index.html"):
        page = Page(path.read_text(encoding="utf-8"))
        assert title in page.text
        assert not any(s.strip().startswith("alert(") for s in page.scripts)


def test_home_refuses_another_page(study: Study, tmp_path: Path) -> None:
    other = study.results / "report" / "sub-02.html"
    with pytest.raises(ResultError, match="no summary"):
        report_home(indices=[other], output=tmp_path / "index.html")
    assert list(tmp_path.iterdir()) == []
