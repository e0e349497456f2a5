"""Planted subjects are found by their halves, others are found by chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.brainmae.identification import identified, identify_halves
from neuropipe.brainmae.run_connectivity import half_correlations


def halves(seed, n=12, size=30, noise=0.3):
    rng = np.random.default_rng(seed)
    trait = rng.standard_normal((n, size))
    return [trait + noise * rng.standard_normal((n, size)) for _ in range(2)]


@given(st.integers(0, 50), st.floats(0.1, 10), st.floats(-5, 5))
def test_planted_subjects_are_found_whatever_the_scale(seed, scale, level):
    first, second = halves(seed)
    who = np.arange(12)
    order = np.random.default_rng(seed).permutation(12)
    right = identified(scale * first + level, second[order], who, who[order])
    assert right.all()


def test_best_is_the_largest_correlation():
    first, second = halves(0, noise=3.0)
    who = np.arange(12)
    expected = [
        int(np.argmax([np.corrcoef(a, b)[0, 1] for b in second])) == k for k, a in enumerate(first)
    ]
    assert identified(first, second, who, who).tolist() == expected


def test_strangers_are_found_by_chance():
    rng = np.random.default_rng(0)
    rate = np.mean(
        [
            identified(*rng.standard_normal((2, 20, 10)), np.arange(20), np.arange(20)).mean()
            for _ in range(50)
        ]
    )
    assert rate == pytest.approx(1 / 20, abs=0.02)


def test_another_run_of_the_same_subject_is_right():
    first, second = halves(1, n=4)
    who = ["a", "a", "b", "c"]
    swapped = second[[1, 0, 2, 3]]
    assert identified(first, swapped, who, who).all()


def test_halves_of_a_study_by_models_that_have_not_seen_them(study):
    folds = [store for store in study.stores if store.name != "final"]
    found = identify_halves(study.runs, folds, study.settings)
    assert found.chance == pytest.approx(0.1)
    assert found.embedding.shape == found.connectivity.shape == (10,)
    # Static connectivity needs no model: each query once, in whichever fold asked it.
    first, second = (half - half.mean(axis=0) for half in half_correlations(study.runs))
    who = np.array([run.subject for run in study.runs.runs])
    there, back = identified(first, second, who, who), identified(second, first, who, who)
    both = np.mean([there, back], axis=0)
    expected = [both[who == subject].mean() for subject in sorted(set(who))]
    assert sorted(found.connectivity) == pytest.approx(sorted(expected))
    low, high = found.interval(found.connectivity, 200, 0)
    assert low <= found.connectivity.mean() <= high


def test_nobody_is_asked_without_folds_or_subjects(study):
    assert identify_halves(study.runs, [study.final], study.settings) is None
    two = study.runs.select([0, 1, 2])
    folds = [store for store in study.stores if store.name != "final"]
    assert identify_halves(two, folds, study.settings) is None
