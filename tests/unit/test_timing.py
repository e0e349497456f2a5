from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.ingest.timing import header_repetition_time, repetition_time


@given(st.floats(0.2, 20), st.floats(-0.009, 0.009))
def test_agreeing_sources_give_the_sidecar(value, difference):
    header = value * (1 + difference)
    assert repetition_time("x", {"RepetitionTime": value}, header, value) == value


@given(st.floats(0.2, 20), st.floats(0.02, 3))
def test_disagreement_is_refused_with_both_values(value, difference):
    other = value * (1 + difference)
    with pytest.raises(InputError) as caught:
        repetition_time("scan.nii", {"RepetitionTime": value}, other)
    assert f"{value:g} s" in str(caught.value)
    assert f"{other:g} s" in str(caught.value)


@pytest.mark.parametrize(
    ("zoom", "unit", "seconds"),
    [
        (2.5, "sec", 2.5),
        (2500, "msec", 2.5),
        (2.5e6, "usec", 2.5),
        (2.5, "unknown", 2.5),
        (2000, "sec", 2.0),
        (1, "unknown", None),
        (1, "sec", 1.0),
        (0, "sec", None),
        (float("nan"), "sec", None),
        (-2, "sec", None),
        (50, "hz", None),
    ],
)
def test_header_units(zoom, unit, seconds):
    found = header_repetition_time(zoom, unit)
    assert found == seconds if seconds is None else found == pytest.approx(seconds)


def test_the_setting_overrules_a_header_but_no_sidecar():
    assert repetition_time("x", {}, 1.0, 2.0) == 2.0
    assert repetition_time("x", {"RepetitionTime": 2.0}, 1.0, 2.0) == 2.0
    with pytest.raises(InputError, match=r"3 s in its sidecar, 2 s in read\.repetition_time"):
        repetition_time("x", {"RepetitionTime": 3.0}, 3.0, 2.0)


def test_every_source_is_enough_alone():
    assert repetition_time("x", {"RepetitionTime": 0.72}) == 0.72
    assert repetition_time("x", {"SamplingFrequency": 4}) == 0.25
    assert repetition_time("x", {"VolumeTiming": [0, 2, 4, 6]}) == 2
    assert repetition_time("x", {}, 2.0) == 2.0
    assert repetition_time("x", {"SamplingFrequency": "TR"}, None, 3.0) == 3.0


@pytest.mark.parametrize(
    ("sidecar", "text"),
    [
        ({}, "no repetition time"),
        ({"RepetitionTime": 2500}, "2500 s.*milliseconds"),
        ({"RepetitionTime": "2.5"}, "'2.5'"),
        ({"RepetitionTime": True}, "True"),
        ({"RepetitionTime": 0}, "RepetitionTime 0"),
        ({"RepetitionTime": float("nan")}, "nan"),
        ({"VolumeTiming": [0, 2, 9]}, "steps of 2 to 7 s"),
        ({"VolumeTiming": [0, "x"]}, "VolumeTiming"),
    ],
)
def test_impossible_sidecars_are_refused(sidecar, text):
    with pytest.raises(InputError, match=text):
        repetition_time("x", sidecar)
