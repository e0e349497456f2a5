"""The proof of where thresholds win and lose can fail, on fewer and smaller data."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.simulate.representations import Design
from neuropipe.stats.checks import failures
from neuropipe.trsa.proofs import identification as proof
from neuropipe.trsa.topology.families import GEODESIC, RANK, RAW
from neuropipe.trsa.topology.grid import CATEGORIES


@pytest.fixture
def small(monkeypatch):
    design = Design(n_subjects=5, n_regions=3, n_conditions=12, n_channels=20)
    monkeypatch.setattr(proof, "_DESIGN", design)


def test_families_are_measured_per_seed_and_subject(small):
    for name, condition in proof.CONDITIONS.items():
        found = proof.measure(condition, [0, 1])
        expected = {RAW, RANK, *CATEGORIES, GEODESIC} | ({"cell"} if condition.cell else set())
        assert set(found) == expected, name
        assert all(scores.shape == (2, 5) for scores in found.values())


def test_scale_is_seen_by_raw_distances_only():
    found = {"scale alone": proof.measure(proof.CONDITIONS["scale alone"], [0])}
    assert found["scale alone"][RAW].mean() > 0.8
    assert found["scale alone"][RANK].mean() == pytest.approx(1 / 8, abs=0.05)


def test_median_split_wins_by_construction_only():
    own = proof.measure(proof.CONDITIONS["graph, own magnitudes"], [0])
    common = proof.measure(proof.CONDITIONS["graph, common magnitudes"], [0])
    assert (own["cell"] - own[RANK]).mean() > 0.1
    assert (common["cell"] - common[RANK]).mean() < 0.04


def test_the_best_cell_of_noise_is_optimistic(small):
    found = proof.optimism(proof.CONDITIONS["pure noise"], range(3))
    assert set(found) == {"rank", "un-nested", "nested"}
    assert (found["un-nested"].mean(axis=1) >= found["rank"].mean(axis=1)).all()
    assert found["un-nested"].mean() > found["nested"].mean()


def test_families_that_ignore_the_regions_fail():
    rng = np.random.default_rng(0)
    names = (RAW, RANK, *CATEGORIES, GEODESIC, "cell")
    blind = {
        condition: {name: rng.choice([0.0, 0.125, 0.25], (5, 24)) for name in names}
        for condition in proof.CONDITIONS
    }
    rows = [*proof._floor_and_noise(blind), *proof._winning(blind), *proof._losing(blind)]
    failed = {row.name for row in failures(rows)}
    assert len(failed) > 0.7 * len(rows)
    assert "identification, planted, no noise: worst family" in failed


def test_gaps_are_claimed_in_every_seed():
    scores = {RANK: np.full((2, 4), 0.5), "local": np.array([[0.4] * 4, [0.6] * 4])}
    (row,) = proof._below("somewhere", scores, ("local",))
    assert not row.passed
    assert row.measured == pytest.approx(-0.1)
    scores["local"][1] = 0.45
    assert proof._below("somewhere", scores, ("local",))[0].passed
