import numpy as np
import pandas as pd
import pytest
from scipy import stats

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import compare_draws
from neuropipe.trsa.inference.ceilings import noise_ceiling
from neuropipe.trsa.inference.evaluation import _variance, evaluate
from neuropipe.trsa.inference.models import FixedModel, InterpolateModel, SelectModel, WeightedModel
from neuropipe.trsa.inference.scoring import Bootstraps
from neuropipe.trsa.rdms import RDMs


def study(seed=0, n_subjects=8, n_conditions=12, noise=0.5, sessions=1):
    """Two components, subjects that mix them, and a model that knows nothing."""
    rng = np.random.default_rng(seed)
    n_pairs = n_conditions * (n_conditions - 1) // 2
    parts = rng.random((3, n_pairs))
    shares = rng.uniform(0.3, 1, (n_subjects, 2)) * (1.0, 0.6)
    data = np.repeat(shares @ parts[:2], sessions, axis=0)
    data = data + noise * rng.standard_normal(data.shape)
    items = pd.DataFrame({"subject": np.repeat([f"s{k}" for k in range(n_subjects)], sessions)})
    names = tuple(f"c{k}" for k in range(n_conditions))
    models = [FixedModel(n, p, names) for n, p in zip(("one", "two", "none"), parts, strict=True)]
    return models, RDMs(data, names, "euclidean", items), parts


def test_new_subjects_are_a_paired_t_test():
    models, rdms, parts = study()
    result = evaluate(models, rdms, measure="corr", new="subjects", n_bootstrap=50)
    scores = compare(parts, rdms.dissimilarities, "corr")
    np.testing.assert_allclose(result.scores, scores, atol=1e-12)
    zero = stats.ttest_1samp(scores, 0, axis=1, alternative="greater")
    np.testing.assert_allclose(result.against_zero.p_value, zero.pvalue, rtol=1e-8)
    pairs = [stats.ttest_rel(scores[a], scores[b]).pvalue for a, b in result.pairs]
    np.testing.assert_allclose(result.differences.p_value, pairs, rtol=1e-8)
    assert result.df == 7
    assert not result.crossvalidated


@pytest.mark.parametrize(("new", "df"), [("subjects", 7), ("conditions", 11), ("both", 7)])
def test_every_conclusion_has_its_degrees_of_freedom_and_no_gaps(new, df):
    models, rdms, _ = study()
    result = evaluate(models, rdms, new=new, n_bootstrap=60, n_permutations=49)
    assert result.df == df
    for test in (result.against_zero, result.against_ceiling, result.ceiling, result.differences):
        for values in (test.p_value, test.standard_error, test.low, test.high):
            assert np.isfinite(values).all()
    assert (result.p_holm >= result.differences.p_value).all()
    assert (result.p_fdr <= result.p_holm + 1e-12).all()
    assert (
        (result.percentiles[:, 0] < result.mean) & (result.mean < result.percentiles[:, 1])
    ).all()


def test_the_true_model_is_found_and_the_empty_one_is_not():
    models, rdms, _ = study(n_conditions=24, noise=0.3)
    result = evaluate(models, rdms, measure="corr", n_bootstrap=200, n_permutations=199)
    table = result.table().set_index("model")
    assert table.loc["one", "p_zero"] < 0.001
    assert table.loc["one", "p_permutation_any"] <= 0.01
    assert table.loc["none", "p_zero"] > 0.05
    assert table.loc["none", "p_permutation"] > 0.02
    assert table.loc["none", "p_ceiling"] < 0.01
    differences = result.difference_table().set_index(["first", "second"])
    assert differences.loc[("one", "none"), "p_holm"] < 0.01


def test_conditions_bootstrap_is_the_spread_over_draws():
    models, rdms, parts = study()
    result = evaluate(models, rdms, measure="corr", new="conditions", n_bootstrap=3000)
    counts = np.random.default_rng(9).multinomial(12, np.full(12, 1 / 12), 3000)
    draws = compare_draws(parts, rdms.dissimilarities, counts, "corr").mean(axis=2)
    expected = draws.std(axis=0, ddof=1) * np.sqrt(12 / 11)
    np.testing.assert_allclose(result.against_zero.standard_error, expected, rtol=0.06)


def test_new_both_is_less_sure_than_either_alone():
    models, rdms, _ = study()
    errors = {
        new: evaluate(models, rdms, measure="corr", new=new, n_bootstrap=400).differences
        for new in ("subjects", "conditions", "both")
    }
    for new in ("subjects", "conditions"):
        both, one = errors["both"].standard_error, errors[new].standard_error
        assert (both >= 0.95 * one).all()


