"""Features of runs are the functions of the states that their names say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.brainmae.features import (
    BLOCKS,
    BlockScale,
    run_blocks,
    state_connectivity,
    state_dynamics,
)


def states(seed=0, b=2, k=6, n=5, d=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(b, k, n, d, generator=generator)


def everything(h):
    return torch.ones(h.shape[:2], dtype=torch.bool)


@given(st.integers(0, 50), st.integers(3, 6), st.integers(2, 7))
def test_connectivity_is_the_correlation_of_states(seed, n, k):
    h = states(seed, 1, k, n)
    found = state_connectivity(h, everything(h))[0].numpy()
    x = h[0].numpy().astype(float)
    x = x - x.mean(axis=1, keepdims=True)  # what all ROIs share in a segment
    x = x - x.mean(axis=0)
    flat = x.transpose(1, 0, 2).reshape(n, -1)
    cosine = flat @ flat.T / np.outer(*2 * [np.linalg.norm(flat, axis=1)])
    expected = np.arctanh(np.clip(cosine, -0.999999, 0.999999))[np.triu_indices(n, 1)]
    assert found == pytest.approx(expected, abs=1e-3)


@given(st.integers(0, 50))
def test_connectivity_does_not_see_what_all_rois_share(seed):
    h = states(seed)
    shared = torch.randn(2, 6, 1, 4, generator=torch.Generator().manual_seed(seed + 1))
    level = torch.randn(2, 1, 5, 4, generator=torch.Generator().manual_seed(seed + 2))
    plain = state_connectivity(h, everything(h))
    moved = state_connectivity(h + shared + level, everything(h))
    assert plain.numpy() == pytest.approx(moved.numpy(), abs=1e-3)


def test_dynamics_are_root_mean_squares_of_steps():
    h = states()
    found = state_dynamics(h, everything(h)).numpy()
    steps = np.diff(h.numpy(), axis=1)
    assert found == pytest.approx(np.sqrt((steps**2).mean(axis=1)).reshape(2, -1), abs=1e-3)


def test_one_segment_has_no_dynamics():
    h = states(k=1)
    assert state_dynamics(h, everything(h)).numpy() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("function", [state_connectivity, state_dynamics])
def test_padding_changes_nothing(function):
    h = states()
    padded = torch.cat([h, 100 * states(9, k=3)], dim=1)
    valid = torch.cat([everything(h), torch.zeros(2, 3, dtype=torch.bool)], dim=1)
    plain = function(h, everything(h)).numpy()
    assert function(padded, valid).numpy() == pytest.approx(plain, abs=1e-4)


def test_a_gap_is_no_step():
    h = states(k=3)
    valid = torch.tensor([[True, False, True]] * 2)
    assert state_dynamics(h, valid).numpy() == pytest.approx(0, abs=1e-3)


def test_blocks_have_their_sizes():
    h = states()
    found = run_blocks(h, torch.zeros(2, 4), everything(h))
    assert tuple(found) == BLOCKS
    assert {name: tuple(block.shape) for name, block in found.items()} == {
        "token": (2, 4), "dynamics": (2, 20), "connectivity": (2, 10),
    }  # fmt: skip


@given(st.integers(0, 100), st.floats(0.01, 100), st.floats(-50, 50))
def test_scaled_blocks_have_mean_zero_and_total_variance_one(seed, scale, shift):
    rng = np.random.default_rng(seed)
    blocks = {
        "dynamics": scale * rng.standard_normal((7, 12)) + shift,
        "connectivity": rng.standard_normal((7, 3)),
    }
    found = BlockScale(blocks, ("connectivity", "dynamics"))(blocks)
    assert found.shape == (7, 15)
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-3)
    for part in (found[:, :3], found[:, 3:]):
        assert (part**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-2)


def test_scales_come_from_the_training_runs_alone():
    rng = np.random.default_rng(0)
    train = {"token": rng.standard_normal((6, 4))}
    scale = BlockScale(train, ("token",))
    other = rng.standard_normal((3, 4)) + 5
    total = train["token"].var(axis=0).sum()
    expected = (other - train["token"].mean(axis=0)) / np.sqrt(total)
    assert scale({"token": other}) == pytest.approx(expected, rel=1e-5)


def test_a_constant_block_is_zero():
    blocks = {"token": np.ones((4, 3))}
    assert (BlockScale(blocks, ("token",))(blocks) == 0).all()
