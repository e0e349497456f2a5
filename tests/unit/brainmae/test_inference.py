"""Whole runs through a network of bounded context."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.brainmae.features import run_blocks
from neuropipe.brainmae.inference import embed, fill_in, parts_of, windows
from neuropipe.brainmae.masking import draw_hidden
from tests.unit.brainmae.builders import N_ROIS, network, random_segments

SIZE = 4


def some_hidden(segments, ratio=0.5):
    b, k, n, _ = segments.x.shape
    return draw_hidden(torch.full((b,), ratio), k, n, torch.Generator().manual_seed(0))


def by_hand(model, segments, hidden, where):
    """A window, its time from 0, through the network."""
    part = segments.pick(slice(None), where)
    start = torch.arange(part.x.shape[1]) * 15.0
    with torch.no_grad():
        return model(part.x, part.present & ~hidden[:, where], part.valid, start.expand(2, -1))


# Windows


@given(n_segments=st.integers(1, 60), size=st.integers(1, 25))
@settings(max_examples=150)
def test_windows_cover_every_segment_once_with_all_the_context_there_is(n_segments, size):
    seen = []
    for where, new in windows(n_segments, size):
        positions = np.arange(n_segments)[where]
        assert len(positions) == min(size, n_segments)
        assert len(positions[new])
        assert new.stop == len(positions)
        seen += positions[new].tolist()
    assert seen == list(range(n_segments))
    assert len(windows(n_segments, size)) == -(-n_segments // size)


def test_windows_of_nothing():
    assert windows(0, 5) == []


def test_time_starts_anew_in_each_window():
    segments = random_segments(2, 10)
    parts = list(parts_of(segments, SIZE))
    assert [part.start[0].tolist() for part, _, _ in parts] == [[0.0, 15.0, 30.0, 45.0]] * 3
    assert torch.equal(parts[2][0].x, segments.x[:, 6:10])
    assert segments.start[0, -1] == 135


# Reconstruction


@pytest.mark.parametrize("variant", ["sg", "ag"])
def test_fill_in_of_a_long_run_is_that_of_its_windows(variant):
    model, segments = network(variant=variant), random_segments(2, 10)
    segments.present[0, 3, 2] = False
    hidden = some_hidden(segments)
    found = fill_in(model, segments, hidden, SIZE)
    expected = torch.cat(
        [
            by_hand(model, segments, hidden, slice(0, 4)),
            by_hand(model, segments, hidden, slice(4, 8)),
            by_hand(model, segments, hidden, slice(6, 10))[:, 2:],
        ],
        dim=1,
    )
    assert torch.equal(found, expected)
    assert not found.requires_grad


@pytest.mark.parametrize("k", [1, 2, SIZE])
def test_fill_in_of_a_run_within_the_context_is_the_networks_output(k):
    model, segments = network(), random_segments(2, k)
    hidden = some_hidden(segments)
    found = fill_in(model, segments, hidden, SIZE)
    assert torch.equal(found, by_hand(model, segments, hidden, slice(0, k)))


def test_fill_in_does_not_look_at_what_is_hidden_or_absent():
    model, segments = network(), random_segments(2, 6)
    segments.present[:, :, 3] = False
    hidden = some_hidden(segments, 0.7)
    found = fill_in(model, segments, hidden, SIZE)
    covered = (hidden | ~segments.present)[..., None]
    other = torch.where(covered, torch.nan, segments.x)
    changed = type(segments)(other, segments.valid, segments.present, segments.start)
    assert torch.equal(fill_in(model, changed, hidden, SIZE), found)
    assert torch.isfinite(found).all()


def test_everything_hidden_is_filled_in_by_the_same_for_all_runs():
    model, segments = network(), random_segments(2, 6)
    found = fill_in(model, segments, torch.ones_like(segments.present), SIZE)
    assert torch.isfinite(found).all()
    assert torch.allclose(found[0], found[1], atol=1e-6)


# Embedding


def encoded(model, segments, where=slice(None)):
    part = segments.pick(slice(None), where)
    start = part.start - part.start[:, :1]
    with torch.no_grad():
        return model.encode(part.x, part.present, part.valid, start)


@pytest.mark.parametrize("k", [1, 3, SIZE])
def test_embed_of_a_run_within_the_context_is_the_encoders(k):
    model, segments = network(), random_segments(1, k)
    found, expected = embed(model, segments, SIZE), encoded(model, segments)
    assert np.allclose(found.run, expected.run[0], atol=1e-6)
    assert np.allclose(found.states, expected.states[0], atol=1e-6)
    assert np.allclose(found.latents, expected.segments[0], atol=1e-6)
    flow = model.temporal.rollout(expected.states, segments.valid, segments.start)
    assert np.allclose(found.attention, flow[0].detach(), atol=1e-6)
    blocks = run_blocks(expected.rois, expected.run, segments.valid)
    assert set(found.blocks) == set(blocks)
    for name, block in blocks.items():
        assert np.allclose(found.blocks[name], block[0], atol=1e-5)


def test_embed_of_a_long_run():
    model, segments = network(), random_segments(1, 10)
    found = embed(model, segments, SIZE)
    first, second, last = (
        encoded(model, segments, where) for where in (slice(0, 4), slice(4, 8), slice(6, 10))
    )
    whole = encoded(model, segments)
    # States of segments alone do not know windows.
    assert np.allclose(found.states, whole.states[0], atol=1e-5)
    expected = torch.cat([first.segments[0], second.segments[0], last.segments[0, 2:]])
    assert np.allclose(found.latents, expected, atol=1e-6)
    run = (4 * first.run + 4 * second.run + 2 * last.run)[0] / 10
    assert np.allclose(found.run, run, atol=1e-6)
    assert found.attention.shape == (10,)
    assert found.attention.sum() == pytest.approx(1)
    assert (found.attention > 0).all()
    rest = run_blocks(whole.rois, run[None], segments.valid)
    for name, block in rest.items():
        assert np.allclose(found.blocks[name], block[0], atol=1e-4)


@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize("variant", ["sg", "vanilla"])
def test_features_have_one_shape_and_are_finite_for_any_run(k, variant):
    segments = random_segments(1, k)
    segments.present[0, 0] = False
    segments.x[0, 0] = 0
    found = embed(network(variant=variant), segments, SIZE)
    assert {name: block.shape for name, block in found.blocks.items()} == {
        "token": (16,),
        "dynamics": (N_ROIS * 16,),
        "connectivity": (N_ROIS * (N_ROIS - 1) // 2,),
    }
    assert all(np.isfinite(block).all() for block in found.blocks.values())
    assert np.isfinite(found.states).all()
    assert np.isfinite(found.latents).all()


def test_segments_of_padding_have_no_attention():
    segments = random_segments(1, 6)
    segments.valid[0, 5] = False
    found = embed(network(), segments, SIZE)
    assert found.attention[5] == 0
    assert found.attention.sum() == pytest.approx(1)
    segments.valid[:] = False
    assert (embed(network(), segments, SIZE).attention == 0).all()