def test_ceiling_and_its_interval():
    models, rdms, _ = study()
    result = evaluate(models, rdms, measure="rho-a", n_bootstrap=100)
    np.testing.assert_allclose(result.ceiling.value, noise_ceiling(rdms.dissimilarities, "rho-a"))
    assert (result.ceiling.low < result.ceiling.value).all()
    np.testing.assert_allclose(
        result.against_ceiling.value, result.mean - result.ceiling.value[0], atol=1e-12
    )


def test_sessions_of_a_subject_are_one_subject():
    models, rdms, _ = study(sessions=3)
    result = evaluate(models, rdms, measure="corr", new="subjects", n_bootstrap=50)
    assert result.scores.shape == (3, 8)
    assert result.df == 7
    alone = compare(models[0].predict()[None], rdms.dissimilarities, "corr")[0]
    np.testing.assert_allclose(result.scores[0], alone.reshape(8, 3).mean(axis=1))


def test_one_subject_speaks_of_conditions_only():
    models, rdms, _ = study(n_subjects=1)
    with pytest.raises(UnfitRecordingError, match="new to 'conditions'"):
        evaluate(models, rdms, new="both")
    result = evaluate(models, rdms, new="conditions", n_bootstrap=50, n_permutations=19)
    assert result.ceiling is None
    assert result.against_ceiling is None
    assert np.isfinite(result.against_zero.p_value).all()
    assert "p_ceiling" not in result.table()


def test_few_conditions_are_refused_in_words():
    models, rdms, _ = study(n_conditions=3)
    with pytest.raises(UnfitRecordingError, match="3 conditions; expected at least 4"):
        evaluate(models, rdms)
    result = evaluate(models, rdms, new="subjects", n_bootstrap=20, n_permutations=19)
    assert np.isfinite(result.differences.p_value).all()


def test_four_conditions_give_numbers():
    models, rdms, _ = study(n_conditions=4)
    result = evaluate(models, rdms, measure="spearman", n_bootstrap=50, n_permutations=19)
    assert np.isfinite(result.against_zero.p_value).all()
    assert np.isfinite(result.against_ceiling.p_value).all()
    assert result.n_redrawn > 0


def test_identical_models_do_not_differ():
    models, rdms, parts = study()
    twins = [models[0], FixedModel("twin", parts[0])]
    for new in ("subjects", "conditions", "both"):
        result = evaluate(twins, rdms, new=new, n_bootstrap=30, n_permutations=0)
        assert result.differences.p_value.tolist() == [1.0]
        assert result.p_permutation is None


def test_models_are_aligned_by_name():
    models, rdms, _ = study()
    order = np.random.default_rng(1).permutation(12)
    names = tuple(rdms.conditions[k] for k in order)
    moved = [FixedModel(m.name, m.of(names).dissimilarities, names) for m in models]
    one, other = (evaluate(m, rdms, n_bootstrap=20, n_permutations=0) for m in (models, moved))
    np.testing.assert_allclose(one.scores, other.scores)


def test_unknown_pairs_are_left_out_of_everything():
    models, rdms, parts = study()
    values = rdms.dissimilarities.copy()
    values[2, 5] = values[3, 8] = np.nan
    kept = np.delete(np.arange(66), [5, 8])
    gaps = RDMs(values, rdms.conditions, items=rdms.table)
    result = evaluate(models, gaps, measure="spearman", n_bootstrap=20, n_permutations=19)
    assert result.n_pairs == 64
    once = compare_draws(parts, np.where(np.isin(np.arange(66), kept), values, np.nan),
                         np.ones((1, 12)), "spearman")[0]  # fmt: skip
    np.testing.assert_allclose(result.scores, once)
    assert np.isfinite(result.p_permutation).all()


def test_draws_that_hold_no_known_pair_say_nothing():
    draws = np.random.default_rng(2).random((40, 4))
    gaps = np.insert(draws, [0, 7, 20], np.nan, axis=0)
    contrasts = np.array([[1.0, -1, 0, 0], [1, 0, -1, 0]])
    found, expected = (
        _variance(Bootstraps(None, rows, None), contrasts, 1, 12) for rows in (gaps, draws)
    )
    np.testing.assert_allclose(found, expected)


