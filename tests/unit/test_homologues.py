from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.ingest.homologues import keep_present, pair_homologues, sides

PAIRS = [
    ("Precentral_L", "Precentral_R"),
    ("7Networks_LH_Vis_1", "7Networks_RH_Vis_1"),
    ("Left Hippocampus", "Right Hippocampus"),
    ("ctx-lh-bankssts", "ctx-rh-bankssts"),
    ("leftAmygdala", "rightAmygdala"),
    ("AmygdalaLeft", "AmygdalaRight"),
    ("L_V1_ROI", "R_V1_ROI"),
    ("AVAL", "AVAR"),
    ("SIADL", "SIADR"),
    ("L_V1_L", "R_V1_R"),
]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_names_of_the_field_are_paired(left, right):
    assert pair_homologues([right, "AVL", left], "auto") == [left, "n/a", right]
    assert sides([right, "AVL", left], [left, "n/a", right]) == ["R", "n/a", "L"]


def test_partner_must_exist():
    names = ["AVAL", "AIYR", "Precentral_L", "RID", "PVR", "DVA"]
    assert pair_homologues(names, "auto") == ["n/a"] * 6
    # A separated token tells the side without a partner; a grown letter may be part of the name.
    assert sides(names, ["n/a"] * 6) == ["n/a", "n/a", "L", "n/a", "n/a", "n/a"]


def test_alternating_and_none():
    assert pair_homologues(["a", "b", "c", "d"], "alternating") == ["b", "a", "d", "c"]
    assert sides(["a", "b"], ["b", "a"], "alternating") == ["L", "R"]
    assert pair_homologues(["x_L", "x_R"], "none") == ["n/a", "n/a"]
    assert sides(["x_L", "x_R"], ["n/a", "n/a"], "none") == ["n/a", "n/a"]
    with pytest.raises(SettingsError, match="3 units"):
        pair_homologues(["a", "b", "c"], "alternating")
    with pytest.raises(SettingsError, match="sideways"):
        pair_homologues(["a"], "sideways")


def test_absent_partner_is_forgotten():
    assert keep_present(["b", "a"], ["a"]) == ["n/a", "a"]


NAMES = st.lists(st.text("LRAVlrh_- lefigtLH1", min_size=1, max_size=8), unique=True, max_size=12)


@given(NAMES)
def test_pairing_is_mutual_and_never_with_oneself(names):
    partner = dict(zip(names, pair_homologues(names, "auto"), strict=True))
    for name, other in partner.items():
        if other != "n/a":
            assert other != name
            assert partner[other] == name
    paired = [n for n in names if partner[n] != "n/a"]
    side = dict(zip(names, sides(names, list(partner.values())), strict=True))
    assert all({side[n], side[partner[n]]} == {"L", "R"} for n in paired)


@given(NAMES)
def test_pairing_does_not_depend_on_order(names):
    forward = dict(zip(names, pair_homologues(names, "auto"), strict=True))
    backward = dict(zip(names[::-1], pair_homologues(names[::-1], "auto"), strict=True))
    assert forward == backward
