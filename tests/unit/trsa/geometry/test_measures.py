"""A number beside its null."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.trsa.geometry.measures import Measure


def test_null_interval_is_the_central_part() -> None:
    null = np.arange(1001) / 1000
    low, high = Measure(0.7, (0.6, 0.8), null, 0.3).null_interval
    assert low == pytest.approx(0.025)
    assert high == pytest.approx(0.975)


@pytest.mark.parametrize("null", [np.empty(0), np.full(5, np.nan)])
def test_without_null_there_is_no_interval(null: np.ndarray) -> None:
    assert np.isnan(Measure(0.7, (0.6, 0.8), null, np.nan).null_interval).all()


def test_undefined_draws_are_left_out() -> None:
    null = np.array([np.nan, 0.2, 0.2, np.nan])
    assert Measure(0.7, (0.6, 0.8), null, 0.3).null_interval == pytest.approx((0.2, 0.2))
