"""The network: shapes, gradients, symmetries, and what may not reach what."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from neuropipe.brainmae.attention import SelfAttentionBlock, StaticGraphBlock
from neuropipe.brainmae.masking import draw_hidden, reconstruction_loss
from neuropipe.brainmae.model import BrainMAE, sinusoids
from neuropipe.brainmae.settings import ModelSettings
from tests.unit.brainmae.builders import network, random_segments

VARIANTS = ("sg", "ag", "fdg", "vanilla", "ae", "possg")
STATIC = ("sg", "ag", "possg")
HEADS = ("gated", "mlp", "segment")
READOUTS = ("flatten", "pool")
#: Every variant, and every option at least once with a static graph.
MODELS = [
    *({"variant": variant, "readout": readout} for variant in VARIANTS for readout in READOUTS),
    *({"head": head, "bilinear_rank": rank} for head in HEADS for rank in (0, 3)),
    *(
        {"variant": variant, "self_loops": loops, "qk_proj": True}
        for variant in STATIC
        for loops in (False, True)
    ),
    {"n_blocks": 1, "n_encoder": 2, "n_decoder": 3, "ffn_factor": 1},
]


def words(model):
    return " ".join(str(value) for value in model.values())


def some_hidden(segments, ratio=0.5, seed=0):
    b, k, n, _ = segments.x.shape
    return draw_hidden(
        torch.full((b,), ratio), k, n, torch.Generator().manual_seed(seed)
    )  # fmt: skip


def output(model, segments, hidden, x=None):
    given = segments.present & ~hidden
    return model(segments.x if x is None else x, given, segments.valid, segments.start)


# Shapes and gradients


@pytest.mark.parametrize("options", MODELS, ids=words)
def test_shapes_and_a_finite_gradient_for_every_parameter(options):
    model, segments = network(**options).train(), random_segments()
    segments.valid[1, 3:] = False
    segments.present[1, 3:] = False
    segments.present[0, 1, 2] = False
    hidden = some_hidden(segments)
    predicted = output(model, segments, hidden)
    assert predicted.shape == segments.x.shape
    loss, _ = reconstruction_loss(segments.x, predicted, hidden, segments.present, 0.75)
    loss.backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_the_encoder_gives(variant):
    model, segments = network(variant=variant), random_segments(3, 4)
    found = model.encode(segments.x, segments.present, segments.valid, segments.start)
    assert found.run.shape == (3, 16)
    assert found.segments.shape == found.states.shape == (3, 4, 16)
    assert found.rois.shape == (3, 4, 8, 16)
    # States and ROIs of a segment know nothing of the other segments; latent states do.
    one = segments.pick(slice(None), slice(2, 3))
    alone = model.encode(one.x, one.present, one.valid, one.start)
    assert torch.allclose(alone.states[:, 0], found.states[:, 2], atol=1e-5)
    assert torch.allclose(alone.rois[:, 0], found.rois[:, 2], atol=1e-5)
    assert not torch.allclose(alone.segments[:, 0], found.segments[:, 2], atol=1e-3)


def test_variants_have_their_blocks_and_embeddings():
    def kinds(variant):
        return [type(block) for block in network(variant=variant, n_blocks=3).encoder.blocks]

    assert kinds("sg") == kinds("possg") == [StaticGraphBlock] * 3
    assert kinds("ag") == [StaticGraphBlock, SelfAttentionBlock, SelfAttentionBlock]
    assert kinds("fdg") == kinds("vanilla") == kinds("ae") == [SelfAttentionBlock] * 3
    for variant in VARIANTS:
        learnt = dict(network(variant=variant).named_parameters())
        assert ("embedding" in learnt) is (variant in ("sg", "ag", "fdg"))
        assert "embedding" in network(variant=variant).state_dict()


@pytest.mark.parametrize("variant", ["sg", "possg"])
def test_embeddings_start_at_their_spread(variant):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = ModelSettings(variant=variant, width=64, embedding_sd=0.4)
        found = BrainMAE(settings, 200, 8).embedding
    assert float(found.square().mean().sqrt()) == pytest.approx(0.4, rel=0.05)


# Symmetries


@pytest.mark.parametrize("variant", ["sg", "ag", "fdg"])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("head", HEADS)
def test_rois_in_another_order_give_outputs_in_that_order(variant, readout, head):
    model = network(variant=variant, readout=readout, head=head, bilinear_rank=2)
    segments, order = random_segments(), torch.randperm(8, generator=torch.Generator())
    hidden = some_hidden(segments)
    with torch.no_grad():
        plain = output(model, segments, hidden)
        model.embedding.copy_(model.embedding[order].clone())
        if readout == "flatten":
            weight = model.encoder.readout.linear.weight
            weight.copy_(weight.view(16, 8, 16)[:, order].flatten(1).clone())
        turned = output(
            model,
            type(segments)(
                segments.x[:, :, order], segments.valid, segments.present, segments.start
            ),
            hidden[:, :, order],
        )
    assert (turned - plain[:, :, order]).abs().max() < 1e-5
    assert (turned - plain).abs().max() > 0.01


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("self_loops", [False, True])
def test_no_output_has_a_gradient_at_a_hidden_sample(variant, self_loops):
    model = network(variant=variant, self_loops=self_loops, bilinear_rank=2)
    segments = random_segments()
    hidden = some_hidden(segments)
    x = segments.x.clone().requires_grad_()
    predicted = output(model, segments, hidden, x)
    for place in hidden.nonzero()[::7]:
        (gradient,) = torch.autograd.grad(predicted[tuple(place)].sum(), x, retain_graph=True)
        assert (gradient[hidden] == 0).all()
        assert (gradient[~hidden] != 0).any()
    other = torch.where(hidden[..., None], 1e4 * torch.randn_like(segments.x), segments.x)
    assert torch.equal(output(model, segments, hidden, other), predicted)


def test_what_is_hidden_may_hold_anything_without_harm_to_the_output():
    model, segments = network(), random_segments()
    hidden = some_hidden(segments)
    x = torch.where(hidden[..., None], torch.nan, segments.x)
    assert torch.equal(output(model, segments, hidden, x), output(model, segments, hidden))


def applied(model, segments):
    """Attention over ROIs that the last block applied, one subject at a time, (b, h, n, n)."""
    found, block = [], model.encoder.blocks[-1]

    def keep(_, inputs):
        static = isinstance(block, StaticGraphBlock)
        found.append(inputs[1] if static else block.attention(inputs[0])[0])

    hook = block.register_forward_pre_hook(keep)
    for run in range(len(segments.x)):
        one = segments.pick(slice(run, run + 1), slice(0, 1))
        model.encode(one.x, one.present, one.valid, one.start)
    hook.remove()
    return torch.stack(found)


@torch.no_grad()
def test_static_attention_is_the_same_for_all_subjects_and_adaptive_is_not():
    static = applied(network(variant="sg"), random_segments())
    assert torch.equal(static[0], static[1])
    adaptive = applied(network(variant="ag"), random_segments())
    assert (adaptive[0] - adaptive[1]).abs().max() > 1e-3
    assert torch.allclose(adaptive.sum(-1), torch.ones(2, 2, 8), atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("loops", [False, True])
def test_graph_attention_of_the_static_blocks(variant, loops):
    model = network(variant=variant, n_blocks=3, self_loops=loops, qk_proj=True)
    found = model.graph_attention()
    assert found.shape == ({"sg": 3, "possg": 3, "ag": 1}.get(variant, 0), 2, 8, 8)
    assert torch.allclose(found.sum(-1), torch.ones(found.shape[:3]), atol=1e-5)
    own = found.diagonal(dim1=-2, dim2=-1)
    assert (own > 0).all() if loops else (own == 0).all()


# Segments


@pytest.mark.parametrize("variant", ["sg", "ag"])
def test_padding_changes_nothing(variant):
    model, segments = network(variant=variant), random_segments(2, 6)
    segments.valid[:, 4:] = False
    segments.x[:, 4:] *= 50
    short = segments.pick(slice(None), slice(0, 4))
    hidden = some_hidden(segments)
    with torch.no_grad():
        whole = model.encode(segments.x, ~hidden, segments.valid, segments.start)
        part = model.encode(short.x, ~hidden[:, :4], short.valid, short.start)
        outputs = output(model, segments, hidden), output(model, short, hidden[:, :4])
    assert (whole.run - part.run).abs().max() < 1e-5
    assert (whole.segments[:, :4] - part.segments).abs().max() < 1e-5
    assert (outputs[0][:, :4] - outputs[1]).abs().max() < 1e-5
    segments.valid[:, 4:] = True
    with torch.no_grad():
        assert (output(model, segments, hidden)[:, :4] - outputs[1]).abs().max() > 1e-3


@torch.no_grad()
def test_order_of_segments_is_told_by_their_times_alone():
    model, segments = network(), random_segments(2, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    hidden = some_hidden(segments)
    plain = output(model, segments, hidden)
    turned = segments.pick(slice(None), order)
    assert (output(model, turned, hidden[:, order]) - plain[:, order]).abs().max() < 1e-5
    untimed = type(segments)(turned.x, turned.valid, turned.present, segments.start)
    assert (output(model, untimed, hidden[:, order]) - plain[:, order]).abs().max() > 1e-3


@torch.no_grad()
def test_rollout_is_a_share_of_the_valid_segments():
    model, segments = network(n_encoder=3), random_segments(3, 6)
    segments.valid[1, 2:] = False
    segments.valid[2] = False
    found = model.encode(segments.x, segments.present, segments.valid, segments.start)
    share = model.temporal.rollout(found.states, segments.valid, segments.start)
    assert share.shape == (3, 6)
    assert torch.allclose(share.sum(-1), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5)
    assert (share[~segments.valid] == 0).all()
    assert (share[segments.valid] > 0).all()


@torch.no_grad()
def test_rollout_is_the_product_of_the_layers_attention():
    model, segments = network(n_encoder=2), random_segments(1, 3)
    states = model.encode(segments.x, segments.present, segments.valid, segments.start).states
    layers = model.temporal.attention(states, segments.valid, segments.start)
    assert layers.shape == (2, 1, 2, 4, 4)
    first, second = ((layer[0].mean(0) + torch.eye(4)) / 2 for layer in layers)
    expected = (second @ first)[0, 1:]
    found = model.temporal.rollout(states, segments.valid, segments.start)
    assert torch.allclose(found[0], expected / expected.sum(), atol=1e-6)


@torch.no_grad()
def test_the_encoders_attention_is_the_one_it_applies():
    model, segments = network(n_encoder=1), random_segments(1, 3)
    states = model.encode(segments.x, segments.present, segments.valid, segments.start).states
    h, allowed = model.temporal.tokens(states, segments.valid, segments.start)
    layer = model.temporal.layers[0]
    values = layer._qkv(h)[2]
    mixed = model.temporal.attention(states, segments.valid, segments.start)[0] @ values
    by_hand = h + layer.out(mixed.transpose(1, 2).reshape(h.shape))
    by_hand = by_hand + layer.ffn(layer.ffn_norm(by_hand))
    assert torch.allclose(layer(h, allowed), by_hand, atol=1e-5)


# Odd inputs


@pytest.mark.parametrize(("variant", "readout"), itertools.product(VARIANTS, READOUTS))
def test_one_run_of_one_segment_and_all_rois_hidden(variant, readout):
    model, segments = network(variant=variant, readout=readout).train(), random_segments(1, 1)
    hidden = torch.ones_like(segments.present)
    predicted = output(model, segments, hidden)
    assert torch.isfinite(predicted).all()
    predicted.sum().backward()
    assert all(torch.isfinite(w.grad).all() for w in model.parameters())


def test_a_run_without_a_valid_segment_stays_finite():
    model, segments = network().train(), random_segments(2, 3)
    segments.valid[1], segments.present[1] = False, False
    predicted = output(model, segments, some_hidden(segments))
    loss, _ = reconstruction_loss(
        segments.x, predicted, some_hidden(segments), segments.present, 0.75
    )
    loss.backward()
    assert torch.isfinite(predicted).all()
    assert all(torch.isfinite(w.grad).all() for w in model.parameters())


@torch.no_grad()
@pytest.mark.parametrize("variant", ["sg", "ag"])
def test_bfloat16_autocast_is_close_to_float32(variant):
    model, segments = network(variant=variant, gain=1.0), random_segments()
    hidden = some_hidden(segments)
    plain = output(model, segments, hidden)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = output(model, segments, hidden)
    assert torch.isfinite(found).all()
    assert (found.float() - plain).abs().max() < 0.05 * plain.abs().max()


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_other_precisions_throughout(dtype):
    model, segments = network(gain=1.0), random_segments()
    hidden = some_hidden(segments)
    plain = output(model, segments, hidden)
    found = output(model.to(dtype), segments, hidden, segments.x.to(dtype))
    assert found.dtype == dtype
    assert (found.float() - plain).abs().max() < 0.02


# Position code


def test_position_codes():
    code = sinusoids(torch.tensor([0.0, 15.0, 300.0]), 64)
    assert code.shape == (3, 64)
    assert torch.equal(code[0], torch.cat([torch.zeros(32), torch.ones(32)]))
    rate = 2 * math.pi / 10.0  # the shortest period, in s
    assert code[1, 0] == pytest.approx(math.sin(15 * rate), abs=1e-4)
    assert code[2, 63] == pytest.approx(math.cos(2 * math.pi * 300 / 10_000), abs=1e-4)
    assert torch.allclose(code.square().sum(-1), torch.full((3,), 32.0))
    batch = sinusoids(torch.zeros(2, 5), 8)
    assert batch.shape == (2, 5, 8)


def test_times_that_differ_have_codes_that_differ():
    code = sinusoids(torch.arange(200) * 15.0, 64)
    distance = torch.cdist(code, code) + torch.eye(200)
    assert distance.min() > 0.1
