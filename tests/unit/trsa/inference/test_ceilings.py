import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import FAST, pair_weights, resampled
from neuropipe.trsa.inference.ceilings import ceiling_draws, noise_ceiling, pooled

N_CONDITIONS, N_PAIRS = 8, 28
MEASURES = (*FAST, "cosine_cov", "corr_cov")


def data(seed, n, *, ties=False):
    rng = np.random.default_rng(seed)
    common = rng.random(N_PAIRS)
    values = common + 0.5 * rng.random((n, N_PAIRS))
    return np.round(4 * values) if ties else values


def spelt_out(values, member, counts, measure):
    """Ceilings by the definition: pool, leave out, compare, average."""
    share = counts[member]
    repeated = np.repeat(np.arange(len(values)), share)
    lower, upper = [], []
    for s in np.flatnonzero(counts):
        others = repeated[member[repeated] != s]
        for pool, kept in ((others, lower), (repeated, upper)):
            alike = compare(pooled(values[pool], measure)[None], values[member == s], measure)
            kept.append(alike.mean())
    return np.mean(lower), np.mean(upper)


def drawn(seed, n_subjects, n_draws=4):
    rng = np.random.default_rng(seed)
    subjects = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n_draws)
    conditions = rng.multinomial(N_CONDITIONS, np.full(N_CONDITIONS, 1 / N_CONDITIONS), n_draws)
    good = ((subjects > 0).sum(axis=1) >= 2) & ((conditions > 0).sum(axis=1) >= 4)
    return subjects[good], conditions[good]


@pytest.mark.parametrize("measure", MEASURES)
def test_ceilings_follow_their_definition(measure):
    values, member = data(0, 5), np.arange(5)
    expected = spelt_out(values, member, np.ones(5, dtype=int), measure)
    np.testing.assert_allclose(noise_ceiling(values, measure), expected, atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("ties", [False, True])
def test_ceilings_of_resamples_follow_it_too(measure, ties):
    values, member = data(1, 6, ties=ties), np.array([0, 0, 1, 2, 3, 1])  # two have two sessions
    subjects, conditions = drawn(2, 4, 6)
    found = ceiling_draws(values, member, subjects, conditions, measure)
    for row, counts, own in zip(found, subjects, conditions, strict=True):
        expected = spelt_out(resampled(values, own), member, counts, measure)
        np.testing.assert_allclose(row, expected, atol=1e-10)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), measure=st.sampled_from(FAST))
def test_one_row_of_conditions_serves_all_draws(seed, measure):
    values, member = data(seed, 4), np.arange(4)
    subjects, _ = drawn(seed, 4, 6)
    once = np.ones((1, N_CONDITIONS), dtype=int)
    one = ceiling_draws(values, member, subjects, once, measure)
    repeated = np.repeat(once, len(subjects), axis=0)
    np.testing.assert_allclose(
        one, ceiling_draws(values, member, subjects, repeated, measure), atol=1e-12
    )


@pytest.mark.parametrize("measure", [*FAST, "corr_cov"])
def test_ways_to_draw_subjects_share_the_draws_of_conditions(measure):
    values, member = data(11, 5), np.array([0, 1, 1, 2, 3])
    subjects, conditions = drawn(12, 4, 5)
    ways = np.stack([subjects, np.ones_like(subjects), subjects[::-1]])
    found = ceiling_draws(values, member, ways, conditions, measure)
    alone = [ceiling_draws(values, member, way, conditions, measure) for way in ways]
    np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("measure", ["spearman", "rho-a", "tau-a", "tau-b"])
@pytest.mark.parametrize("n_subjects", [2, 60])
def test_sums_of_many_or_extreme_ranks_are_sorted_well(measure, n_subjects):
    rng = np.random.default_rng(13)
    values = rng.random((n_subjects, N_PAIRS))
    values[:, 3] = -9.0  # the least in all subjects: far from all other sums
    values[:, 5:7] = 9.0
    counts, once = np.ones((1, n_subjects), dtype=int), np.full((1, N_CONDITIONS), 7)
    found = ceiling_draws(values, np.arange(n_subjects), counts, once, measure)[0]
    repeated = resampled(values, once[0])
    expected = spelt_out(repeated, np.arange(n_subjects), counts[0], measure)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("measure", FAST)
def test_draws_without_a_known_pair_have_no_ceiling(measure):
    values = data(14, 3)
    values[1, 0] = np.nan  # of the first two conditions
    conditions = np.array([[4, 4, 0, 0, 0, 0, 0, 0]])
    assert np.isnan(
        ceiling_draws(values, np.arange(3), np.ones((1, 3), dtype=int), conditions, measure)
    ).all()


@pytest.mark.parametrize("measure", FAST)
def test_the_lower_ceiling_lies_below_the_upper(measure):
    lower, upper = noise_ceiling(data(3, 8), measure)
    assert 0 < lower < upper < 1


def test_identical_subjects_reach_both():
    values = np.repeat(data(4, 1), 3, axis=0)
    for measure in FAST:
        np.testing.assert_allclose(noise_ceiling(values, measure), 1, atol=1e-12)


def test_sessions_of_a_subject_do_not_predict_each_other():
    rng = np.random.default_rng(5)
    own = rng.random((4, N_PAIRS))  # subjects have nothing in common, their two sessions all
    values = np.repeat(own, 2, axis=0) + 0.01 * rng.random((8, N_PAIRS))
    apart = noise_ceiling(values, "corr")[0]
    together = noise_ceiling(values, "corr", np.repeat(np.arange(4), 2))[0]
    assert apart > together + 0.2  # 1 / sqrt(13) by chance correlations of 0
    assert together < 0.1


def test_unknown_pairs_are_left_out():
    values = data(6, 4)
    values[1, 3] = np.nan
    known = np.arange(N_PAIRS) != 3
    for measure in FAST:
        member = np.arange(4)
        counts = np.ones(4, dtype=int)
        expected = spelt_out(np.where(known, values, np.nan), member, counts, measure)
        np.testing.assert_allclose(noise_ceiling(values, measure), expected, atol=1e-12)


def test_one_subject_has_no_ceiling():
    with pytest.raises(UnfitRecordingError, match="one subject"):
        noise_ceiling(data(7, 1), "corr")


def test_pools_are_what_their_measures_like_best():
    values = data(8, 5)
    ranks = rankdata(values, axis=1).mean(axis=0)
    np.testing.assert_allclose(pooled(values, "rho-a"), ranks)
    for measure in ("cosine", "corr", "spearman", "rho-a"):
        pool = pooled(values, measure)[None]
        best = compare(pool, values, measure).mean()
        tried = pool + 0.05 * pool.std() * np.random.default_rng(9).standard_normal((50, N_PAIRS))
        if measure in ("spearman", "rho-a"):  # ranks move in steps: compare with other pools
            tried = np.concatenate([values, values.mean(axis=0)[None]])
        assert compare(tried, values, measure).mean(axis=1).max() <= best + 1e-12


def test_a_weighted_pool_is_that_of_the_resample():
    values = data(10, 3)
    conditions, counts = np.array([2, 1, 0, 1, 1, 2, 1, 0]), np.array([2, 0, 1])
    weights = pair_weights(conditions)
    known = weights > 0
    for measure in ("cosine", "corr", "spearman"):
        found = pooled(values, measure, weights=weights, counts=counts)
        whole = pooled(resampled(values[[0, 0, 2]], conditions), measure)
        repeated = resampled(np.where(known, found, 0.0)[None], conditions)[0]
        np.testing.assert_allclose(repeated, whole, atol=1e-12)
