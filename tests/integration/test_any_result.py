"""Whatever an analysis writes, its pages stand: no error, nothing unescaped, nothing empty."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuropipe.plotting import new_figure
from neuropipe.report.cohort import Missing, SubjectResults
from neuropipe.report.home import home_sections, read_summary
from neuropipe.report.index import index_sections
from neuropipe.report.page import write_page
from neuropipe.report.sections import Section
from neuropipe.report.settings import DatasetCard, ReportSettings
from neuropipe.report.subject import subject_sections
from neuropipe.results import GROUP, VERDICTS, Metric, Result, ResultFigure

from ..unit.report.html import Page

HOSTILE = (
    "<evil>", "</dd></table></section><evil>", '"><evil onclick="alert(1)">', "' onload='alert(1)",
    "<script>alert(1)</script>", "</script><evil>", "{{ 7 * 7 }}{% raw %}", "javascript:alert(1)",
    "[a, b]", "[", "a [1] 2", "&lt;evil&gt; &amp; &", "%3Cevil%3E", "x" * 300, "\u202e\u0000\n\t",
    "10.1000/x\"><evil>", "https://doi.org/10.1000/<evil>", "-1.5e300 1 2.0", "\\1 \\g<0>",
)  # fmt: skip
SAFE_TAGS = {
    "p", "a", "h1", "h3", "h4", "div", "span", "small", "ul", "li", "dl", "dt", "dd", "table",
    "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "details", "summary", "code",
    "pre", "button", "strong", "br", "header", "script", "svg", "line", "circle", "title", "text",
}  # fmt: skip

words = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
named = words.filter(lambda text: text.strip())
numbers = st.floats(allow_nan=False, allow_infinity=False)
metrics = st.builds(
    Metric,
    name=named,
    value=st.none() | numbers,
    unit=words,
    description=words,
    baseline=st.none() | numbers,
    baseline_name=words,
    chance=st.none() | numbers,
    interval=st.none() | st.tuples(numbers, numbers),
    n=st.none() | st.integers(0, 10**12),
    seed=st.none() | st.integers(0, 10**12),
    split=words,
    verdict=st.none() | st.sampled_from(VERDICTS),
    bounds=words,
    better=st.sampled_from(["higher", "lower", ""]),
)
nested = st.recursive(
    st.none() | numbers | words, lambda inner: st.lists(inner) | st.dictionaries(words, inner),
    max_leaves=5,
)  # fmt: skip
provenances = st.fixed_dictionaries(
    {},
    optional={
        "command": words,
        "software": st.dictionaries(words, words, max_size=2),
        "git_commit": words,
        "platform": words,
        "device": words,
        "seed": st.none() | st.integers(),
        "settings": st.dictionaries(words, nested, max_size=2),
        "inputs": st.lists(st.fixed_dictionaries({"path": words, "sha256": words}), max_size=2),
        "wall_time": numbers,
    },
)


of_any = named | st.just("sub-1")  # a result over all recordings of the subject


@st.composite
def results(draw: st.DrawFn, figure: Path, recordings: st.SearchStrategy[str] = of_any) -> Result:
    pictures = st.builds(
        ResultFigure, name=st.just("f"), title=words, caption=words, path=st.just(figure)
    )
    return Result(
        analysis=draw(st.sampled_from(["quality", "connectivity", "x_y"]) | named),
        dataset="d",
        recording=draw(recordings),
        subject="1",
        title=draw(words),
        metrics=draw(st.lists(metrics, max_size=4)),
        figures=draw(st.lists(pictures, max_size=2)),
        methods=draw(words),
        references=draw(st.dictionaries(words, words, max_size=3)),
        facts=draw(st.dictionaries(named, words, max_size=3)),
        warnings=draw(st.lists(named, max_size=3)),
        provenance=draw(provenances),
    )


cards = st.builds(
    DatasetCard, name=named, title=named, modality=named, license=named, citation=named
)
options = st.builds(
    ReportSettings, digits=st.integers(2, 8), key_metrics=st.integers(1, 20), rank_metric=words
)


def drawing(folder: Path) -> Path:
    path = folder / "f.svg"
    if not path.exists():
        figure = new_figure(1.0)
        figure.subplots().set_title("<evil> & 'quoted' \"twice\"")
        figure.savefig(path)
    return path


def check(sections: list[Section]) -> None:
    """Nothing runs, nothing breaks out of its place, no section is empty."""
    for section in sections:
        page = Page(section.html)
        assert section.title.strip()
        assert page.text.strip(), section.title
        assert page.tags <= SAFE_TAGS
        assert page.handlers == []
        assert page.open == [], "a tag was left open"
        assert all(str(image["src"]).startswith("data:image/") for image in page.images)
        for link in page.links:
            assert link.startswith(
                ("#", "https://doi.org/10.", "../../index.html", "index.html", "s")
            )
        # The summary for the home page is the only script, and JSON never ends one.
        assert ("script" in page.tags) <= ('id="np-summary"' in section.html)


slow = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@slow
@given(data=st.data(), card=cards, subject=named, chosen=options)
def test_a_page_of_any_results(
    tmp_path: Path, data: st.DataObject, card: DatasetCard, subject: str, chosen: ReportSettings
) -> None:
    found = data.draw(st.lists(results(drawing(tmp_path)), max_size=4))
    sections = subject_sections(card, subject, found, chosen)
    check(sections)
    names = [section.name for section in sections]
    assert names[0] == "overview"
    assert names[-3:] == ["methods", "provenance", "problems"]
    overview, problems = Page(sections[0].html).text, Page(sections[-1].html).text
    assert " ".join(card.title.split()) in overview
    for result in found:
        for warning in result.warnings:
            assert " ".join(warning.replace("\0", "").split()) in problems.replace("\0", "")


@slow
@given(data=st.data(), card=cards, chosen=options)
def test_an_index_of_any_results(
    tmp_path: Path, data: st.DataObject, card: DatasetCard, chosen: ReportSettings
) -> None:
    figure = drawing(tmp_path)
    own = st.lists(results(figure), max_size=2)
    lost = st.lists(st.builds(Missing, analysis=named, recording=named, reason=words), max_size=2)
    subjects = [
        SubjectResults(data.draw(named), f"sub-{i}.html", 1, data.draw(own), data.draw(lost))
        for i in range(data.draw(st.integers(0, 4)))
    ]
    group = data.draw(st.lists(results(figure, st.just(GROUP)), max_size=2))
    sections = index_sections(
        card, subjects, group, [m for s in subjects for m in s.missing], chosen
    )
    check(sections)
    index = tmp_path / "index.html"
    index.write_text(sections[0].html, encoding="utf-8")
    summary = read_summary(index, tmp_path)
    assert (summary.title, summary.subjects) == (card.title, len(subjects))
    check(home_sections([summary]))


def test_a_whole_file_of_hostile_results(tmp_path: Path) -> None:
    """MNE's frame escapes the titles, and what it adds stays apart from what we print."""
    evil = '<evil onclick="x">'
    bare = Result(analysis="a", dataset="d", recording=evil, title=evil, warnings=[evil])
    card = DatasetCard(name=evil, title=evil, modality=evil, license=evil, citation=evil)
    write_page(tmp_path / "p.html", evil, subject_sections(card, evil, [bare], ReportSettings()))
    page = Page((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "evil" not in page.tags
    assert page.handlers == []
    assert page.text.count("<evil") >= 8
