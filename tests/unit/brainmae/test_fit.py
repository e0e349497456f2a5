"""Training as a whole: it learns, it repeats, it resumes, and its card says what it is for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from neuropipe.brainmae import fit
from neuropipe.brainmae.data import runs_of_arrays
from neuropipe.brainmae.fit import card, new_model, pretrain, split_validation
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.pretraining import PretrainTask
from neuropipe.brainmae.settings import ModelSettings
from neuropipe.training.trainer import TrainingRun
from neuropipe.training.weights import load_weights, save_weights
from tests.unit.brainmae.builders import N_ROIS, cohort, random_segments, series, tiny
from tests.unit.brainmae.killed import KILLED_AT
from tests.unit.training.tasks import same

ROOT = Path(__file__).parents[3]


def short(**changes):
    return tiny(**{"pretraining": {"max_steps": 4, "steps_per_epoch": 2}, **changes})


def held_out_r2(model, runs, used):
    with torch.no_grad():
        return PretrainTask(model.eval(), runs, used, runs).validate()


@pytest.fixture(scope="module")
def learnt():
    used = tiny(pretraining={"max_steps": 150, "steps_per_epoch": 50})
    runs = cohort(16)
    return pretrain(runs, used, seed=0), runs, used


# Learning


def test_it_learns_to_fill_in_rois_of_subjects_it_has_not_seen(learnt):
    done, runs, used = learnt
    held = cohort(6, first_seed=100)
    untrained = held_out_r2(new_model(runs, used, 0), held, used)["masked_r2"]
    found = held_out_r2(done.model, held, used)
    assert untrained < 0.05
    assert found["masked_r2"] > 0.6
    assert found["masked_r2_0.2"] > found["masked_r2_0.8"] > 0.3
    # The groups alternate: a ROI goes with every second one, and that is all there is to know.
    scrambled = [series(120, seed=100 + k)[:, np.r_[1, 0, 2:N_ROIS]] for k in range(6)]
    mixed_up = runs_of_arrays(scrambled, [1.0] * 6)
    assert held_out_r2(done.model, mixed_up, used)["masked_r2"] < found["masked_r2"] - 0.1


def test_embeddings_show_the_groups(learnt):
    embedding = torch.nn.functional.normalize(learnt[0].model.embedding.detach(), dim=1)
    cosine = embedding @ embedding.T
    group = torch.arange(N_ROIS) % 2
    alike = group[:, None] == group
    own = torch.eye(N_ROIS, dtype=torch.bool)
    assert cosine[alike & ~own].mean() > cosine[~alike].mean() + 0.3


def test_what_a_pretraining_tells_of_itself(learnt):
    done, runs, used = learnt
    assert not done.model.training
    assert done.run.steps == 150
    assert done.subjects == sorted(runs.owners)
    assert len(done.validation) == 2
    assert set(done.validation) < set(done.subjects)
    assert done.run.best == max(row["masked_r2"] for row in done.run.history)
    apart = runs.select([i for i, owner in enumerate(runs.owners) if owner in done.validation])
    assert held_out_r2(done.model, apart, used)["masked_r2"] == pytest.approx(done.run.best)
    assert np.array_equal(done.scale, runs.pooled_scale())


# Repeating and resuming


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, second, other = (
        pretrain(cohort(12), short(), seed=seed).model.state_dict() for seed in (5, 5, 6)
    )
    assert same(first, second)
    assert not same(first, other)


def test_new_models_depend_on_their_seed_alone():
    runs, used = cohort(2), tiny()
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    models = [new_model(runs, used, seed).state_dict() for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(3), wanted)
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


@pytest.mark.slow
def test_a_killed_pretraining_ends_as_an_undisturbed_one(tmp_path):
    command = [sys.executable, "-m", "tests.unit.brainmae.killed", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    wanted, found = (
        load_file(tmp_path / name / "end.safetensors") for name in ("undisturbed", "killed")
    )
    assert same(found, wanted)
    assert found["facts"][1] == 30
    assert (tmp_path / "undisturbed" / "resumed.txt").read_text() == "0"
    resumed = int((tmp_path / "killed" / "resumed.txt").read_text())
    assert 0 < resumed < KILLED_AT


# Subjects


@given(
    runs_each=st.lists(st.integers(1, 3), min_size=1, max_size=40),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
@settings(max_examples=100)
def test_validation_is_split_off_by_subject(runs_each, share, seed):
    owners = [f"d/{k}" for k, n in enumerate(runs_each) for _ in range(n)]
    owners = list(np.random.default_rng(seed).permutation(owners))
    training, apart = split_validation(owners, share, seed)
    assert sorted(training + apart) == list(range(len(owners)))
    assert not {owners[i] for i in training} & {owners[i] for i in apart}
    count = round(share * len(runs_each)) if len(runs_each) >= 10 else 0
    assert len({owners[i] for i in apart}) == count
    assert (training, apart) == split_validation(owners, share, seed)


def test_another_seed_sets_other_subjects_apart():
    owners = [str(k) for k in range(40)]
    drawn = {tuple(split_validation(owners, 0.2, seed)[1]) for seed in range(5)}
    assert len(drawn) == 5


@pytest.fixture
def trained_on(monkeypatch):
    """What the training is given, without training."""
    seen = {}

    def train(task, optimisation, **rest):
        seen.update(task=task, **rest)
        return TrainingRun(0, False, None, [], 0.0, "none")

    monkeypatch.setattr(fit, "train", train)
    return seen


def two_runs_each(n):
    arrays = [series(120, seed=k) for k in range(2 * n)]
    return runs_of_arrays(arrays, [1.0] * (2 * n), subjects=[f"s{k // 2}" for k in range(2 * n)])


def test_validation_subjects_are_not_trained_on(trained_on):
    runs = two_runs_each(12)
    done = pretrain(runs, short(validation_share=0.25), seed=0)
    task = trained_on["task"]
    training, apart = set(task.crops.runs.owners), set(task.validation.owners)
    assert len(apart) == 3
    assert len(training) == 9
    assert not training & apart
    assert sorted(apart) == done.validation
    assert trained_on["monitor"] == "masked_r2"


@pytest.mark.parametrize(("n", "share"), [(9, 0.3), (12, 0.0)])
def test_too_few_subjects_or_no_share_and_nobody_is_set_apart(n, share, trained_on):
    done = pretrain(two_runs_each(n), short(validation_share=share), seed=0)
    assert trained_on["task"].validation is None
    assert trained_on["monitor"] is None
    assert done.validation == []
    assert len(trained_on["task"].crops.runs.runs) == 2 * n


def test_training_uses_the_scaler_it_is_told(trained_on):
    runs = cohort(3)
    mean, sd = runs.pooled_scale()
    expected = (series(120, seed=1) - mean) / sd
    for scaler in ("run", "dataset"):
        done = pretrain(runs, short(scaler=scaler), seed=0)
        found = trained_on["task"].crops.runs.values(1)
        assert np.allclose(found, expected, atol=1e-4) is (scaler == "dataset")
        assert np.allclose(found.std(axis=0), 1, atol=1e-4) is (scaler == "run")
        assert np.array_equal(done.scale, (mean, sd))
        made = card(done, runs, short(scaler=scaler), 0)
        assert made["scaler"]["kind"] == scaler


# The card


def test_the_card_holds_all_that_weights_need_to_be_used_again(learnt, tmp_path):
    done, runs, used = learnt
    made = card(done, runs, used, 0)
    save_weights(tmp_path, done.model.state_dict(), made)
    state, found = load_weights(tmp_path)
    assert json.loads(json.dumps(made)) == found
    assert found["analysis"] == "brainmae"
    assert found["units"] == [f"roi{k}" for k in range(N_ROIS)]
    assert found["parcellation"] == "n/a"
    assert found["repetition_times"] == [1.0]
    assert found["scaler"]["kind"] == "run"
    assert np.allclose(found["scaler"]["mean"], runs.pooled_scale()[0])
    assert np.allclose(found["scaler"]["sd"], runs.pooled_scale()[1])
    assert found["segments"] == used.segments.model_dump(mode="json")
    assert found["mask"] == used.mask.model_dump(mode="json")
    assert found["optimisation"] == used.pretraining.model_dump(mode="json")
    assert found["n_points"] == 8
    assert found["subjects"] == sorted(runs.owners)
    assert found["validation_subjects"] == done.validation
    assert found["seed"] == 0
    assert found["steps"] == 150
    assert found["expected_masked_r2"] == done.run.best
    again = BrainMAE(ModelSettings.model_validate(found["model"]), N_ROIS, found["n_points"])
    again.load_state_dict(state)
    segments = random_segments()
    arguments = (segments.x, segments.present, segments.valid, segments.start)
    with torch.no_grad():
        assert torch.equal(again.eval()(*arguments), done.model(*arguments))


def test_a_card_of_an_absent_roi_and_of_several_repetition_times(tmp_path):
    arrays = [series(120), series(60, 2.0, seed=1)]
    for x in arrays:
        x[:, 2] = 5.0
    runs = runs_of_arrays(arrays, [1.0, 2.0])
    done = pretrain(runs, short(), seed=0)
    made = card(done, runs, short(), 0)
    save_weights(tmp_path, done.model.state_dict(), made)  # refuses NaN
    assert made["repetition_times"] == [1.0, 2.0]
    assert made["scaler"]["sd"][2] == 0
    assert made["expected_masked_r2"] is None


# Kinds of networks and data


@pytest.mark.parametrize("variant", ["sg", "ag", "fdg", "vanilla", "ae", "possg"])
def test_every_variant_trains(variant):
    runs, used = cohort(3), short(model={"variant": variant})
    done = pretrain(runs, used, seed=0)
    before, after = new_model(runs, used, 0).state_dict(), done.model.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    moved = [name for name in after if not torch.equal(after[name], before[name])]
    still = set(after) - set(moved)
    fixed = {"embedding"} if variant in ("vanilla", "ae", "possg") else set()
    # Nothing is hidden from the plain autoencoder: its stand-in for hidden ROIs is never used.
    assert still == fixed | ({"encoder.hidden"} if variant == "ae" else set())


@pytest.mark.parametrize(
    "segments",
    [
        {"native_tr": True},
        {"tr_augmentation": [1.0, 2.0]},
        {"n_segments": 12},  # more than the runs have
        {"n_segments": 2, "duration": 40},
    ],
    ids=str,
)
def test_kinds_of_segments_train(segments):
    runs, used = cohort(12, n_times=100), short(segments=segments)
    done = pretrain(runs, used, seed=0)
    assert np.isfinite(done.run.best)
    assert done.model.n_points == (15 if "native_tr" in segments else 8)


def test_one_run_of_one_segment_trains():
    done = pretrain(cohort(1, n_times=16), short(), seed=0)
    assert all(torch.isfinite(value).all() for value in done.model.state_dict().values())
    assert np.isfinite([row["train_loss"] for row in done.run.history]).all()
