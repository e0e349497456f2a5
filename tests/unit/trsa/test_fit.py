"""A subject's representations: the numbers of the library by hand, and what was planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.arrays import subject_arrays
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.evaluate import subject_metrics, subject_warnings
from neuropipe.trsa.fit import ALL, fit_subject
from neuropipe.trsa.inference.evaluation import evaluate
from neuropipe.trsa.inference.models import fixed_models
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.reliability import discriminate, halves_agree
from neuropipe.trsa.topology.homology_null import homology_test
from tests.unit.trsa.responses.builders import (
    CONDITIONS,
    event_table,
    shuffled_trials,
    spike_recording,
    trace_recording,
)
from tests.unit.trsa.subjects import named, scan, settings, spikes

SIX = ("a", "b", "c", "d", "e", "f")
CHOSEN = settings()


def parts_of(found) -> list:
    """Patterns of all units, and of every region."""
    patterns = found.responses.patterns
    regions = found.responses.regions(CHOSEN)
    return [patterns, *(patterns.of_channels(places) for places in regions.values())]


@pytest.fixture(scope="module")
def of_kinds(fits):
    """One subject of each kind."""
    return {
        "images": fits[0],
        "spikes": fit_subject([spikes(run="1"), spikes(1, run="2")], CHOSEN)[0],
        "trials": fit_subject([spikes()], CHOSEN)[0],
        "fmri": fit_subject([scan(k, f"0{k}") for k in (1, 2, 3)], CHOSEN)[0],
    }


@pytest.mark.parametrize(
    ("kind", "folds", "regions"),
    [
        ("images", "repeats", ["category", "early", "mixed", "ring"]),
        ("spikes", "runs", ["V1", "V2"]),
        ("trials", "trials", ["V1", "V2"]),
        ("fmri", "runs", ["V1", "V2"]),
    ],
)
def test_numbers_are_those_of_the_library(kind, folds, regions, of_kinds):
    found = of_kinds[kind]
    assert found.responses.folds == folds
    assert found.measure == "crossnobis"
    assert found.is_glm == (kind == "fmri")
    assert found.rdms.table["region"].tolist() == [ALL, *regions]
    assert [one.name for one in found.regions] == [ALL, *regions]
    n_units = [one.n_units for one in found.regions]
    assert n_units[0] == sum(n_units[1:]) == len(found.responses.units)
    for row, (region, patterns) in enumerate(zip(found.regions, parts_of(found), strict=True)):
        rdm = estimate(patterns, "crossnobis")
        np.testing.assert_array_equal(found.rdms.dissimilarities[row], rdm.dissimilarities[0])
        halves = halves_agree(patterns, "crossnobis", "rho-a", 99, 0)
        assert (region.reliability.value, region.reliability.p) == (halves.value, halves.p)
        told = discriminate(patterns, 99, 0)
        assert (region.discrimination.accuracy, region.discrimination.p) == (told.accuracy, told.p)
        cloud = patterns.whitened().mean()
        (test,) = region.homology
        own = homology_test(
            pdist(cloud), np.random.default_rng(0), patterns=cloud, dimension=1, n_draws=19
        )
        assert (test.largest, test.p_largest) == (own.largest, own.p_largest)


@pytest.mark.parametrize("kind", ["images", "spikes"])
def test_scores_are_comparisons_with_their_tests(kind, of_kinds):
    found = of_kinds[kind]
    for row, region in enumerate(found.regions):
        own = found.rdms.dissimilarities[row : row + 1]
        scores = compare(own, found.models.dissimilarities, "rho-a")[0]
        np.testing.assert_allclose(region.evaluation.against_zero.value, scores, atol=1e-12)
        alone = RDMs(own, found.rdms.conditions, "x", pd.DataFrame({"subject": ["1"]}))
        by_hand = evaluate(
            fixed_models(found.models), alone, measure="rho-a", new="conditions", n_bootstrap=50,
            n_permutations=99,
        )  # fmt: skip
        pd.testing.assert_frame_equal(region.evaluation.table(), by_hand.table())
    assert found.controls.dropped[0] == pytest.approx(found.regions[0].evaluation.mean)


def test_likeness_that_was_planted_in_bold_is_found(of_kinds):
    found = of_kinds["fmri"]
    matrix = found.rdms.matrices[0]
    cat, dog = (found.rdms.conditions.index(name) for name in ("cat", "dog"))
    others = np.delete(matrix[cat], [cat, dog])
    assert abs(matrix[cat, dog]) < 0.1 * others.min()


# ---------------------------------------------------------------- planted regions


def test_each_region_follows_what_was_planted_in_it(fits):
    for found in fits:
        names = found.models.table["name"].tolist()
        best = {
            one.name: names[int(np.argmax(one.evaluation.mean))]
            for one in found.regions
            if one.name != ALL
        }
        assert best.pop("mixed") in ("animate", "size")  # one axis each, in gains of its own
        assert best == {"category": "animate", "early": "Gabor energy", "ring": "angle"}
        score = {one.name: dict(zip(names, one.evaluation.mean, strict=True))
                 for one in found.regions}  # fmt: skip
        assert score["ring"]["angle"] > 0.9
        assert score["category"]["category"] > 0.4 > 0 > score["category"]["size"]
        assert score["mixed"]["size"] > 0.4
        assert score["early"]["Gabor energy"] > score["early"]["animate"] + 0.5


def test_hues_come_round_only_where_the_settings_say_so(planted, fits):
    first = planted.recordings[:1]
    straight = fit_subject(first, settings(circular={}), (), planted.folder)[0]
    angle = fits[0].models.table["name"].tolist().index("angle")
    ring = fits[0].rdms.table["region"].tolist().index("ring")
    scores = [one.regions[ring].evaluation.mean[angle] for one in (fits[0], straight)]
    assert scores[0] > scores[1] + 0.1


def test_without_noise_every_pattern_is_told_apart(fits):
    for found in fits:
        for region in found.regions:
            assert region.discrimination.accuracy == 1.0
            assert region.discrimination.chance == 1 / 24
            assert region.discrimination.p == pytest.approx(0.01)
            assert region.reliability.p == pytest.approx(0.01)


# ---------------------------------------------------------------- what must not matter


def numbers_of(recordings, **changed):
    chosen = settings(**changed)
    return subject_arrays(fit_subject(recordings, chosen), chosen.comparison)


def test_neither_the_subject_nor_another_run_of_it_changes_a_number():
    first, again = (numbers_of([spikes(kind=True)]) for _ in range(2))
    renamed = numbers_of([named(spikes(kind=True), "other")])
    assert first.identical(again)
    assert renamed.attrs.pop("recordings") == "sub-other"
    first.attrs.pop("recordings")
    assert first.identical(renamed)


def test_another_seed_draws_anew_and_keeps_the_data():
    first, second = numbers_of([spikes()]), numbers_of([spikes()], seed=1)
    np.testing.assert_array_equal(first["dissimilarity"], second["dissimilarity"])
    np.testing.assert_array_equal(first["score"], second["score"])
    assert not np.array_equal(first["score_low"], second["score_low"])


def test_the_order_of_conditions_changes_no_score():
    """Conditions are sorted by name: other names are another order."""
    renamed = dict(zip(CONDITIONS, ("zebra", "yak", "house", "anvil"), strict=True))
    recording = spikes()
    other = replace(recording, events=recording.events.replace({"trial_type": renamed}))
    one, two = (fit_subject([made], CHOSEN)[0] for made in (recording, other))
    assert two.rdms.conditions == ("anvil", "house", "yak", "zebra")
    moved = two.rdms.of([renamed[name] for name in one.rdms.conditions])
    np.testing.assert_allclose(moved.dissimilarities, one.rdms.dissimilarities, rtol=1e-9)
    for first, second in zip(one.regions, two.regions, strict=True):
        assert second.evaluation.mean == pytest.approx(first.evaluation.mean)
        assert second.reliability.value == pytest.approx(first.reliability.value)
        assert second.discrimination.accuracy == first.discrimination.accuracy
        assert second.homology[0].largest == pytest.approx(first.homology[0].largest)


# ---------------------------------------------------------------- models


def model(conditions=CONDITIONS, name="mine") -> RDMs:
    n = len(conditions)
    values = np.random.default_rng(3).random((1, n * (n - 1) // 2))
    return RDMs(values, tuple(conditions), "model", pd.DataFrame({"name": [name]}))


def test_models_of_users_join_those_of_the_table():
    reversed_ = tuple(reversed(CONDITIONS))
    (found,) = fit_subject([spikes()], CHOSEN, [model(reversed_), model(SIX, "of others")])
    assert found.models.table["name"].tolist() == ["length", "mine"]
    (mine,) = model(reversed_).of(CONDITIONS).dissimilarities
    np.testing.assert_array_equal(found.models.dissimilarities[1], mine)
    score = compare(found.rdms.dissimilarities[:1], mine[None], "rho-a")[0, 0]
    assert found.regions[0].evaluation.mean[1] == pytest.approx(score)


def test_models_that_do_not_fit_are_refused_in_one_line():
    with pytest.raises(InputError, match="two models named 'length'") as caught:
        fit_subject([spikes()], CHOSEN, [model(name="length")])
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"lacks 1 of 4 conditions \(cat"):
        fit_subject([spikes()], CHOSEN, [model(("dog", "house", "tool"))])


def test_conditions_without_a_table_have_no_models(of_kinds):
    found = of_kinds["fmri"]
    assert found.responses.conditions.columns.tolist() == []
    assert found.models is None
    assert found.controls is None
    assert all(region.evaluation is None for region in found.regions)
    assert not any("model" in metric.name for metric in subject_metrics([found], CHOSEN))
    assert "model" not in subject_arrays([found], "rho-a").coords


def test_images_that_cannot_be_read_leave_the_other_models(planted, tmp_path):
    (found,) = fit_subject(planted.recordings[:1], CHOSEN, (), tmp_path)
    assert found.models.table["name"].tolist() == ["category", "animate", "size", "angle"]
    (said,) = [words for words in found.warnings if "image" in words]
    assert said.startswith("No model of the images: ")


# ---------------------------------------------------------------- sets, regions, folds


def test_sessions_of_their_own_neurons_are_sets_of_their_own():
    rng = np.random.default_rng(0)
    onsets, labels = shuffled_trials(4, 2.0, rng)
    table = event_table(onsets, labels)
    both = [
        trace_recording(rng.standard_normal((400, 8)), 10.0, table, session=s, prefix=f"{s}_")
        for s in ("early", "late")
    ]
    found = fit_subject(both, CHOSEN)
    assert [one.responses.name for one in found] == ["early", "late"]
    metrics = subject_metrics(found, CHOSEN)
    assert {metric.name.rsplit(" (", 1)[1] for metric in metrics} == {"early)", "late)"}
    for one, recording in zip(found, both, strict=True):
        (alone,) = fit_subject([recording], CHOSEN)
        np.testing.assert_array_equal(one.rdms.dissimilarities, alone.rdms.dissimilarities)
        said = subject_warnings(found, CHOSEN)
        own = subject_warnings([alone], CHOSEN)
        assert [f"{one.responses.name}: {words}" for words in own] == [
            words for words in said if words.startswith(one.responses.name)
        ]


def test_regions_by_another_column_or_none():
    recording = spikes()
    recording.units["layer"] = ["deep"] * 3 + ["upper"] * 4 + ["n/a"]

    def names(**changed):
        (found,) = fit_subject([recording], settings(**changed))
        return found.rdms.table["region"].tolist()

    assert names(region="layer") == [ALL, "deep", "upper"]
    assert names(region="none") == [ALL]
    assert names(region="layer", min_units=4) == [ALL]  # one region is no choice of regions
    with pytest.raises(UnfitRecordingError, match=r"no column 'area'.*one of region, layer"):
        names(region="area")


def test_pairs_that_no_two_runs_share_are_unknown_and_left_out():
    """Conditions a and b never stand in the same two runs."""
    shown = [tuple(name for name in SIX if name != gone) for gone in "bbaa"]
    runs = []
    for k, names in enumerate(shown):
        made = spikes(k, run=str(k), names=SIX, n_repeats=3)
        kept = made.events[made.events["trial_type"].isin(names)].reset_index(drop=True)
        runs.append(replace(made, events=kept.rename_axis(made.events.index.name)))
    only = np.array([[1.0, *[0] * 14]])  # says something of the unknown pair alone
    mine = RDMs(only, SIX, "model", pd.DataFrame({"name": ["only"]}))
    for comparison in ("rho-a", "spearman"):
        chosen = settings(comparison=comparison)
        (found,) = fit_subject(runs, chosen, [mine, model(SIX)])
        unknown = np.isnan(found.rdms.dissimilarities)
        assert unknown[:, 0].all()
        assert not unknown[:, 1:].any()
        names = found.models.table["name"].tolist()
        scores = dict(zip(names, found.regions[0].evaluation.mean, strict=True))
        assert names == ["only", "mine"]  # their names are of one length
        if comparison == "spearman":
            known = found.rdms.dissimilarities[0, 1:], model(SIX).dissimilarities[0, 1:]
            assert scores["mine"] == pytest.approx(spearmanr(*known).statistic)
        for metric in subject_metrics([found], chosen):
            values = [metric.value, metric.baseline, metric.chance, *(metric.interval or ())]
            assert np.isfinite([v for v in values if v is not None]).all(), metric.name


def test_one_trial_a_condition_gives_an_rdm_and_says_what_is_missing():
    recording = spikes(n_repeats=1, names=SIX)
    (found,) = fit_subject([recording], CHOSEN)
    assert len(found.responses.patterns.folds) == 1
    assert found.measure == "euclidean"
    mean = found.responses.patterns.mean()
    expected = pdist(mean, "sqeuclidean") / mean.shape[1]
    np.testing.assert_allclose(found.rdms.dissimilarities[0], expected)
    said = " ".join(subject_warnings([found], CHOSEN))
    assert "The measure is euclidean: crossnobis needs two folds" in said
    assert "There is one fold" in said
    names = [metric.name for metric in subject_metrics([found], CHOSEN)]
    assert "conditions told apart" not in names
    assert "RDM repeats in halves" not in names


def test_units_that_never_fire_are_left_out():
    recording = spikes()
    times = [recording.spike_trains()[k] for k in range(8)]
    silent = spike_recording([*times[:7], np.array([1.0])], recording.events, "", "cell_")
    (found,) = fit_subject([silent], CHOSEN)
    assert found.regions[0].n_units == 7
    assert any("1 units without any noise" in words for words in found.warnings)
