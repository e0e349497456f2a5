"""One recording's numbers rest on complete frames, survive odd units and keep their error rates."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectivity.data import usable_series
from neuropipe.connectivity.evaluate import recording_arrays, recording_metrics
from neuropipe.connectivity.fit import fit_recording, regularised
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.connectivity_matrices import correlation, edges
from neuropipe.stats.permutation import permutation_p_value
from tests.unit.connectivity.builders import recording, series, unit_table

FAST = ConnectivitySettings(n_shuffles=99)


def _fit(found, settings=FAST, seed=0):
    used = usable_series(found, settings)
    return used, fit_recording(used, settings, seed)


def _metric(found, name, settings=FAST):
    used, fit = _fit(found, settings)
    return next(m for m in recording_metrics(used, fit, settings) if m.name == name)


def test_summaries_are_means_of_the_matrix():
    used, fit = _fit(recording(n_times=300))
    r = correlation(used.values)
    assert fit.summary["mean"] == pytest.approx(edges(r).mean())
    assert fit.summary["homologous"] == pytest.approx(
        np.mean([r[k, k + 1] for k in range(0, 12, 2)])
    )
    networks = used.units["network"].to_numpy()
    same = edges(networks[:, None] == networks[None, :])
    contrast = edges(r)[same].mean() - edges(r)[~same].mean()
    assert fit.summary["contrast"] == pytest.approx(contrast)
    assert fit.summary["within"] - fit.summary["between"] == pytest.approx(contrast)


def test_the_same_seed_gives_the_same_nulls_and_another_gives_others():
    first, again, other = (_fit(recording(), seed=s)[1].nulls for s in (1, 1, 2))
    for name in first:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


def test_scale_and_offset_of_a_unit_change_nothing():
    x = series(200, 6, np.random.default_rng(3))
    _, plain = _fit(recording(values=x))
    _, scaled = _fit(recording(values=100 + x * np.linspace(0.1, 50, 12)))
    assert scaled.correlation == pytest.approx(plain.correlation, abs=1e-4)
    assert scaled.partial == pytest.approx(plain.partial, abs=1e-4)
    assert scaled.summary["contrast"] == pytest.approx(plain.summary["contrast"], abs=1e-5)


def test_order_of_units_changes_no_summary():
    x = series(200, 6, np.random.default_rng(4))
    order = np.random.default_rng(5).permutation(12)
    units = unit_table(6)
    _, plain = _fit(recording(values=x))
    _, shuffled = _fit(recording(values=x[:, order], units=units.iloc[order]))
    assert shuffled.summary == pytest.approx(plain.summary, abs=1e-6)
    assert shuffled.split_half.r == pytest.approx(plain.split_half.r, abs=1e-6)


def test_a_neuron_active_in_one_block_only_keeps_intervals_finite():
    x = series(300, 6, np.random.default_rng(6))
    x[:, 4] = 0.0
    x[70:80, 4] = 5.0  # silent in every other block
    _, fit = _fit(recording(values=x, modality="calcium"))
    for name, draws in fit.left_out.items():
        assert np.isfinite(draws).all(), name
        assert np.abs(draws).max() <= 1.0
    interval = _metric(recording(values=x, modality="calcium"), "mean connectivity").interval
    assert -1 < interval[0] < interval[1] < 1
    assert fit.split_half is None  # constant throughout the second half


@pytest.mark.parametrize("level", [0.1, 1.0, 1234.567])
def test_a_half_that_rounding_makes_vary_is_still_constant(level):
    x = series(300, 6, np.random.default_rng(7))
    x[:150, 2] = level  # the mean of 150 times 0.1 is not 0.1
    _, fit = _fit(recording(values=x))
    assert fit.split_half is None
    assert "split_half" not in fit.nulls


def test_three_units_have_a_reliability_without_an_interval():
    x = series(200, 2, np.random.default_rng(8))[:, :3]
    found = recording(values=x, units=unit_table(2).iloc[:3])
    reliability = _metric(found, "split-half reliability")
    assert -1 <= reliability.value <= 1
    assert reliability.interval is None  # without one unit a single edge is left


@pytest.mark.parametrize(("n_pairs", "judged"), [(2, False), (3, False), (6, True)])
def test_too_few_pairs_are_not_called_doubtful(n_pairs, judged):
    # Two pairs can be dealt out in two ways: no p value can be small, however clear the pairs are.
    found = recording(n_times=400, n_pairs=n_pairs)
    verdict = _metric(found, "homologous connectivity").verdict
    assert verdict == ("good" if judged else None)


def test_noise_is_called_doubtful_not_left_unjudged():
    noise = np.random.default_rng(9).standard_normal((300, 12))
    assert _metric(recording(values=noise), "homologous connectivity").verdict == "doubtful"


def test_structure_tests_keep_their_error_rate():
    p_values = {"homologous": [], "contrast": []}
    for seed in range(60):
        noise = np.random.default_rng(seed).standard_normal((60, 12))
        _, fit = _fit(recording(values=noise), seed=seed)
        for name, found in p_values.items():
            found.append(float(permutation_p_value(fit.summary[name], fit.nulls[name])))
    for name, found in p_values.items():
        assert 5 <= np.sum(np.array(found) <= 0.25) <= 26, name  # 15 expected
        assert np.sum(np.array(found) <= 0.05) <= 8, name  # 3 expected


def test_units_without_networks_or_with_one_unit_each_have_no_contrast():
    units = unit_table(6)
    units["network"] = [f"n{k}" for k in range(12)]
    _, fit = _fit(recording(units=units))
    assert fit.membership is None
    assert "contrast" not in fit.summary
    _, fit = _fit(recording(units=unit_table(6)[["hemisphere"]]))
    assert set(fit.summary) == {"mean"}
    assert len(fit.pairs) == 0


def test_partial_correlation_of_a_chain_has_no_shortcut():
    rng = np.random.default_rng(10)
    a = rng.standard_normal(4000)
    b = a + 0.7 * rng.standard_normal(4000)
    c = b + 0.7 * rng.standard_normal(4000)
    found = recording(values=np.column_stack([a, b, c]), units=unit_table(2).iloc[:3])
    _, fit = _fit(found)
    assert fit.correlation[0, 2] > 0.5
    assert abs(fit.partial[0, 2]) < 0.06
    assert fit.partial[0, 1] > 0.3


def test_singular_covariances_are_refused_only_without_shrinkage():
    x = series(200, 6, np.random.default_rng(11))
    x[:, 5] = x[:, 4]  # a unit twice
    found = recording(values=x)
    used = usable_series(found, FAST)
    covariance, shrinkage = regularised(used, FAST)
    assert 0 < shrinkage < 1
    assert np.linalg.eigvalsh(covariance)[0] > 0
    with pytest.raises(UnfitRecordingError, match="singular"):
        regularised(used, ConnectivitySettings(shrinkage="none"))


def test_significant_edges_are_the_planted_ones():
    rng = np.random.default_rng(12)
    x = rng.standard_normal((500, 12))
    x[:, 1] = 0.6 * x[:, 0] + 0.8 * x[:, 1]
    x[:, 7] = -0.6 * x[:, 6] + 0.8 * x[:, 7]
    _, fit = _fit(recording(values=x))
    found = np.argwhere(np.triu(_square(fit.significant), 1))
    assert {(0, 1), (6, 7)} <= {tuple(pair) for pair in found}
    assert len(found) <= 5


def _square(vector):
    matrix = np.zeros((12, 12), dtype=bool)
    matrix[np.triu_indices(12, 1)] = vector
    return matrix


def test_arrays_name_their_units_and_hold_the_matrices():
    x = series(150, 6, np.random.default_rng(13))
    x[:, 3] = 1.0
    used, fit = _fit(recording(values=x))
    arrays = recording_arrays(used, fit)
    assert list(arrays["unit"].values) == used.names
    assert "R1" not in used.names
    assert arrays["correlation"].shape == (11, 11)
    assert arrays["partial_correlation"].values == pytest.approx(fit.partial, abs=1e-6)
    assert arrays.attrs["n_frames"] == 150
    assert (np.diag(arrays["correlation"]) == 1).all()


def test_metrics_stand_beside_baseline_chance_and_interval():
    used, fit = _fit(recording(n_times=400))
    for metric in recording_metrics(used, fit, FAST):
        assert metric.value is not None
        if metric.interval:
            assert metric.interval[0] < metric.value < metric.interval[1], metric.name
        assert metric.chance is not None or metric.baseline is not None, metric.name
    mean = _metric(recording(n_times=400), "mean connectivity")
    assert f"p = {1 / 201:.2g} (200 permutations)" in mean.description
