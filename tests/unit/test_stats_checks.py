"""The rows of a validation table."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from neuropipe.stats.checks import at_least, at_most, between, failures, near

FINITE = st.floats(-1e6, 1e6)


@given(FINITE, FINITE)
def test_bounds_include_the_bound_and_complement_each_other(value, bound):
    assert at_least("x", value, bound).passed == (value >= bound)
    assert at_most("x", value, bound).passed == (value <= bound)
    assert at_least("x", bound, bound).passed
    assert at_most("x", bound, bound).passed


def test_nan_never_passes():
    rows = [
        at_least("x", math.nan, 0),
        at_most("x", math.nan, 0),
        near("x", math.nan, 0, 1),
        between("x", math.nan, 0, 1),
    ]
    assert failures(rows) == rows


def test_rows_read_as_a_table():
    row = near("auroc", 0.52, 0.5, 0.05, "5 folds")
    assert (row.threshold, row.passed, row.detail) == ("0.5 +- 0.05", True, "5 folds")
    assert between("ari", 0.5, 0.04, 0.43).passed is False
    assert between("ari", 0.5, 0.04, 0.43).threshold == "0.04 to 0.43"