def test_conditions_without_known_pairs_leave_numbers():
    models, rdms, _ = study(n_conditions=4)
    values = rdms.dissimilarities.copy()
    values[0, [0, 1, 3]] = np.nan  # draws of the first three conditions hold no known pair
    result = evaluate(
        models, RDMs(values, rdms.conditions, items=rdms.table), measure="corr", n_bootstrap=50
    )
    assert result.n_pairs == 3
    assert np.isfinite(result.differences.standard_error).all()
    assert np.isfinite(result.percentiles).all()


def test_too_few_known_pairs_are_refused():
    models, rdms, _ = study(n_subjects=3, n_conditions=4)
    values = np.full((3, 6), np.nan)
    for k in range(3):
        values[k, [k, k + 1, k + 2]] = 1.0
    with pytest.raises(UnfitRecordingError, match="pairs of conditions that all"):
        evaluate(models, RDMs(values, rdms.conditions, items=rdms.table))


@pytest.mark.parametrize("measure", ["cosine_cov", "corr_cov", "tau-a"])
def test_slower_measures_work_the_same_way(measure):
    models, rdms, parts = study(n_subjects=4, n_conditions=8)
    result = evaluate(models, rdms, measure=measure, n_bootstrap=8, n_permutations=9)
    np.testing.assert_allclose(
        result.scores, compare(parts, rdms.dissimilarities, measure), atol=1e-10
    )
    assert np.isfinite(result.against_ceiling.p_value).all()


def test_what_cannot_be_resampled_is_refused():
    models, rdms, _ = study()
    for measure, new in (("bures", "both"), ("bures_metric", "subjects"), ("magic", "both")):
        with pytest.raises(SettingsError, match=measure):
            evaluate(models, rdms, measure=measure, new=new)


def test_wrong_inputs_are_named():
    models, rdms, _ = study()
    with pytest.raises(InputError, match="'patient'"):
        evaluate(models, rdms, subject_column="patient")
    with pytest.raises(InputError, match="two models"):
        evaluate([models[0], models[0]], rdms)
    with pytest.raises(InputError, match="no models"):
        evaluate([], rdms)
    with pytest.raises(SettingsError, match="sideways"):
        evaluate(models, rdms, new="sideways")
    with pytest.raises(SettingsError, match="1 draws"):
        evaluate(models, rdms, n_bootstrap=1)


def test_flexible_models_are_scored_on_what_they_have_not_seen():
    models, rdms, parts = study(n_subjects=6, n_conditions=16, noise=0.3)
    noise = np.random.default_rng(3).random((8, 120))
    flexible = [
        *models,
        WeightedModel("sum", parts[:2]),
        WeightedModel("overfit", noise),
        SelectModel("select", parts),
        InterpolateModel("between", parts),
    ]
    result = evaluate(flexible, rdms, measure="corr", n_bootstrap=5, n_permutations=0)
    assert result.crossvalidated
    score = dict(zip(result.models, result.mean, strict=True))
    assert score["sum"] > score["one"] > score["two"]
    assert score["select"] == pytest.approx(score["one"])
    fitted = WeightedModel("overfit", noise)
    seen = fitted.predict(fitted.fit(rdms.dissimilarities, "corr"))[None]
    assert compare(seen, rdms.dissimilarities, "corr").mean() > score["overfit"] + 0.1
    assert abs(score["overfit"]) < 0.15
    assert np.isfinite(result.differences.p_value).all()


def test_flexible_models_of_one_subject_learn_from_its_other_conditions():
    _, rdms, parts = study(n_subjects=1, n_conditions=16, noise=0.1)
    result = evaluate(
        [WeightedModel("sum", parts)],
        rdms,
        measure="corr",
        new="conditions",
        n_bootstrap=5,
        n_permutations=4,
    )
    assert result.mean[0] > 0.7
    assert result.p_permutation[0] == pytest.approx(0.2)


def test_flexible_models_need_conditions_to_hold_out():
    _, rdms, parts = study(n_conditions=6)
    with pytest.raises(UnfitRecordingError, match="6 conditions"):
        evaluate([SelectModel("s", parts)], rdms)


def test_same_seed_same_numbers():
    models, rdms, _ = study()
    one, two, other = (
        evaluate(models, rdms, n_bootstrap=30, n_permutations=19, seed=seed) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one.against_zero.p_value, two.against_zero.p_value)
    np.testing.assert_array_equal(one.p_permutation, two.p_permutation)
    assert (one.against_zero.standard_error != other.against_zero.standard_error).any()
