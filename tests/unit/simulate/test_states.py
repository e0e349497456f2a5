"""Paths of hidden states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.states import dwell_times, dynamics_of, segment_states, state_path

STEP = 0.1


@settings(deadline=None)
@given(
    st.integers(2, 8),
    st.floats(60, 400),
    st.floats(3, 20),
    st.floats(1, 30),
    st.sampled_from([0, 1, -1]),
    st.integers(0, 1000),
)
def test_visits_last_as_long_as_they_may(n_states, duration, low, extra, order, seed):
    rng = np.random.default_rng(seed)
    path = state_path(n_states, duration, STEP, (low, low + extra), rng, order=order)
    assert len(path) == round(duration / STEP)
    assert path.min() >= 0
    assert path.max() < n_states
    stays = dwell_times(path, STEP)
    assert (stays >= low - STEP - 1e-9).all()
    assert (stays <= low + extra + STEP + 1e-9).all()
    if order:
        changes = path[np.flatnonzero(np.diff(path)) + 1].astype(int)
        before = path[np.flatnonzero(np.diff(path))].astype(int)
        assert ((changes - before) % n_states == order % n_states).all()


def test_all_states_have_the_same_share_whatever_the_dynamics():
    for effect in ("rate", "order", "none"):
        for label in (0, 1):
            dwell, order = dynamics_of(label, effect, (15.0, 45.0))
            rng = np.random.default_rng(7)
            paths = [state_path(5, 600, 1.0, dwell, rng, order=order) for _ in range(200)]
            share = np.bincount(np.concatenate(paths), minlength=5) / (200 * 600)
            assert share == pytest.approx(np.full(5, 0.2), abs=0.015)


def test_a_path_is_stationary():
    rng = np.random.default_rng(0)
    paths = np.stack([state_path(3, 60, 1.0, (5.0, 15.0), rng) for _ in range(4000)])
    # The chance of a change does not depend on the time since the start: 1 / mean dwell.
    chance = (np.diff(paths, axis=1) != 0).mean(axis=0)
    assert chance == pytest.approx(np.full(59, 0.1), abs=0.025)


def test_labels_change_what_they_say():
    assert dynamics_of(0, "rate", (15.0, 45.0)) == ((15.0, 25.0), 0)
    assert dynamics_of(1, "rate", (15.0, 45.0)) == ((35.0, 45.0), 0)
    assert dynamics_of(0, "order", (15.0, 45.0)) == ((15.0, 45.0), 1)
    assert dynamics_of(1, "order", (15.0, 45.0)) == ((15.0, 45.0), -1)
    assert dynamics_of(1, "none", (15.0, 45.0)) == ((15.0, 45.0), 0)


def test_segments_in_one_state_are_found():
    path = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    assert segment_states(path, np.array([0, 3, 5, 8])).tolist() == [0, 1, -1]
