"""Joint-embedding prediction: targets, their slow encoder, and that it learns without collapse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from neuropipe.brainmae.inference import parts_of
from neuropipe.brainmae.masking import draw_hidden
from neuropipe.brainmae.peers.jepa import JepaTask, TokenJepa
from neuropipe.brainmae.settings import ModelSettings
from neuropipe.training.trainer import train
from tests.unit.brainmae.builders import N_ROIS, random_segments
from tests.unit.brainmae.peers import cohorts
from tests.unit.training.tasks import same, weights


def network(seed=0, **model):
    torch.manual_seed(seed)
    sizes = ModelSettings.model_validate({"width": 16, "n_heads": 2} | model)
    return TokenJepa(sizes, N_ROIS, 8)


def task_of(runs, settings, seed=0, kind=JepaTask):
    torch.manual_seed(seed)
    return kind(TokenJepa(settings.model, runs.n_rois, 4), runs, settings)


def trained(task, **other):
    options = {"seed": 0, "monitor": None, "scratch": None, "progress": False}
    return train(task, task.settings.pretraining, **(options | other))


def test_predictions_come_from_what_is_given_and_train_the_context_alone():
    model, segments = network(), random_segments()
    hidden = torch.rand(segments.present.shape) < 0.5
    x = segments.x.clone().requires_grad_(requires_grad=True)
    predicted = model(x, ~hidden, segments.valid, segments.start)
    targets = model.targets(x, segments.present, segments.start)
    (predicted - targets).square()[hidden].sum().backward()
    assert (x.grad[hidden] == 0).all()
    assert (x.grad[~hidden].abs().amax(-1) > 0).all()
    assert all(p.grad is None for p in model.target.parameters())
    assert all(p.grad is not None for p in model.predictor.parameters())


def test_targets_are_standardised_without_dropout_and_zero_where_nothing_was_measured():
    model, segments = network(dropout=0.5).train(), random_segments()
    segments.present[0, 1, 2] = False
    found = model.targets(segments.x, segments.present, segments.start)
    assert torch.equal(found, model.targets(segments.x, segments.present, segments.start))
    torch.testing.assert_close(found[segments.present].mean(-1), torch.zeros(79), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        found[segments.present].std(-1, correction=0), torch.ones(79), atol=1e-3, rtol=0
    )
    assert (found[0, 1, 2] == 0).all()


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_target_follows_once_a_step(accumulate):
    runs = cohorts.twins(4)
    task = task_of(runs, cohorts.quick(4, max_steps=1, accumulate=accumulate))
    start = task.jepa.target.patch.weight.clone()
    assert torch.equal(start, task.jepa.predictor.encoder.patch.weight)
    trained(task)
    context, target = task.jepa.predictor.encoder.patch.weight, task.jepa.target.patch.weight
    assert not torch.equal(context, start)
    torch.testing.assert_close(target, 0.996 * start + 0.004 * context)


class Interrupted(JepaTask):
    """Fails at a step."""

    fails_at = -1

    def draw(self, step, size, generator):
        if step == self.fails_at:
            raise RuntimeError("interrupted")
        return super().draw(step, size, generator)


def test_an_interrupted_training_goes_on_exactly(tmp_path):
    runs, settings = cohorts.twins(6), cohorts.quick(12)
    wanted = task_of(runs, settings, kind=Interrupted)
    trained(wanted)
    task = task_of(runs, settings, kind=Interrupted)
    task.fails_at = 8
    with pytest.raises(RuntimeError, match="interrupted"):
        trained(task, scratch=tmp_path)
    task = task_of(runs, settings, kind=Interrupted)
    assert 0 < trained(task, scratch=tmp_path).resumed < 8
    assert same(weights(task), weights(wanted))


@torch.no_grad()
def probe(model, runs, settings, n_train):
    """R2 of hidden points as a linear function of their predicted states, in left-out runs."""
    generator = torch.Generator().manual_seed(1)
    states, points, owner = [], [], []
    for i in range(len(runs.runs)):
        segments = runs.segments(i, settings.segments)
        for part, _, _ in parts_of(segments, settings.segments.n_segments):
            ratio = torch.tensor([0.5])
            hidden = draw_hidden(ratio, part.x.shape[1], runs.n_rois, generator)
            predicted = model(part.x, part.present & ~hidden, part.valid, part.start)
            states.append(predicted[hidden].numpy())
            points.append(part.x[hidden].numpy())
            owner += [i] * len(points[-1])
    x, y, training = np.concatenate(states), np.concatenate(points), np.array(owner) < n_train
    error = y[~training] - Ridge(10.0).fit(x[training], y[training]).predict(x[~training])
    return 1 - (error**2).sum() / (y[~training] ** 2).sum()


def test_it_learns_what_hidden_rois_do_and_does_not_collapse():
    settings, runs, others = cohorts.quick(), cohorts.twins(), cohorts.twins(15, first_seed=100)
    task = task_of(runs, settings)
    model, size = task.jepa.eval(), settings.segments.n_segments
    before = probe(model, others, settings, 10)
    done = trained(task)
    first, last = done.history[0], done.history[-1]
    assert last["train_loss"] < 0.6 * first["train_loss"]
    assert last["train_spread"] > 0.5 * first["train_spread"]
    assert probe(model, others, settings, 10) > before + 0.2
    features = torch.cat(
        [model.features(others.segments(i, settings.segments), size) for i in range(15)]
    )
    assert features.shape == (15, 32)
    assert features.std(0).mean() > 0.01
