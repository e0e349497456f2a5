"""Subjects are compared with subjects, runs with runs, and families count once."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectivity.cohort import build_cohort
from neuropipe.connectivity.evaluate_group import group_arrays, group_metrics
from neuropipe.connectivity.figures_group import group_figures
from neuropipe.connectivity.group import fit_group
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.connectivity_matrices import correlation, edges, fisher_z
from neuropipe.stats.permutation import permutation_p_value
from tests.unit.connectivity.builders import recording, series, unit_table

FAST = ConnectivitySettings(n_shuffles=99, n_permutations=39, n_resamples=200, seeds=(0,))


def _runs(n_subjects, n_runs, *, own=0.0, n_times=120):
    """Runs with a pattern of their subject's own, of strength `own`."""
    found = []
    for subject in range(n_subjects):
        pattern = np.random.default_rng(100 + subject).standard_normal(12)
        for run in range(n_runs):
            rng = np.random.default_rng(10 * subject + run)
            x = series(n_times, 6, rng) + own * np.outer(rng.standard_normal(n_times), pattern)
            found.append(recording(f"{subject}", run=str(run), values=x, family=f"f{subject // 3}"))
    return found


def _metrics(cohort, settings=FAST):
    return {m.name: m for m in group_metrics(cohort, fit_group(cohort, settings), settings)}


def test_mean_matrix_is_the_fisher_mean_of_subjects():
    found = _runs(4, 1)
    cohort = build_cohort(found, "toy", FAST)
    z = [fisher_z(edges(correlation(r.signals.values.astype(float)))) for r in found]
    assert edges(fit_group(cohort, FAST).mean) == pytest.approx(
        np.tanh(np.mean(z, axis=0)), abs=1e-5
    )


def test_more_runs_of_one_subject_do_not_give_it_more_weight():
    one = build_cohort([recording("a", seed=1), recording("b", seed=2)], "toy", FAST)
    again = [recording("a", seed=1, run=str(k)) for k in range(5)] + [recording("b", seed=2)]
    many = build_cohort(again, "toy", FAST)
    assert many.z == pytest.approx(one.z, abs=1e-6)
    assert fit_group(many, FAST).mean == pytest.approx(fit_group(one, FAST).mean, abs=1e-6)


def test_equal_runs_are_no_more_alike_within_than_between_subjects():
    # Means over three runs are less noisy than runs: beside them individuality would look negative.
    cohort = build_cohort(_runs(6, 3, n_times=60), "toy", FAST)
    metrics = _metrics(cohort)
    runs = metrics["similarity between runs"]
    assert runs.value == pytest.approx(runs.baseline, abs=0.05)
    assert metrics["similarity between subjects"].value > runs.baseline + 0.1
    assert runs.baseline_name == "runs of different subjects"


def test_individual_runs_are_more_alike_within():
    metrics = _metrics(build_cohort(_runs(6, 2, own=1.0), "toy", FAST))
    runs = metrics["similarity between runs"]
    assert runs.value > runs.baseline + 0.1
    assert runs.n == 6
    assert runs.interval[0] > runs.baseline


def test_likeness_of_runs_matches_loops():
    found = [*_runs(2, 2), recording("9", seed=77)]
    cohort = build_cohort(found, "toy", FAST)
    fit = fit_group(cohort, FAST)
    rows = [edges(correlation(r.signals.values.astype(float))) for r in found]
    r = np.corrcoef(rows)
    assert fit.within[:2] == pytest.approx([r[0, 1], r[2, 3]], abs=1e-4)
    assert np.isnan(fit.within[2])
    across = [r[:2, 2:4].mean(), r[:2, 4].mean(), r[2:4, 4].mean()]
    assert fit.between == pytest.approx(np.mean(across), abs=1e-4)


