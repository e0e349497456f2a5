"""A model's folder gives back what was written, and refuses what is damaged or does not fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from neuropipe.brainmae.features import BLOCKS
from neuropipe.brainmae.heldout import heldout_scores, stacked
from neuropipe.brainmae.inference import embed
from neuropipe.brainmae.store import (
    PARTS,
    Stored,
    check_card,
    empty_scores,
    load_model,
    runs_dataset,
    scaled_by,
    write_store,
)
from neuropipe.training.errors import MismatchError, WeightsError
from tests.unit.brainmae.builders import cohort, network, tiny
from tests.unit.brainmae.result_builders import settings_of

FOLD = "seed-0_fold-0"


def test_the_model_is_the_same_after_reading(study, tmp_path):
    store = study.store(FOLD)
    model, card = store.model()
    again = tmp_path / "again"
    again.mkdir()
    write_store(again, model, card, store.scores, store.arrays)
    read, read_card = load_model(again)
    assert read_card == card
    assert not read.training
    segments = study.runs.segments(0, study.settings.segments)
    same = [embed(one, segments, 6) for one in (model, read)]
    assert (same[0].latents == same[1].latents).all()
    copy = Stored(again)
    assert copy.scores.drop(columns="model").equals(store.scores.drop(columns="model"))
    assert copy.arrays.equals(store.arrays)


def test_scores_tell_what_was_left_out(study):
    store = study.store(FOLD)
    for run in study.runs.runs:
        seen = run.owner in store.card["subjects"]
        assert store.left_out(run.recording) != seen
    assert not any(study.final.left_out(run.recording) for run in study.runs.runs)
    assert set(store.scores["model"]) == {FOLD}
    assert store.scores["subject"].str.len().eq(2).all()  # "00", not 0


def test_blocks_come_in_the_order_that_is_asked(study):
    store = study.store(FOLD)
    names = ["sub-03_run-1", "sub-00_run-2"]
    found = store.blocks(names)
    model, _ = store.model()
    for row, name in enumerate(names):
        i = [run.recording for run in study.runs.runs].index(name)
        made = embed(model, study.runs.segments(i, study.settings.segments), 6)
        for block in BLOCKS:
            assert found[block][row] == pytest.approx(made.blocks[block], abs=1e-5)


def test_halves_are_halves(study):
    store = study.store(FOLD)
    model, _ = store.model()
    segments = study.runs.segments(4, study.settings.segments)
    name = study.runs.runs[4].recording
    middle = segments.x.shape[1] // 2
    for part, where in zip(PARTS[1:], (slice(0, middle), slice(middle, None)), strict=True):
        made = embed(model, segments.pick(slice(None), where), 6)
        kept = store.blocks([name], part)["connectivity"][0]
        assert kept == pytest.approx(made.blocks["connectivity"], abs=1e-5)


def test_the_filter_is_that_of_the_training_runs(study):
    store = study.store(FOLD)
    owners = [run.owner in store.card["subjects"] for run in study.runs.runs]
    training = study.runs.select(np.flatnonzero(owners))
    left_out = study.runs.select(np.flatnonzero(~np.array(owners)))
    model, _ = store.model()
    _, wiener = heldout_scores(model, training, left_out, settings_of(ratios=[0.5]), 0)
    x = stacked(left_out, study.settings)
    visible = x.present.numpy() & (np.random.default_rng(0).random(x.present.shape) < 0.5)
    kept = store.wiener()
    assert kept.predict(x.x.numpy(), visible) == pytest.approx(
        wiener.predict(x.x.numpy(), visible), abs=1e-4
    )
    assert study.final.wiener() is None


def test_damaged_weights_are_refused(study, tmp_path):
    folder = shutil.copytree(study.store(FOLD).folder, tmp_path / "bad")
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="checksum"):
        load_model(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda runs: replace(runs, parcellation="other"), "parcellation"),
        (lambda runs: replace(runs, units=runs.units.iloc[[1, 0, *range(2, 8)]]), "units"),
        (lambda runs: replace(runs, units=runs.units.iloc[:7]), "units"),
    ],
)
def test_a_card_of_other_rois_is_refused(study, change, named):
    with pytest.raises(MismatchError, match=named):
        check_card(study.final.card, change(study.runs), study.settings, "weights")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"scaler": "dataset"}, "scaler.kind"),
        ({"segments": {"n_points": 9}}, "n_points"),
        ({"segments": {"duration": 14}}, "duration"),
        ({"segments": {"n_segments": 5}}, "n_segments"),
        ({"segments": {"native_tr": True}}, "native_tr"),
    ],
)
def test_a_card_of_other_segments_is_refused(study, change, named):
    check_card(study.final.card, study.runs, study.settings, "weights")
    with pytest.raises(MismatchError, match=named):
        check_card(study.final.card, study.runs, settings_of(**change), "weights")


def test_runs_are_scaled_as_the_model_was_trained():
    runs = cohort(3)
    assert scaled_by({"scaler": {"kind": "run"}}, runs) is runs
    mean, sd = [90.0] * 8, [2.0] * 8
    found = scaled_by({"scaler": {"kind": "dataset", "mean": mean, "sd": sd}}, runs)
    raw = runs.values(1) * runs.runs[1].sd + runs.runs[1].mean
    assert found.values(1) == pytest.approx((raw - 90) / 2, abs=1e-4)


def test_nothing_left_out_has_the_columns_of_scores(tmp_path):
    settings = tiny(ratios=[0.5], reconstruction_baselines=["mean"])
    table, _ = heldout_scores(network(), cohort(2), cohort(2), settings, 0)
    assert list(empty_scores().columns) == list(table.columns)
    model, runs = network(), cohort(2)
    arrays = runs_dataset(model, runs, settings, None)
    write_store(tmp_path, model, {"units": ["a"]}, empty_scores(), arrays)
    store = Stored(tmp_path)
    assert store.scores.empty
    assert store.wiener() is None
    assert json.loads((tmp_path / "settings.json").read_text())["card"] == {"units": ["a"]}
