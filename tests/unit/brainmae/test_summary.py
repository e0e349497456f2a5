"""Pooled scores and their differences beside sums by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.brainmae.summary import pooled_scores, score_difference

RATIOS = (0.2, 0.8)


def table(seed=0, n_subjects=6, n_seeds=2, gap=0.1, noise=0.3, runs=1) -> pd.DataFrame:
    """Scores of two predictors; the second one leaves `gap` more of the variance over."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(n_seeds):
        for subject in range(n_subjects):
            for run in range(runs):
                for ratio in RATIOS:
                    sst = rng.uniform(50, 200)
                    left = rng.uniform(0.5 - noise, 0.5 + noise)
                    for name, more in (("ours", 0.0), ("other", gap)):
                        rows.append(
                            (name, ratio, "all", f"s{subject}", f"r{run}", (left + more) * sst, sst,
                             f"seed-{s}_fold-{subject % 3}")
                        )  # fmt: skip
    columns = ["predictor", "ratio", "segments", "subject", "recording", "sse", "sst", "model"]
    return pd.DataFrame(rows, columns=columns)


def by_hand(scores, predictor, ratio):
    values = []
    for seed in ("seed-0", "seed-1"):
        rows = scores[
            scores["model"].str.startswith(seed)
            & (scores["predictor"] == predictor)
            & (scores["ratio"] == ratio)
        ]
        values.append(1 - rows["sse"].sum() / rows["sst"].sum())
    return np.array(values)


@settings(max_examples=10)
@given(st.integers(0, 100), st.integers(2, 8), st.integers(1, 3))
def test_pooled_over_subjects_mean_over_seeds(seed, n_subjects, runs):
    scores = table(seed, n_subjects, runs=runs)
    found = pooled_scores(scores, n_resamples=200, seed=0)
    assert [(p.predictor, p.ratio) for p in found] == [
        ("ours", 0.2), ("ours", 0.8), ("other", 0.2), ("other", 0.8),
    ]  # fmt: skip
    for p in found:
        values = by_hand(scores, p.predictor, p.ratio)
        assert p.value == pytest.approx(values.mean())
        assert p.seed_sd == pytest.approx(values.std(ddof=1))
        assert p.n == n_subjects
        assert p.interval[0] <= p.value + 1e-9
        assert p.interval[1] >= p.value - 1e-9


def test_large_subjects_weigh_more():
    scores = pd.DataFrame(
        {
            "predictor": "ours", "ratio": 0.5, "segments": "all", "subject": ["a", "b"],
            "sse": [90.0, 0.0], "sst": [90.0, 10.0], "model": "seed-0_fold-0",
        }
    )  # fmt: skip
    (pooled,) = pooled_scores(scores, n_resamples=200, seed=0)
    assert pooled.value == pytest.approx(0.1)
    assert np.isnan(pooled.seed_sd)


def test_scores_of_some_segments_are_left_out():
    scores = table()
    part = scores.assign(segments="drawn", sse=0.0)
    plain = pooled_scores(scores, n_resamples=200, seed=0)
    assert pooled_scores(pd.concat([scores, part]), n_resamples=200, seed=0) == plain


def test_one_subject_has_no_interval():
    scores = table(n_subjects=1)
    assert all(p.interval is None for p in pooled_scores(scores, n_resamples=200, seed=0))
    value, interval = score_difference(scores, 0.2, "ours", "other", n_resamples=200, seed=0)
    assert value == pytest.approx(0.1)
    assert interval is None


@settings(max_examples=10)
@given(st.integers(0, 100), st.floats(-0.3, 0.3))
def test_the_difference_is_paired(seed, gap):
    """Subjects differ widely, predictors by the same share of each subject's variance."""
    scores = table(seed, 8, gap=gap)
    value, interval = score_difference(scores, 0.8, "ours", "other", n_resamples=200, seed=0)
    assert value == pytest.approx(gap, abs=1e-9)
    assert interval == pytest.approx((gap, gap), abs=1e-9)
    back, _ = score_difference(scores, 0.8, "other", "ours", n_resamples=200, seed=0)
    assert back == pytest.approx(-gap, abs=1e-9)


def test_intervals_cover_the_truth():
    """Percentile intervals of 30 subjects cover 92 % (400 draws)."""
    hits = 0
    for seed in range(60):
        scores = table(seed, 30, n_seeds=1)
        scores = scores[(scores["predictor"] == "ours") & (scores["ratio"] == 0.2)]
        interval = pooled_scores(scores, n_resamples=200, seed=0)[0].interval
        hits += interval[0] < 0.5 < interval[1]
    assert hits >= 49  # three standard deviations below 92 %
