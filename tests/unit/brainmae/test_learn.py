"""A model learns from its fold, is scored on the others, and is taken over only where it fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.brainmae.learn import adopt, learn
from neuropipe.brainmae.store import load_model
from neuropipe.training.errors import MismatchError
from tests.unit.brainmae.builders import cohort, tiny
from tests.unit.brainmae.result_builders import settings_of

SMALL = {
    "n_splits": 2, "ratios": [0.5], "reconstruction_baselines": ["mean"], "validation_share": 0,
    "pretraining": {"max_steps": 3, "steps_per_epoch": 3},
}  # fmt: skip


def test_a_fold_is_trained_on_some_and_scored_on_the_others(study):
    for name in ("seed-0_fold-0", "seed-0_fold-1"):
        store = study.store(name)
        trained = set(store.card["subjects"])
        scored = {f"toy/{subject}" for subject in store.scores["subject"]}
        assert not trained & scored
        assert trained | scored == set(study.final.card["subjects"])
        assert store.card["fold"] == name
    assert len(study.final.card["subjects"]) == 10


def test_features_are_kept_of_all_runs_of_the_dataset(study):
    for store in study.stores:
        assert len(store.arrays["recording"]) == 11


def test_another_dataset_joins_training_but_is_not_kept():
    runs = cohort(5)
    mixed = replace(runs, runs=[*runs.runs[:4], replace(runs.runs[4], dataset="other")])
    made = learn(mixed, "arrays", "seed-0_fold-0", tiny(**SMALL))
    assert "other/0004" in made.card["subjects"]
    assert len(made.arrays["recording"]) == 4
    assert len(made.scores["recording"].unique()) == 2


def test_the_scale_of_a_dataset_is_that_of_the_training_runs():
    runs = cohort(4)
    settings = tiny(**SMALL, scaler="dataset")
    made = learn(runs, "arrays", "seed-0_fold-0", settings)
    trained = [i for i, run in enumerate(runs.runs) if run.owner in made.card["subjects"]]
    assert len(trained) == 2
    mean, sd = runs.select(trained).pooled_scale()
    assert made.card["scaler"]["mean"] == pytest.approx(mean)
    assert made.card["scaler"]["sd"] == pytest.approx(sd)
    assert np.isfinite(made.scores["r2"]).all()


def test_a_model_is_taken_over_as_it_is(study):
    final = study.final.folder
    made = adopt(final, study.runs, "toy", "seed-0_fold-1", study.settings)
    kept, _ = load_model(final)
    for name, values in made.model.state_dict().items():
        assert (values == kept.state_dict()[name]).all()
    assert made.card["taken_from"] == "toy"
    assert made.card["fold"] == "seed-0_fold-1"
    fold = study.store("seed-0_fold-1").scores
    assert sorted(set(made.scores["recording"])) == sorted(set(fold["recording"]))
    # The simple methods learn from the fold, whoever the model is from.
    ours, theirs = (
        table[table["predictor"] == "Wiener"].sort_values(["ratio", "recording"])["r2"].to_numpy()
        for table in (made.scores, fold)
    )
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "settings", "named"),
    [
        (lambda runs: replace(runs, parcellation="Schaefer"), {}, "parcellation"),
        (lambda runs: replace(runs, units=runs.units.iloc[::-1]), {}, "units"),
        (lambda runs: runs, {"scaler": "dataset"}, "scaler"),
        (lambda runs: runs, {"segments": {"n_points": 10}}, "n_points"),
        (lambda runs: runs, {"segments": {"duration": 12}}, "duration"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(study, change, settings, named):
    with pytest.raises(MismatchError, match=named) as error:
        adopt(study.final.folder, change(study.runs), "toy", "final", settings_of(**settings))
    assert "for dataset toy" in str(error.value)
