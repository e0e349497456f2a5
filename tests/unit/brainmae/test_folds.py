"""Folds leave whole subjects out, the same ones that labels are predicted of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from neuropipe.brainmae.data import Runs, runs_of_arrays
from neuropipe.brainmae.folds import split_dataset
from neuropipe.brainmae.names import FINAL, model_names
from neuropipe.errors import SettingsError, UnfitRecordingError
from neuropipe.prediction.design import read_design
from tests.unit.brainmae.builders import tiny


def runs(subjects, labels=None) -> Runs:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((40, 8)) for _ in subjects]
    return runs_of_arrays(arrays, [1.0] * len(arrays), subjects=subjects, labels=labels)


def names_of(settings, found):
    return [name for name in model_names(settings, found) if name != FINAL]


@examples(max_examples=25)
@given(
    st.lists(st.integers(0, 7), min_size=2, max_size=20).filter(lambda x: len(set(x)) > 1),
    st.integers(2, 4),
)
def test_every_subject_is_left_out_once_a_seed(owners, n_splits):
    subjects = [f"s{k}" for k in owners]
    settings = tiny(n_splits=n_splits, seeds=(0, 3))
    split = split_dataset(runs(subjects), "arrays", settings)
    for seed in settings.seeds:
        out: list[int] = []
        for name in names_of(settings, subjects):
            if not name.startswith(f"seed-{seed}_"):
                continue
            fold = split.runs_of(name, settings, len(subjects))
            kept = {subjects[i] for i in fold.train}
            gone = {subjects[i] for i in fold.test}
            assert gone
            assert not kept & gone
            assert sorted([*fold.train, *fold.test]) == list(range(len(subjects)))
            out += fold.test.tolist()
        assert sorted(out) == list(range(len(subjects)))


def test_the_folds_are_those_of_the_prediction():
    subjects = [f"s{k:02d}" for k in range(12)]
    labels = [{"sex": "mf"[k % 3 == 0], "family": f"f{k // 2}"} for k in range(12)]
    settings = tiny(
        n_splits=3, targets=("sex",), min_subjects=10, seeds=(0, 1), group_column="family"
    )
    split = split_dataset(runs(subjects, labels), "arrays", settings)
    design, _ = read_design(split.participants, settings)
    assert design is not None
    for ours, theirs in zip(split.partitions, design.partitions, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert one.test.tolist() == other.test.tolist()
    fold = split.runs_of("seed-1_fold-2", settings, 12)
    families = [{labels[i]["family"] for i in part} for part in (fold.train, fold.test)]
    assert not families[0] & families[1]


def test_families_stay_whole_without_targets():
    subjects = [f"s{k}" for k in range(8)]
    labels = [{"family": f"f{k // 2}"} for k in range(8)]
    settings = tiny(n_splits=4, group_column="family")
    split = split_dataset(runs(subjects, labels), "arrays", settings)
    for fold in split.partitions[0]:
        assert len(fold.test) == 2
        assert len({labels[i]["family"] for i in fold.test}) == 1


def test_fewer_families_than_folds_leave_the_other_models_whole():
    subjects = [f"s{k}" for k in range(4)]
    labels = [{"family": f"f{k // 2}"} for k in range(4)]
    settings = tiny(n_splits=4, group_column="family")
    split = split_dataset(runs(subjects, labels), "arrays", settings)
    sizes = [len(split.runs_of(name, settings, 4).test) for name in names_of(settings, subjects)]
    assert sizes == [2, 2, 0, 0]


def test_one_subject_is_parted_by_run():
    settings = tiny(n_splits=3)
    split = split_dataset(runs(["only"] * 5), "arrays", settings)
    assert len(split.partitions[0]) == 3
    out = [split.runs_of(f"seed-0_fold-{f}", settings, 5).test.tolist() for f in range(3)]
    assert sorted(i for part in out for i in part) == [0, 1, 2, 3, 4]


def test_one_run_leaves_nothing_out():
    split = split_dataset(runs(["only"]), "arrays", tiny())
    assert split.partitions == [[]]
    assert len(split.runs_of("seed-0_fold-0", tiny(), 1).test) == 0


def test_the_final_model_sees_all_and_other_datasets_are_always_trained_on():
    found = runs(["a", "b", "c", "a"])
    mixed = replace(found, runs=[*found.runs[:3], replace(found.runs[3], dataset="other")])
    settings = tiny(n_splits=3)
    split = split_dataset(mixed, "arrays", settings)
    assert split.own.tolist() == [0, 1, 2]
    assert split.runs_of(FINAL, settings, 4).train.tolist() == [0, 1, 2, 3]
    for f in range(3):
        fold = split.runs_of(f"seed-0_fold-{f}", settings, 4)
        assert 3 in fold.train
        assert len(fold.test) == 1


def test_too_few_subjects_predict_nothing_and_say_so():
    labels = [{"sex": "mf"[k % 2]} for k in range(4)]
    settings = tiny(targets=("sex",), min_subjects=10, n_splits=2)
    split = split_dataset(runs(list("abcd"), labels), "arrays", settings)
    assert split.design is None
    assert split.notes == ["4 subjects, fewer than 10 (min_subjects): sex not predicted."]


def test_what_cannot_be_is_refused():
    labels = [{"sex": "m"} for _ in range(10)]
    with pytest.raises(UnfitRecordingError):
        split_dataset(
            runs([f"{k}" for k in range(10)], labels),
            "arrays",
            tiny(targets=("sex",), min_subjects=10),
        )
    split = split_dataset(runs(list("abc")), "arrays", tiny())
    with pytest.raises(SettingsError):
        split.runs_of("seed-9_fold-0", tiny(), 3)
