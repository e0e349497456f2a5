"""The plain masked autoencoder: what it sees, and what it learns."""

from __future__ import annotations

import pytest
import torch

from neuropipe.brainmae.peers.patch_mae import PatchMAE, PatchTask
from neuropipe.brainmae.pretraining import MONITOR
from neuropipe.brainmae.settings import ModelSettings
from neuropipe.training.trainer import train
from tests.unit.brainmae.builders import N_ROIS, random_segments
from tests.unit.brainmae.peers import cohorts


def network(seed=0, **model):
    torch.manual_seed(seed)
    sizes = ModelSettings.model_validate({"width": 16, "n_heads": 2} | model)
    return PatchMAE(sizes, N_ROIS, 8).eval()


def some_hidden(segments, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(segments.present.shape, generator=generator) < 0.5


def test_no_gradient_reaches_a_reconstruction_from_what_is_hidden():
    model, segments = network(), random_segments()
    hidden = some_hidden(segments)
    x = segments.x.clone().requires_grad_(requires_grad=True)
    model(x, ~hidden, segments.valid, segments.start).square().sum().backward()
    assert (x.grad[hidden] == 0).all()
    assert (x.grad[~hidden].abs().amax(-1) > 0).all()


@torch.no_grad()
def test_padding_segments_change_nothing():
    model, segments = network(), random_segments(k=5)
    given = ~some_hidden(segments)
    valid = segments.valid.clone()
    valid[:, 3:] = False
    given = given & valid[..., None]
    long = model(segments.x, given, valid, segments.start)[:, :3]
    short = model(segments.x[:, :3], given[:, :3], valid[:, :3], segments.start[:, :3])
    torch.testing.assert_close(long, short, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_rois_are_told_by_their_codes_not_their_place():
    model, segments = network(), random_segments()
    given = ~some_hidden(segments)
    wanted = model(segments.x, given, segments.valid, segments.start)
    order = torch.randperm(N_ROIS, generator=torch.Generator().manual_seed(3))
    model.encoder.roi.copy_(model.encoder.roi[order].clone())
    moved = model(segments.x[:, :, order], given[:, :, order], segments.valid, segments.start)
    torch.testing.assert_close(moved, wanted[:, :, order], rtol=1e-4, atol=1e-5)


def test_depth_and_width_are_brainmaes():
    model = network(n_blocks=3, n_encoder=2, n_decoder=2, ffn_factor=4)
    assert len(model.encoder.layers.layers) == 5
    assert len(model.decoder.layers) == 2
    assert model.decoder.layers[0].linear1.out_features == 64


@pytest.mark.parametrize("ratio", [None, 0.5])
def test_runs_of_a_batch_hide_the_same_share_which_changes_from_batch_to_batch(ratio):
    settings = cohorts.quick()
    if ratio is not None:
        mask = settings.mask.model_copy(update={"low": ratio, "high": ratio})
        settings = settings.model_copy(update={"mask": mask})
    runs = cohorts.twins(4)
    task = PatchTask(PatchMAE(settings.model, runs.n_rois, 4), runs, settings)
    counts = set()
    for step in range(20):
        hidden = task.draw(step, 3, torch.Generator().manual_seed(step)).hidden
        found = set(hidden.sum(-1).flatten().tolist())
        assert len(found) == 1
        counts |= found
    assert counts == {3} if ratio is not None else len(counts) > 3
    assert max(counts) <= round(0.8 * cohorts.N_ROIS)


def test_it_learns_hidden_rois_from_their_twins():
    settings, runs = cohorts.quick(200, steps_per_epoch=100), cohorts.twins()
    torch.manual_seed(0)
    model = PatchMAE(settings.model, runs.n_rois, 4)
    task = PatchTask(model, runs, settings, cohorts.twins(3, first_seed=100))
    done = train(task, settings.pretraining, seed=0, monitor=MONITOR, scratch=None, progress=False)
    assert done.history[-1]["train_loss"] < 0.8 * done.history[0]["train_loss"]
    assert done.best > 0.3
    size = settings.segments.n_segments
    features = model.features(runs.segments(0, settings.segments), size)
    assert features.shape == (1, 32)
    assert torch.isfinite(features).all()
