"""Names of models, and which settings make them anew."""

from __future__ import annotations

import pytest

from neuropipe.brainmae.names import _AFTER_TRAINING, FINAL, Plan, model_names, split_name
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.errors import SettingsError
from neuropipe.prediction.settings import PredictionSettings

SETTINGS = BrainmaeSettings(n_splits=3, seeds=(0, 7))


def test_one_model_a_seed_and_fold_and_one_of_all():
    assert model_names(SETTINGS, ["01", "02", "03", "03"]) == [
        "final",
        "seed-0_fold-0", "seed-0_fold-1", "seed-0_fold-2",
        "seed-7_fold-0", "seed-7_fold-1", "seed-7_fold-2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("subjects", "n_folds"),
    [(["01", "02"], 2), (["01"], 0), (["01", "01"], 2), (["01"] * 9, 3), (list("abcde"), 3)],
)
def test_no_more_folds_than_subjects_or_else_runs(subjects, n_folds):
    names = model_names(SETTINGS, subjects)
    assert names[0] == FINAL
    assert len(names) == 1 + 2 * n_folds


def test_a_name_tells_its_seed_and_fold():
    names = model_names(SETTINGS, ["01", "02", "03"])
    assert [split_name(name, SETTINGS) for name in names] == [
        None, (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "last", "seed-1_fold-0", "seed-0", "fold-0", "seed-0_fold-x"])
def test_other_names_are_refused(name):
    with pytest.raises(SettingsError, match="model"):
        split_name(name, SETTINGS)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"n_permutations": 50}, True),
        ({"finetune": ["frozen"]}, True),
        ({"finetuning": {"max_steps": 3}}, True),
        ({"pool": ["token"]}, True),
        ({"segments": {"duration": 10}}, False),
        ({"pretraining": {"max_steps": 3}}, False),
        ({"ratios": [0.3]}, False),
        ({"targets": ["sex"]}, False),  # the folds are stratified by it
        ({"group_column": "family"}, False),
        ({"reconstruction_baselines": ["mean"]}, False),
    ],
)
def test_pretraining_looks_at_some_settings_only(change, same):
    plain = Plan(BrainmaeSettings(), ["01"]).pretraining
    changed = Plan(BrainmaeSettings.model_validate(change), ["01"]).pretraining
    assert (plain == changed) == same


def test_settings_after_training_exist():
    assert set(_AFTER_TRAINING) <= set(BrainmaeSettings.model_fields)
    assert len(set(PredictionSettings.model_fields) - set(_AFTER_TRAINING)) > 3


def test_targets_need_subjects():
    settings = BrainmaeSettings(targets=("sex",), min_subjects=10)
    assert Plan(settings, [f"{k}" for k in range(10)]).targets == ("sex",)
    assert Plan(settings, ["0", *(f"{k}" for k in range(9))]).targets == ()
