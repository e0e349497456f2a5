"""The running animal: how it moves and how much of the arena it comes by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.navigation import (
    open_field_path,
    ornstein_uhlenbeck,
    place_drive,
    speed_from_latent,
)
from neuropipe.simulate.settings_stimuli import SpikesSimulation
from neuropipe.simulate.spikes import simulate_session

STEP = 0.05


def occupancy(path: np.ndarray, arena: float, n_bins: int) -> np.ndarray:
    """Share of time in each of n_bins x n_bins squares."""
    edges = [[0, arena]] * 2
    counts = np.histogram2d(path[:, 0], path[:, 1], bins=n_bins, range=edges)[0]
    return counts / counts.sum()


def test_the_animal_of_a_session_comes_by_most_of_the_arena():
    visited = []
    for seed in range(8):
        made = SpikesSimulation(n_units=8, gain=0.0, n_hubs=0, place_share=0.0, speed_share=0.0)
        rng = np.random.default_rng(seed)
        speed = speed_from_latent(
            ornstein_uhlenbeck(round(made.duration / STEP), STEP, 2.0, rng), mean=0.15
        )
        path = open_field_path(speed, STEP, rng, arena=made.arena)
        visited.append((occupancy(path, made.arena, 20) > 0).mean())
    assert min(visited) > 0.8
    assert np.mean(visited) > 0.9


def test_a_session_runs_at_a_mouses_speed_and_sees_its_arena():
    made = SpikesSimulation(n_units=8, duration=330, visual_share=0, place_share=0.5, seed=1)
    found = simulate_session(made, np.random.default_rng(1))
    assert found.speed.mean() == pytest.approx(0.15, rel=0.2)
    assert (occupancy(found.position, 1.0, 10) > 0).mean() > 0.9
    centres = found.place_centres[found.drive_of == "place"]
    gap = np.linalg.norm(found.position[:, None] - centres, axis=2).min(axis=0)
    assert (gap == 0).all()  # every field has been visited


def test_no_part_of_the_arena_is_preferred():
    rng = np.random.default_rng(0)
    path = open_field_path(np.full(400_000, 0.3), STEP, rng)
    share = occupancy(path, 1.0, 4)
    assert share == pytest.approx(np.full((4, 4), 1 / 16), abs=0.02)


@pytest.mark.parametrize("turning", [0.3, 0.6, 1.5])
def test_a_heading_persists_as_long_as_it_should(turning):
    rng = np.random.default_rng(1)
    path = open_field_path(np.full(100_000, 0.1), STEP, rng, arena=1e6, turning=turning)
    move = np.diff(path, axis=0) / (0.1 * STEP)
    for seconds in (0.5, 2.0):
        lag = round(seconds / STEP)
        cosine = (move[:-lag] * move[lag:]).sum(axis=1).mean()
        assert cosine == pytest.approx(np.exp(-(turning**2) * seconds / 2), abs=0.06)


def test_a_straight_walk_is_mirrored_at_the_walls():
    rng = np.random.default_rng(2)
    path = open_field_path(np.full(2000, 0.2), STEP, rng, turning=0.0)
    move = np.diff(path, axis=0)
    away = ((path > 0.011) & (path < 0.989)).all(axis=1)
    size = np.abs(move[away[:-1] & away[1:]])
    np.testing.assert_allclose(size, np.broadcast_to(size[0], size.shape), atol=1e-12)
    assert len(np.unique(np.sign(move[away[:-1] & away[1:]]), axis=0)) == 4


def test_a_still_animal_stays():
    path = open_field_path(np.zeros(50), STEP, np.random.default_rng(0), arena=0.5)
    assert np.ptp(path, axis=0) == pytest.approx([0, 0], abs=1e-12)


@given(mean=st.floats(0.02, 0.5), spread=st.floats(0, 0.8))
@settings(max_examples=20, deadline=None)
def test_speed_has_its_mean_and_spread(mean, spread):
    latent = np.random.default_rng(0).standard_normal(200_000)
    speed = speed_from_latent(latent, mean=mean, spread=spread)
    assert (speed > 0).all()
    assert speed.mean() == pytest.approx(mean, rel=0.02)
    assert np.log(speed).std() == pytest.approx(spread, rel=0.02, abs=1e-9)


@given(
    x=st.floats(0, 1), y=st.floats(0, 1), width=st.floats(0.05, 0.5), peak=st.floats(0.1, 4),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None)
def test_place_fields_are_round_and_highest_in_their_centre(x, y, width, peak, seed):
    rng = np.random.default_rng(seed)
    centre = np.array([[x, y]])
    angle = rng.uniform(0, 2 * np.pi, 7)
    ring = centre + width * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    drive = place_drive(np.vstack([centre, ring]), centre, width=width, peak=peak)[:, 0]
    assert drive[0] == pytest.approx(peak)
    assert drive[1:] == pytest.approx(peak * np.exp(-0.5))


def test_every_unit_has_its_own_field():
    centres = np.array([[0.2, 0.2], [0.8, 0.5]])
    drive = place_drive(centres, centres, width=0.1, peak=2.0)
    assert np.diag(drive) == pytest.approx([2.0, 2.0])
    assert drive[0, 1] == drive[1, 0] < 0.01


@given(step=st.floats(0.01, 1), tau=st.floats(0.5, 5))
@settings(max_examples=20, deadline=None)
def test_latents_decay_by_the_same_factor_from_step_to_step(step, tau):
    x = ornstein_uhlenbeck(20_000, step, tau, np.random.default_rng(0))
    keep = np.exp(-step / tau)
    shock = x[1:] - keep * x[:-1]
    # Innovations are white and independent of the past: the process is exact at any step.
    assert shock.std() == pytest.approx(np.sqrt(1 - keep**2), rel=0.03)
    assert abs(np.corrcoef(shock, x[:-1])[0, 1]) < 0.04
    assert abs(np.corrcoef(shock[1:], shock[:-1])[0, 1]) < 0.04
