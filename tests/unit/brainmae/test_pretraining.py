"""Random crops, the loss of a step, validation, and what a training is told apart by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from neuropipe.brainmae.data import runs_of_arrays
from neuropipe.brainmae.fit import new_model
from neuropipe.brainmae.inference import fill_in
from neuropipe.brainmae.masking import draw_hidden
from neuropipe.brainmae.pretraining import (
    MONITOR,
    Crops,
    PretrainTask,
    parameter_groups,
)
from tests.unit.brainmae.builders import N_ROIS, cohort, network, series, tiny

CPU = torch.device("cpu")


class Constant(nn.Module):
    """Reconstructs the same everywhere, and keeps what it was given."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value)))
        self.given = []

    def forward(self, x, given, valid, start):
        self.given.append(given)
        return self.value.expand_as(x)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def task_of(runs, settings=None, validation=None):
    used = settings or tiny()
    return PretrainTask(new_model(runs, used, 0), runs, used, validation)


def ramp(n_times, step=1.0):
    """A run whose every sample tells its time, in s, in z units up to a line."""
    x = np.arange(n_times) * step
    return np.repeat(x[:, None], N_ROIS, axis=1) * (1 + np.arange(N_ROIS))


# Crops


def test_crops_start_anywhere_from_which_they_fit():
    runs = runs_of_arrays([ramp(100), ramp(40), ramp(30, 2.0)], [1.0, 1.0, 2.0])
    crops = Crops(runs, tiny(segments={"n_segments": 3, "n_points": 15}))
    assert crops.duration == 45
    assert crops.n_starts.tolist() == [56, 1, 8]
    found = crops.draw(torch.zeros(600, dtype=torch.long), seeded(), CPU, augment=False)
    assert found.present.all()
    first = (found.x[:, 0, 0, 0] * runs.runs[0].sd[0] + runs.runs[0].mean[0]).round().int()
    assert set(first.tolist()) == set(range(56))
    mixed = crops.draw(torch.tensor([1, 2, 1]), seeded(), CPU, augment=False)
    assert mixed.valid.tolist() == [[True, True, False], [True] * 3, [True, True, False]]


def test_a_crop_is_the_segments_of_a_stretch_of_its_run():
    runs, settings = cohort(3), tiny()
    found = Crops(runs, settings).draw(torch.tensor([2]), seeded(4), CPU, augment=False)
    first = int(torch.rand(1, generator=seeded(4)) * 31)
    assert first > 0
    run = replace(runs.runs[2], n_samples=120 - first)
    stretch = replace(runs, start=runs.start[2:] + first, runs=[run])
    expected = stretch.segments(0, settings.segments).x[:, :6]
    assert torch.allclose(found.x, expected, atol=1e-6)


def test_augmentation_is_drawn_where_it_is_asked_for():
    runs = cohort(2)
    crops = Crops(runs, tiny(segments={"tr_augmentation": [1.5, 2.5]}))
    chosen = torch.tensor([0, 0, 1])
    plain = crops.draw(chosen, seeded(), CPU, augment=False)
    slower = crops.draw(chosen, seeded(), CPU, augment=True)
    assert slower.x.shape == plain.x.shape
    assert torch.equal(slower.valid, plain.valid)
    assert not torch.allclose(slower.x, plain.x, atol=0.05)
    r = np.corrcoef(slower.x.flatten(), plain.x.flatten())[0, 1]
    assert r > 0.95
    assert torch.equal(
        plain.x, Crops(runs, tiny()).draw(chosen, seeded(), CPU, augment=True).x
    )  # fmt: skip


# A batch


def test_a_batch_hides_a_share_of_its_own_in_each_run():
    task = task_of(cohort(3), tiny(mask={"low": 0.25, "high": 0.75}))
    batch = task.draw(0, 400, seeded())
    counts = batch.hidden.sum(-1)
    assert batch.hidden.shape == (400, 6, N_ROIS)
    assert (counts == counts[:, :1]).all()
    assert set(counts[:, 0].tolist()) == {2, 3, 4, 5, 6}
    assert (batch.hidden[:, 0] != batch.hidden[:, 1]).any()
    same = task.draw(7, 400, seeded())
    assert torch.equal(same.segments.x, batch.segments.x)
    assert torch.equal(same.hidden, batch.hidden)
    assert not torch.equal(task.draw(0, 400, seeded(1)).segments.x, batch.segments.x)


def test_nothing_is_hidden_from_the_plain_autoencoder():
    task = task_of(cohort(2), tiny(model={"variant": "ae"}))
    assert not task.draw(0, 20, seeded()).hidden.any()


def test_half_of_the_crops_are_negated():
    runs = cohort(2)
    plain, flipped = (
        task_of(runs, tiny(mask={"sign_flips": on})).draw(0, 200, seeded()) for on in (False, True)
    )
    sign = flipped.segments.x / plain.segments.x
    assert torch.allclose(sign, sign[:, :1, :1, :1].expand_as(sign))
    assert 70 < (sign[:, 0, 0, 0] < 0).sum() < 130
    assert torch.equal(plain.segments.present, flipped.segments.present)


