"""Invariances of the network, and that their measures see what breaks them."""

from __future__ import annotations

import pytest
import torch

from neuropipe.brainmae.heldout import stacked
from neuropipe.brainmae.proofs.cohorts import Plan, runs_of
from neuropipe.brainmae.proofs.invariances import (
    attention_maps,
    checks,
    gradient_at_hidden,
    network,
    padding_difference,
    permutation_difference,
)
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.stats.checks import failures

VARIANTS = ("sg", "ag", "fdg", "vanilla", "possg")


@pytest.fixture(scope="module")
def segments():
    plan = Plan(n_training=2, n_test=0, duration=90, n_rois=20)
    return stacked(runs_of((plan.simulation(), range(2))), BrainmaeSettings())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("readout", ["pool", "flatten"])
def test_order_of_rois_does_not_matter_where_embeddings_go_along(segments, variant, readout):
    model = network(segments, variant=variant, readout=readout)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert permutation_difference(model, segments) < 1e-5
    assert permutation_difference(model, segments, carry=False) > 1e-2
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("head", ["gated", "mlp", "segment"])
def test_no_gradient_reaches_hidden_samples(segments, variant, head):
    model = network(segments, variant=variant, head=head, bilinear_rank=2)
    assert gradient_at_hidden(model, segments) == 0
    assert gradient_at_hidden(model, segments, leaky=True) > 1e-3


def test_attention_maps_are_those_of_the_blocks(segments):
    model = network(segments, variant="ag")
    static, adaptive = attention_maps(model, segments)
    assert static.shape == adaptive.shape == (2, 4, 20, 20)
    assert torch.equal(static[0], model.graph_attention()[0])
    assert torch.equal(static[0], static[1])
    assert not torch.equal(adaptive[0], adaptive[1])
    assert torch.allclose(adaptive.sum(-1), torch.ones(2, 4, 20), atol=1e-5)


def test_padding_changes_nothing_but_segments_do(segments, monkeypatch):
    model = network(segments)
    assert padding_difference(model, segments, 4) < 1e-5
    right = model.temporal.tokens

    def all_allowed(states, valid, start):
        tokens, allowed = right(states, valid, start)
        return tokens, torch.ones_like(allowed)

    monkeypatch.setattr(model.temporal, "tokens", all_allowed)
    assert padding_difference(model, segments, 4) > 1e-3


def test_the_proof_holds():
    rows = checks()
    assert failures(rows) == []
    assert len({row.name for row in rows}) == len(rows) >= 8
