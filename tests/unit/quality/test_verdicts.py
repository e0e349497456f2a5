from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.quality.settings import QualitySettings
from neuropipe.quality.verdicts import (
    Bounds,
    in_words,
    judge,
    judged,
    median,
    median_interval,
    median_of,
    number,
    share,
    share_of,
)
from neuropipe.settings import parse_settings

HIGH, LOW = Bounds(good=50, bad=25), Bounds(good=0.05, bad=0.2)


@pytest.mark.parametrize(
    ("value", "bounds", "verdict"),
    [
        (51, HIGH, "good"), (50, HIGH, "good"), (49, HIGH, "doubtful"), (25, HIGH, "doubtful"),
        (24.9, HIGH, "bad"), (0, LOW, "good"), (0.05, LOW, "good"), (0.1, LOW, "doubtful"),
        (0.2, LOW, "doubtful"), (0.21, LOW, "bad"), (None, LOW, None), (math.nan, HIGH, None),
    ],
)  # fmt: skip
def test_verdicts(value, bounds, verdict):
    assert judge(value, bounds) == verdict


def test_words():
    assert in_words(HIGH) == "good from 50, bad below 25"
    assert in_words(LOW, "mm") == "good up to 0.05 mm, bad above 0.2 mm"


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_better_values_never_get_worse_verdicts(good, bad, value, gain):
    if good == bad:
        return
    bounds = Bounds(good=good, bad=bad)
    rank = ["bad", "doubtful", "good"]
    better = value + gain if bounds.larger_is_better else value - gain
    assert rank.index(judge(better, bounds)) >= rank.index(judge(value, bounds))


def test_a_metric_without_bounds_has_no_verdict_and_keeps_its_direction():
    metric = judged("x", math.inf, unit="s", better="lower", description="d")
    assert (metric.value, metric.verdict, metric.bounds) == (None, None, "")
    assert (metric.unit, metric.better) == ("s", "lower")


@given(st.lists(st.floats(-1e3, 1e3) | st.just(math.nan), max_size=40))
def test_a_median_over_units_counts_only_known_units(values):
    metric = median_of("x", np.array(values), HIGH, unit="s")
    known = [v for v in values if math.isfinite(v)]
    assert metric.n == len(known)
    assert metric.value == (pytest.approx(np.median(known)) if known else None)
    assert (metric.verdict is None) == (not known)
    assert (metric.interval is None) == (len(known) < 6)
    if metric.interval:
        assert min(known) <= metric.interval[0] <= metric.value <= metric.interval[1] <= max(known)


def test_a_share_counts_all_entries_and_of_nothing_is_nothing():
    metric = share_of("x", np.array([True, False, False, False]), LOW)
    assert (metric.value, metric.n, metric.verdict) == (0.25, 4, "bad")
    empty = share_of("x", np.zeros(0, bool), LOW)
    assert (empty.value, empty.n, empty.verdict) == (None, 0, None)


def test_the_interval_of_a_median_covers_it():
    rng = np.random.default_rng(0)
    for n in (6, 25, 90):
        intervals = [median_interval(rng.standard_normal(n)) for _ in range(800)]
        covered = np.mean([low <= 0 <= high for low, high in intervals])
        assert 0.94 < covered <= 0.99


def test_judged_metric():
    metric = judged("drift", math.nan, LOW, description="why not")
    assert (metric.value, metric.verdict, metric.better) == (None, None, "lower")
    assert judged("x", 60, HIGH).better == "higher"
    assert judged("x", 60, HIGH, unit="s").bounds == "good from 50 s, bad below 25 s"


def test_small_helpers():
    assert number(np.float32(0.5)) == 0.5
    assert number(math.inf) is None
    assert median(np.array([np.nan, 1.0, 3.0, 8.0])) == 3
    assert math.isnan(median(np.array([np.nan])))
    assert share(np.array([True, False])) == 0.5
    assert math.isnan(share(np.array([], dtype=bool)))


def test_median_interval_covers_the_median_as_often_as_promised():
    rng = np.random.default_rng(0)
    for n in (8, 25, 100):
        hits = 0
        for _ in range(1000):
            low, high = median_interval(rng.exponential(size=n))
            hits += low <= math.log(2) <= high
        assert 0.94 <= hits / 1000 <= 1.0
    assert median_interval(np.arange(5.0)) is None
    assert median_interval(np.array([1.0, np.nan] * 6)) == (1.0, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        '{"fmri": {"tsnr": {"good": 5, "bad": 5}}}',
        '{"fmri": {"tsnr": {"good": 5}}}',
        '{"fmri": {"unknown": 1}}',
        '{"spikes": {"spatial": {"n_bins": 1}}}',
        '{"images": {"n_splits": 0}}',
        '{"seed": -1}',
        "[1]",
        "{",
    ],
)
def test_wrong_settings_are_refused(text):
    with pytest.raises(SettingsError):
        parse_settings(QualitySettings, text, "quality settings")


def test_every_setting_is_described():
    def walk(model, path=""):
        for name, field in model.model_fields.items():
            kind = field.annotation
            yield f"{path}{name}", field
            if hasattr(kind, "model_fields"):
                yield from walk(kind, f"{path}{name}.")

    fields = dict(walk(QualitySettings))
    assert len(fields) > 40
    assert [name for name, field in fields.items() if not field.description] == []