def test_loss_scores_what_is_present_and_shows_what_is_not_hidden():
    x = series(120)
    x[:, 3] = 1.0  # absent
    task = task_of(runs_of_arrays([x, series(60, seed=1)], [1.0, 1.0]))
    task.model = Constant(0.5)
    batch = task.draw(0, 10, seeded())
    loss, parts = task.loss(batch)
    segments, hidden = batch.segments, batch.hidden
    assert torch.equal(task.model.given[0], segments.present & ~hidden)
    squares = (segments.x - 0.5).square().mean(-1)
    masked, visible = hidden & segments.present, ~hidden & segments.present
    assert not masked.all(-1).any()
    expected = 0.75 * squares[masked].mean() + 0.25 * squares[visible].mean()
    assert torch.allclose(loss, expected)
    assert parts["n_masked"] + parts["n_visible"] == segments.present.sum()
    loss.backward()
    assert torch.isfinite(task.model.value.grad)


# Validation


def test_validation_is_r2_of_hidden_entries_at_three_shares():
    held = runs_of_arrays([series(150, seed=8), series(60, seed=9)], [1.0, 1.0])
    task = task_of(cohort(2), validation=held)
    task.eval()
    with torch.no_grad():
        found = task.validate()
    assert list(found) == [MONITOR, "masked_r2_0.2", "masked_r2_0.5", "masked_r2_0.8"]
    assert found[MONITOR] == pytest.approx(np.mean(list(found.values())[1:]))
    error = total = 0.0
    generator = seeded()
    for i in range(2):
        segments = held.segments(i, task.settings.segments)
        hidden = draw_hidden(torch.tensor([0.5]), segments.x.shape[1], N_ROIS, generator)
        predicted = fill_in(task.model, segments, hidden, 6)
        error += float((predicted - segments.x)[hidden].square().sum())
        total += float(segments.x[hidden].square().sum())
    assert found["masked_r2_0.5"] == pytest.approx(1 - error / total, rel=1e-5)
    with torch.no_grad():
        assert task.validate() == found


def test_validation_of_known_predictions():
    x = series(90)
    x[:, 3] = 1.0
    task = task_of(cohort(2), validation=runs_of_arrays([x], [1.0]))
    task.model = Constant(0.0)
    assert task.validate()[MONITOR] == pytest.approx(0, abs=1e-6)
    task.model = Constant(1.0)
    assert -1.6 < task.validate()[MONITOR] < -0.9
    assert all(not given[:, :, 3].any() for given in task.model.given)


def test_without_validation_runs_nothing_is_validated():
    assert task_of(cohort(2)).validate() == {}


# Optimisation


@pytest.mark.parametrize("variant", ["sg", "ag", "vanilla", "possg"])
def test_embeddings_learn_faster_and_do_not_decay(variant):
    model = network(variant=variant)
    groups = parameter_groups(model, 5.0)
    listed = [id(p) for group in groups for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    special = [group for group in groups if "lr_scale" in group]
    assert len(special) == (1 if variant in ("sg", "ag") else 0)
    for group in special:
        assert [p is model.embedding for p in group["params"]] == [True]
        assert group["lr_scale"] == 5
        assert group["weight_decay"] == 0
    decayed = [p for group in groups if "weight_decay" not in group for p in group["params"]]
    assert any(p is model.encoder.input.weight for p in decayed)
    assert all(p.ndim > 1 for p in decayed)
    assert task_of(cohort(2)).parameter_groups()[-1]["lr_scale"] == 5


# Fingerprint


def test_the_fingerprint_follows_data_and_settings():
    runs = cohort(4)
    base = task_of(runs).fingerprint()
    assert task_of(cohort(4)).fingerprint() == base
    touched = [series(120, seed=k) for k in range(4)]
    touched[2][61, 5] += 1e-3  # between the samples that are looked at
    renamed = runs.units.rename(index={"roi3": "other"})
    one = replace(runs.runs[1], subject="new")
    others = {
        "fewer runs": task_of(runs.select([0, 1, 2])),
        "another order": task_of(runs.select([1, 0, 2, 3])),
        "one sample": task_of(runs_of_arrays(touched, [1.0] * 4)),
        "repetition time": task_of(replace(runs, runs=[replace(r, step=1.1) for r in runs.runs])),
        "subject": task_of(replace(runs, runs=[runs.runs[0], one, *runs.runs[2:]])),
        "roi": task_of(replace(runs, units=renamed)),
        "scaler": task_of(runs, tiny(scaler="dataset")),
        "mask": task_of(runs, tiny(mask={"high": 0.7})),
        "segments": task_of(runs, tiny(segments={"n_segments": 5})),
        "model": task_of(runs, tiny(model={"self_loops": True})),
    }  # fmt: skip
    found = {name: task.fingerprint() for name, task in others.items()}
    assert len({base, *found.values()}) == 1 + len(found)
    # The training itself is told apart by its own settings.
    assert task_of(runs, tiny(pretraining={"max_steps": 99})).fingerprint() == base
