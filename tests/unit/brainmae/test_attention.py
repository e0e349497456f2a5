"""Blocks beside torch's own and beside loops."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from neuropipe.brainmae.attention import (
    FeedForward,
    SelfAttentionBlock,
    StaticGraph,
    StaticGraphBlock,
    mix,
)

WIDTH, HEADS, FACTOR = 12, 3, 2


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seeded(build):
    """A module whose weights are the same every time, and not small."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build()
        for weight in module.parameters():
            nn.init.normal_(weight, std=0.4)
    return module.eval()


def static_block(*, dropout=0.0, **options):
    graph = {"qk_proj": False, "self_loops": False} | options
    return seeded(lambda: StaticGraphBlock(WIDTH, HEADS, FACTOR, dropout, **graph))


def self_block(dropout=0.0):
    return seeded(lambda: SelfAttentionBlock(WIDTH, HEADS, FACTOR, dropout))


# Parity


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_self_attention_block_is_torchs_encoder_layer(masked, training):
    ours = self_block()
    theirs = nn.TransformerEncoderLayer(
        WIDTH, HEADS, FACTOR * WIDTH, dropout=0.0, activation="gelu", batch_first=True,
        norm_first=True,
    )  # fmt: skip
    names = {
        "norm": "norm1", "ffn_norm": "norm2", "out": "self_attn.out_proj", "ffn.inner": "linear1",
        "ffn.outer": "linear2",
    }  # fmt: skip
    state = {
        f"{names[module]}.{kind}": value
        for module, _, kind, value in (
            (*name.rpartition("."), v) for name, v in ours.state_dict().items()
        )
        if module in names
    }
    state |= {f"self_attn.in_proj_{k}": getattr(ours.qkv, k) for k in ("weight", "bias")}
    theirs.load_state_dict(state)
    h = randn(4, 7, WIDTH)
    allowed = None
    if masked:
        allowed = randn(4, 7, seed=1) > 0
        allowed[:, 0] = True
    ours.train(training)
    theirs.train(training)
    hidden = None if allowed is None else ~allowed
    expected = theirs(h, src_key_padding_mask=hidden)
    assert torch.allclose(ours(h, allowed), expected, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_weights_are_torchs(masked):
    block = self_block()
    theirs = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    theirs.load_state_dict(
        {f"in_proj_{k}": getattr(block.qkv, k) for k in ("weight", "bias")}
        | {f"out_proj.{k}": getattr(block.out, k) for k in ("weight", "bias")}
    )
    h = randn(4, 7, WIDTH)
    allowed = torch.ones(4, 7, dtype=torch.bool)
    if masked:
        allowed[:, 4:] = False
    z = block.norm(h)
    _, expected = theirs(z, z, z, key_padding_mask=~allowed, average_attn_weights=False)
    found = block.attention(h, allowed)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(found.sum(-1), torch.ones(4, HEADS, 7), atol=1e-6)
    assert (found[..., ~allowed[0]] == 0).all()


@pytest.mark.parametrize("qk_proj", [False, True])
@pytest.mark.parametrize("self_loops", [False, True])
def test_static_block_is_a_loop_over_heads(qk_proj, self_loops):
    block = static_block(qk_proj=qk_proj, self_loops=self_loops)
    embedding, h = randn(6, WIDTH, seed=3), randn(5, 6, WIDTH)
    size = WIDTH // HEADS
    query = embedding @ block.graph.query.weight.T if qk_proj else embedding
    key = embedding @ block.graph.key.weight.T if qk_proj else embedding
    values = block.value(block.norm(h))
    mixed = []
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        scores = query[:, part] @ key[:, part].T / size**0.5
        if not self_loops:
            scores.fill_diagonal_(float("-inf"))
        weights = scores.softmax(dim=1)
        mixed.append(torch.stack([weights @ sample[:, part] for sample in values]))
    expected = h + block.out(torch.cat(mixed, dim=-1))
    hidden = functional.gelu(block.ffn.inner(block.ffn_norm(expected)))
    expected = expected + block.ffn.outer(hidden)
    found = block(h, block.graph(embedding))
    assert torch.allclose(found, expected, atol=1e-4)


def test_mix_is_an_einsum():
    values, attention = randn(4, 6, WIDTH), randn(HEADS, 6, 6, seed=1)
    by_head = values.view(4, 6, HEADS, WIDTH // HEADS)
    expected = torch.einsum("hij,mjhs->mihs", attention, by_head).flatten(2)
    assert torch.allclose(mix(values, attention), expected, atol=1e-5)


# The static graph


@pytest.mark.parametrize("qk_proj", [False, True])
@pytest.mark.parametrize("self_loops", [False, True])
def test_rows_of_the_static_graph_sum_to_one_without_a_diagonal(qk_proj, self_loops):
    graph = seeded(lambda: StaticGraph(WIDTH, HEADS, qk_proj=qk_proj, self_loops=self_loops))
    found = graph(randn(9, WIDTH))
    assert found.shape == (HEADS, 9, 9)
    assert torch.allclose(found.sum(-1), torch.ones(HEADS, 9), atol=1e-6)
    own = found.diagonal(dim1=1, dim2=2)
    assert (own > 0).all() if self_loops else (own == 0).all()
    assert (len(list(graph.parameters())) > 0) is qk_proj


def test_rois_of_like_embeddings_attend_to_each_other():
    graph = StaticGraph(WIDTH, HEADS, qk_proj=False, self_loops=False)
    two = 3 * randn(2, WIDTH)
    found = graph(two[[0, 1, 0, 1]] + 0.1 * randn(4, WIDTH, seed=1))
    assert (found[:, 0, 2] > 0.9).all()
    assert (found[:, 1, 3] > 0.9).all()


def test_without_self_loops_a_roi_is_told_by_the_others_alone():
    embedding = randn(6, WIDTH, seed=3)
    for self_loops in (False, True):
        block = static_block(self_loops=self_loops)
        h = randn(1, 6, WIDTH).requires_grad_()
        mixed = mix(block.value(block.norm(h)), block.graph(embedding))
        (gradient,) = torch.autograd.grad(mixed[0, 2].sum(), h)
        assert bool((gradient[0, 2] == 0).all()) is not self_loops
        assert (gradient[0, 3] != 0).any()


def test_large_embeddings_stay_finite_in_half_precision():
    graph = StaticGraph(WIDTH, HEADS, qk_proj=False, self_loops=False)
    found = graph((40 * randn(6, WIDTH)).to(torch.bfloat16))
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()
    block = static_block().to(torch.bfloat16)
    out = block(randn(2, 6, WIDTH).to(torch.bfloat16), found)
    assert out.dtype == torch.bfloat16
    assert torch.isfinite(out).all()


# Masks, dropout, shapes


def test_nodes_that_are_not_allowed_change_nothing():
    block = self_block()
    h, allowed = randn(3, 6, WIDTH), torch.ones(3, 6, dtype=torch.bool)
    allowed[:, 4:] = False
    other = h.clone()
    other[:, 4:] = 100 * randn(3, 2, WIDTH, seed=5)
    assert torch.allclose(block(h, allowed)[:, :4], block(other, allowed)[:, :4], atol=1e-5)
    assert torch.allclose(block(h, allowed)[:, :4], block(h[:, :4]), atol=1e-5)


@pytest.mark.parametrize("make", [static_block, self_block])
def test_dropout_acts_in_training_alone(make):
    block = make(dropout=0.5)
    h = randn(2, 6, WIDTH)
    rest = (block.graph(randn(6, WIDTH)),) if isinstance(block, StaticGraphBlock) else ()
    assert torch.equal(block(h, *rest), block(h, *rest))
    assert torch.equal(block(h, *rest), make(dropout=0.0)(h, *rest))
    block.train()
    assert not torch.equal(block(h, *rest), block(h, *rest))


def test_feed_forward_is_two_linear_maps():
    layer = seeded(lambda: FeedForward(WIDTH, FACTOR, 0.0))
    h = randn(2, 5, WIDTH)
    assert torch.allclose(layer(h), layer.outer(functional.gelu(layer.inner(h))))
    assert layer.inner.out_features == FACTOR * WIDTH
