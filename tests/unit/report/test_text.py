from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neuropipe.report.text import (
    heading,
    link_dois,
    merge_numbers,
    number_citations,
    short_labels,
)


def test_citations_are_numbered_by_first_appearance_and_shared() -> None:
    cited = number_citations(
        [
            ("Data from somewhere [data].", {"data": "Doe 2020"}),
            ("Motion [power], then  shrinkage\n[ledoit; power].", {"ledoit": "LW", "power": "P"}),
            ("Again [p].", {"p": "P", "extra": "Never cited"}),
        ]
    )
    assert cited.paragraphs == (
        "Data from somewhere [1].",
        "Motion [2], then shrinkage [2, 3].",
        "Again [2].",
    )
    assert cited.references == ("Doe 2020", "P", "LW", "Never cited")


def test_paragraphs_of_many_runs_become_one_with_ranges() -> None:
    runs = [(f"Shrinkage {s} over 121 frames [lw].", {"lw": "LW 2004"}) for s in (0.2, 0.06, 0.1)]
    assert number_citations(runs).paragraphs == ("Shrinkage 0.06 to 0.2 over 121 frames [1].",)
    other = ("Shrinkage 0.5 over 121 frames [lw].", {"lw": "Another"})
    assert len(number_citations([*runs, other]).paragraphs) == 2
    texts = [("AAL2 in v1.2.3, 10 Hz.", {}), ("AAL3 in v1.2.3, 12 Hz.", {}), ("Plain.", {})]
    assert merge_numbers(texts) == texts


@given(st.lists(st.text(max_size=12), max_size=5))
def test_merging_loses_no_text_without_numbers(texts: list[str]) -> None:
    kept = [text for text, _ in merge_numbers([(t, {}) for t in texts])]
    plain = {" ".join(t.split()) for t in texts if not any(c.isdigit() for c in t)}
    assert plain <= set(kept)
    assert len(kept) == len(set(kept))


def test_brackets_without_a_known_key_and_repeated_paragraphs() -> None:
    cited = number_citations([("In [0, 1] as [x].", {})] * 3 + [("", {}), ("  ", {})])
    assert cited.paragraphs == ("In [0, 1] as [x].",)
    assert cited.references == ()


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12))
def test_every_number_in_the_text_has_a_reference(keys: list[str]) -> None:
    references = {key: f"Author {key}" for key in "abcdef"}
    cited = number_citations(
        [(f"Text {'x' * i} [{key}].", references) for i, key in enumerate(keys)]
    )
    for paragraph, key in zip(cited.paragraphs, keys, strict=True):
        number = int(paragraph.rpartition("[")[2].partition("]")[0])
        assert cited.references[number - 1] == f"Author {key}"


def test_dois_become_links_and_the_rest_is_escaped() -> None:
    html = link_dois("A <b> 2014. doi:10.1016/j.x(03)00096-4, and https://doi.org/10.1000/rest.")
    assert html == (
        'A &lt;b&gt; 2014. <a href="https://doi.org/10.1016/j.x(03)00096-4">'
        "doi:10.1016/j.x(03)00096-4</a>, and "
        '<a href="https://doi.org/10.1000/rest">doi:10.1000/rest</a>.'
    )


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    without_links = link_dois(f"doi:10.1000/{text}").replace('<a href="https://doi.org/', "")
    assert without_links.count("<") == without_links.count("</a>") <= 1
    assert 'href="' not in without_links


def test_labels_are_what_tells_recordings_apart() -> None:
    runs = ["sub-1_task-x_run-01", "sub-1_task-x_run-02"]
    assert list(short_labels(runs, "1").values()) == ["run-01", "run-02"]
    assert short_labels(["sub-1_task-x"], "1") == {"sub-1_task-x": "task-x"}
    assert short_labels(["sub-1"], "1") == {"sub-1": "sub-1"}
    assert short_labels(["a_b", "b_a"], "1") == {"a_b": "a_b", "b_a": "b_a"}
    assert short_labels(["1_a", "1_a", "1_b"], "1") == {"1_a": "a", "1_b": "b"}


@given(st.lists(st.from_regex(r"[a-c]{1,2}(_[a-c]{1,2}){0,3}", fullmatch=True), unique=True))
def test_labels_stay_distinct(names: list[str]) -> None:
    labels = short_labels(names, "a")
    assert list(labels) == names
    assert all(labels.values())

    assert len(set(labels.values())) == len(names)


def test_headings_fall_back_to_the_analysis() -> None:
    assert heading("neuro_former", " ") == "Neuro former"
    assert heading("x", "Title") == "Title"
