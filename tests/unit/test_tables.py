from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.ingest.tables import read_events, read_participant, read_sidecars, read_table


@pytest.fixture
def write(tmp_path):
    def _write(text, name="table.tsv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def test_events_are_sorted_and_typed(write):
    path = write(
        "onset\tduration\ttrial_type\tresponse_time\n4\t1\tcat\tn/a\n0.5\tn/a\tdog\t0.25\n"
    )
    events = read_events(path, 10)
    assert list(events["onset"]) == [0.5, 4.0]
    assert np.isnan(events["duration"].iloc[0])
    assert list(events["trial_type"]) == ["dog", "cat"]
    assert events["response_time"].dtype == np.float64
    assert events["response_time"].iloc[0] == 0.25


def test_events_need_no_trial_type_and_may_be_empty(write):
    assert list(read_events(write("onset\tduration\n1\t0\n"), 2).columns) == ["onset", "duration"]
    assert read_events(write("onset\tduration\n"), 2) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("onset\tduration\nfirst\t1\n", "row 1 has onset 'first'"),
        ("onset\tduration\n1\t1\nn/a\t1\n", "row 2 has no onset"),
        ("onset\tduration\n1\t-2\n", "duration -2 s"),
        ("onset\tduration\n302.6\t1\n", "302.6 s, the scan ends at 302.5 s"),
        ("onset\tduration\n1_0\t1\n", "row 1 has onset '1_0'"),
        ("onset\tduration\ninf\t1\n", "row 1 has onset 'inf'"),
        ("onset\n1\n", "no column duration"),
        ("onset\tonset\n1\t1\n", "'onset' stands twice"),
        ("onset\tduration\t\n1\t1\t1\n", "column 3"),
        ("onset\tduration\n1\t1\t1\n", "longer than its header"),
        ("onset\tduration\n1\t1\n1\t1\t1\n", "expected"),
        ("", "table"),
        (b"\xff\xfe\x00\x01", "table"),
    ],
)
def test_malformed_events_are_refused_in_one_line(write, text, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        read_events(write(text), 302.5)
    assert "\n" not in str(caught.value)


def test_participant_row(write):
    path = write(
        "participant_id\tage\tsex\tdiagnosis\tcode\nsub-01\t23\tF\tn/a\t007\n02\tn/a\tM\tASD\t008\n"
    )
    assert read_participant(path, "01") == {"age": 23.0, "sex": "F", "code": "007"}
    assert read_participant(path, "02") == {"sex": "M", "diagnosis": "ASD", "code": "008"}
    assert read_participant(path, "03") is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("participant_id\tage\nsub-01\t2\n01\t3\n", "sub-01 twice"),
        ("subject\nsub-01\n", "no column participant_id"),
        ("participant_id\nsub-../../x\n", "row 1"),
        ("participant_id\tage\nn/a\t3\n", "row 1"),
    ],
)
def test_malformed_participants_are_refused(write, text, complaint):
    with pytest.raises(InputError, match=complaint):
        read_participant(write(text), "01")


def test_sidecars_merge_from_general_to_specific(write):
    general = write('{"RepetitionTime": 2, "TaskName": "rest"}', "a.json")
    specific = write('\ufeff{"RepetitionTime": 3}', "b.json")
    assert read_sidecars([general, specific]) == {"RepetitionTime": 3, "TaskName": "rest"}
    assert read_sidecars([]) == {}


@pytest.mark.parametrize("text", ["{", "[1]", "", b"\xff\xff", "[" * 100_000])
def test_sidecars_that_are_no_json_object_are_refused(write, text):
    with pytest.raises(InputError, match="JSON"):
        read_sidecars([write(text, "x.json")])


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n", exclude_categories=("C",)))


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=5))
def test_any_text_cell_survives(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("t") / "x.tsv"
    lines = ["a\tb", *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    table = read_table(path)
    expected = [[None if c.strip() in ("", "n/a") else c.strip() for c in row] for row in rows]
    assert [list(row) for row in table.itertuples(index=False)] == expected