def test_similarity_is_the_mean_of_pairs_with_a_jackknife_over_subjects():
    cohort = build_cohort(_runs(7, 1), "toy", FAST)
    fit = fit_group(cohort, FAST)
    metric = _metrics(cohort)["similarity between subjects"]
    assert metric.value == pytest.approx(fit.similarity[np.triu_indices(7, 1)].mean())
    kept = np.arange(7) != 3
    left = fit.similarity[np.ix_(kept, kept)][np.triu_indices(6, 1)].mean()
    assert metric.interval[0] < left < metric.interval[1]
    assert metric.chance == pytest.approx(0, abs=0.1)
    assert "similarity between runs" not in _metrics(cohort)


def test_intervals_of_families_are_wider():
    # Three copies of each of eight subjects: 24 rows, but eight independent ones.
    found = []
    for subject in range(24):
        x = series(120, 6, np.random.default_rng(subject // 3))
        found.append(recording(f"{subject:02d}", values=x, family=f"f{subject // 3}"))
    cohort = build_cohort(found, "toy", FAST)
    apart = _metrics(cohort)
    together = _metrics(cohort, FAST.model_copy(update={"group_column": "family"}))
    for name in ("mean connectivity", "homologous connectivity", "similarity between subjects"):
        assert together[name].value == pytest.approx(apart[name].value)
        assert np.ptp(together[name].interval) > 1.25 * np.ptp(apart[name].interval), name


def test_one_family_has_no_interval():
    cohort = build_cohort(_runs(3, 1), "toy", FAST)
    metrics = _metrics(cohort, FAST.model_copy(update={"group_column": "family"}))
    assert metrics["mean connectivity"].interval is None
    assert metrics["similarity between subjects"].interval is None


def test_an_unknown_family_column_is_one_line():
    cohort = build_cohort(_runs(3, 1), "toy", FAST)
    with pytest.raises(UnfitRecordingError, match="'clan' is no column"):
        _metrics(cohort, FAST.model_copy(update={"group_column": "clan"}))


def test_similarity_of_unrelated_subjects_keeps_its_error_rate():
    p = []
    for k in range(50):
        rng = np.random.default_rng(k)
        found = [recording(s, values=rng.standard_normal((60, 12))) for s in "abcd"]
        cohort = build_cohort(found, "toy", FAST)
        fit = fit_group(cohort, FAST)
        value = fit.similarity[np.triu_indices(4, 1)].mean()
        p.append(float(permutation_p_value(value, fit.similarity_null)))
    assert 4 <= np.sum(np.array(p) <= 0.25) <= 22  # 12.5 expected


def test_typicality_leaves_the_subject_out():
    cohort = build_cohort(_runs(5, 1), "toy", FAST)
    fit = fit_group(cohort, FAST)
    r = np.tanh(cohort.z.astype(float))
    for subject in range(5):
        others = np.delete(r, subject, axis=0).mean(axis=0)
        assert fit.typicality[subject] == pytest.approx(np.corrcoef(r[subject], others)[0, 1])


def test_subjects_that_share_no_units_are_summarised_but_not_compared():
    units = unit_table(6)
    other = units.copy()
    other.index = [f"x{name}" for name in units.index]
    cohort = build_cohort([recording("a"), recording("b", seed=1, units=other)], "toy", FAST)
    assert not cohort.shares_units
    assert "Only 0 units are shared" in cohort.warnings[0]
    metrics = _metrics(cohort)
    assert "mean connectivity" in metrics
    assert "similarity between subjects" not in metrics
    fit = fit_group(cohort, FAST)
    assert group_figures(cohort, fit, "ROI") == []
    arrays = group_arrays(cohort, fit, [], FAST)
    assert list(arrays["subject"].values) == ["a", "b"]
    assert "mean_correlation" not in arrays


def test_captions_name_only_what_is_drawn():
    single = build_cohort(_runs(4, 1), "toy", FAST)
    double = build_cohort(_runs(4, 2), "toy", FAST)
    words = []
    for cohort in (single, double):
        figure = group_figures(cohort, fit_group(cohort, FAST), "ROI")[1]
        labels = [t.get_text() for t in figure.figure.axes[1].get_legend().get_texts()]
        words.append(("two subjects" in " ".join(labels), "dotted" in figure.caption))
    assert words == [(False, False), (True, True)]
