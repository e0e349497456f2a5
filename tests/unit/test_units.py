"""Units are told apart and paired by their table, and drawn alike in every recording."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.units import are_anonymous, column, draw_units, homologous_pairs
from tests.unit.connectivity.builders import unit_table


def test_pairs_are_mutual_and_left_first():
    units = unit_table(3)
    units.loc["L2", "homologue"] = "n/a"  # R2 still names it: no pair
    units = units.iloc[[1, 0, 2, 3, 4, 5]]  # R0 stands before L0
    pairs = homologous_pairs(units)
    named = [(units.index[i], units.index[j]) for i, j in pairs]
    assert named == [("L0", "R0"), ("L1", "R1")]
    assert homologous_pairs(units[["network"]]).shape == (0, 2)


def test_column_tells_units_apart_or_is_none():
    units = unit_table(3)
    assert list(column(units, "hemisphere")[:2]) == ["L", "R"]
    assert column(units, "region") is None
    units["network"] = ["a", "a", "n/a", "n/a", "a", "a"]
    assert column(units, "network") is None


def test_numbered_neurons_are_anonymous_parcels_are_not():
    assert are_anonymous("calcium", ["1", "2"])
    assert are_anonymous("calcium", ["roi_01", "roi_02"])
    assert not are_anonymous("calcium", ["AVAL", "AVAR", "VB11"])
    assert not are_anonymous("fmri", ["ROI001", "ROI002"])


@given(st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=30), st.integers(0, 12))
def test_a_unit_is_drawn_by_its_name_alone(names, most):
    drawn = draw_units(names, most)
    assert len(drawn) == min(len(names), most)
    assert (np.diff(drawn) > 0).all()
    backwards = draw_units(names[::-1], most)
    assert {names[i] for i in drawn} == {names[::-1][i] for i in backwards}
    # Without a unit that was not drawn the draw is the same.
    left = [i for i in range(len(names)) if i not in set(drawn.tolist())]
    fewer = names[: left[0]] + names[left[0] + 1 :] if left else names
    assert {fewer[i] for i in draw_units(fewer, most)} == {names[i] for i in drawn}
