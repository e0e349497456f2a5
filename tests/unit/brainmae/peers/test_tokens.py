"""Tokens that are looked at, and the Transformer that looks at them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.brainmae.peers.tokens import TokenEncoder, Tokens, mean_state, run_layers
from neuropipe.brainmae.settings import ModelSettings
from tests.unit.brainmae.builders import N_ROIS, random_segments


def encoder(n_points=8, seed=0, **model):
    torch.manual_seed(seed)
    sizes = ModelSettings.model_validate({"width": 16, "n_heads": 2} | model)
    return TokenEncoder(sizes, N_ROIS, n_points).eval()


@given(st.integers(0, 999), st.integers(1, 4), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_given_tokens_come_back_to_their_places(seed, b, share):
    generator = torch.Generator().manual_seed(seed)
    shown = torch.rand(b, 3, 5, generator=generator) < share
    tokens = Tokens(shown)
    values = torch.randn(b, 15, 2, generator=generator)
    base = torch.full((b, 15, 2), 7.0)
    wanted = torch.where(shown.flatten(1)[..., None], values, base)
    assert torch.equal(tokens.into(tokens.of(values), base), wanted)
    assert torch.equal(tokens.real.sum(1), shown.sum((1, 2)))
    assert tokens.index.shape[1] == int(shown.sum((1, 2)).max())


@torch.no_grad()
def test_what_is_not_given_is_not_seen():
    network, segments = encoder(), random_segments(b=3)
    generator = torch.Generator().manual_seed(1)
    # Runs with different numbers of tokens, one with none: there is filler.
    shown = (
        torch.rand(3, 5, N_ROIS, generator=generator) < torch.tensor([0.2, 0.9, 0.0])[:, None, None]
    )
    tokens = Tokens(shown)
    first = network(segments.x, tokens, segments.start)
    spoilt = torch.where(shown[..., None], segments.x, 1e6)
    second = network(spoilt, tokens, segments.start)
    real = torch.nn.functional.pad(tokens.real, (1, 0), value=True)
    assert torch.isfinite(first).all()
    torch.testing.assert_close(second[real], first[real], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_filler_does_not_change_a_run():
    network, segments = encoder(), random_segments(b=2)
    shown = torch.ones(2, 5, N_ROIS, dtype=torch.bool)
    shown[0, :, 3:] = False
    both = network(segments.x, Tokens(shown), segments.start)
    alone = network(segments.x[:1], Tokens(shown[:1]), segments.start[:1])
    torch.testing.assert_close(both[0, : alone.shape[1]], alone[0], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_every_token_sees_all_segments_and_rois():
    network, segments = encoder(), random_segments(b=1)
    before = network.states(segments.x, segments.present, segments.start)
    changed = segments.x.clone()
    changed[0, 4, 7] += 1
    after = network.states(changed, segments.present, segments.start)
    assert ((after - before).abs().amax(-1) > 1e-6).all()


@torch.no_grad()
def test_roi_and_time_are_told_by_codes():
    network, segments = encoder(), random_segments(b=1)
    same = segments.x[:, :1, :1].expand(segments.x.shape)
    h = network.states(same, segments.present, segments.start)[0].flatten(0, 1)
    assert torch.pdist(h).min() > 1e-3


def test_layers_start_from_different_weights():
    first, second, third = encoder(n_blocks=2, n_encoder=1).layers.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)
    assert not torch.equal(second.linear1.weight, third.linear1.weight)


@torch.no_grad()
def test_features_are_the_mean_over_windows_of_what_was_measured():
    network = encoder()
    segments = random_segments(b=2, k=6)
    segments.present[0, 2:] = False
    found = mean_state(network, segments, size=3)
    parts = []
    for first in (0, 3):
        part = segments.pick(slice(None), slice(first, first + 3))
        start = part.start - part.start[:, :1]
        parts.append(network.states(part.x, part.present, start))
    states = torch.cat(parts, dim=1)
    torch.testing.assert_close(found[0], states[0, :2].mean((0, 1)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1], states[1].mean((0, 1)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_last_window_that_overlaps_counts_its_new_segments_only():
    network, segments = encoder(), random_segments(b=1, k=5)
    found = mean_state(network, segments, size=3)
    first = network.states(segments.x[:, :3], segments.present[:, :3], segments.start[:, :3])
    last = network.states(segments.x[:, 2:], segments.present[:, 2:], segments.start[:, :3])
    states = torch.cat([first, last[:, 1:]], dim=1)
    torch.testing.assert_close(found[0], states[0].mean((0, 1)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_run_of_which_nothing_was_measured_has_features_of_zero():
    network, segments = encoder(), random_segments(b=2)
    segments = replace(segments, present=torch.zeros_like(segments.present))
    assert (mean_state(network, segments) == 0).all()


@pytest.mark.parametrize("enabled", [True, False])
def test_torchs_shortcut_is_left_as_it_was(enabled):
    network = encoder()
    before = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(enabled)
        run_layers(network.layers, torch.randn(1, 4, 16), torch.ones(1, 3, dtype=torch.bool))
        assert torch.backends.mha.get_fastpath_enabled() is enabled
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
