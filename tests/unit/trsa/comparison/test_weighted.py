import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from neuropipe.errors import InputError
from neuropipe.trsa.comparison import weighted
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import (
    FAST,
    compare_draws,
    in_chunks,
    known_pairs,
    pair_weights,
    resampled,
    standardised,
    weighted_compare,
    weighted_ranks,
)

N_CONDITIONS = 9
N_PAIRS = 36


def rdms(seed, n, *, ties=False):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 5, (n, N_PAIRS)).astype(float) if ties else rng.random((n, N_PAIRS))


def counts_of(seed, n_draws, n_conditions=N_CONDITIONS):
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n_conditions, np.full(n_conditions, 1 / n_conditions), n_draws * 3)
    return counts[(counts > 0).sum(axis=1) >= 3][:n_draws]


def explicit(first, second, counts, measure):
    return np.stack(
        [compare(resampled(first, row), resampled(second, row), measure) for row in counts]
    )


@pytest.mark.parametrize("measure", FAST)
@pytest.mark.parametrize("ties", [False, True])
def test_weights_equal_resamples_that_are_spelt_out(measure, ties):
    first, second, counts = rdms(0, 3, ties=ties), rdms(1, 4), counts_of(2, 6)
    found = weighted_compare(first, second, pair_weights(counts), measure)
    assert found.shape == (6, 3, 4)
    np.testing.assert_allclose(found, explicit(first, second, counts, measure), atol=1e-10)


@given(seed=st.integers(0, 10**6), measure=st.sampled_from(FAST))
def test_any_draw_with_ties_on_both_sides(seed, measure):
    first, second = rdms(seed, 2, ties=True), rdms(seed + 1, 2, ties=True)
    counts = counts_of(seed, 2)
    found = compare_draws(first, second, counts, measure)
    np.testing.assert_allclose(found, explicit(first, second, counts, measure), atol=1e-9)


@given(seed=st.integers(0, 10**6))
def test_ranks_are_those_of_repeated_values(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, (2, 12)).astype(float)
    weights = rng.integers(0, 4, (3, 12)).astype(float)
    ranks = weighted_ranks(values, weights)
    for d, row in enumerate(weights.astype(int)):
        for k, own in enumerate(values):
            expected = rankdata(np.repeat(own, row))
            np.testing.assert_array_equal(np.repeat(ranks[d, k], row), expected)


def test_sides_can_be_swapped():
    first, second, weights = rdms(3, 5), rdms(4, 2), pair_weights(counts_of(5, 4))
    for measure in FAST:
        one = weighted_compare(first, second, weights, measure)
        other = weighted_compare(second, first, weights, measure)
        np.testing.assert_allclose(one, other.transpose(0, 2, 1), atol=1e-12)


def test_pair_weights_are_products_in_the_order_of_pairs():
    assert pair_weights(np.array([2, 0, 1, 3])).tolist() == [0, 2, 6, 0, 0, 3]


def test_a_pair_unknown_to_one_counts_for_none():
    first, second = rdms(6, 2), rdms(7, 3)
    first[0, 4] = second[2, 9] = np.nan
    known = known_pairs(first, second)
    assert np.flatnonzero(~known).tolist() == [4, 9]
    once = np.ones((1, N_PAIRS))
    for measure in FAST:
        found = weighted_compare(first, second, once, measure)[0]
        alone = weighted_compare(first[:, known], second[:, known], once[:, known], measure)[0]
        np.testing.assert_allclose(found, alone, atol=1e-12)


@pytest.mark.parametrize("measure", ["corr", "spearman", "rho-a", "tau-a", "tau-b"])
def test_what_is_constant_in_a_draw_is_like_nothing(measure):
    flat = np.zeros((1, N_PAIRS))
    flat[0, -1] = 0.3  # the last pair, of conditions that this draw leaves out
    counts = np.array([[2, 2, 2, 1, 1, 1, 0, 0, 0]])
    assert compare_draws(flat, rdms(8, 3), counts, measure).tolist() == [[[0.0, 0.0, 0.0]]]


def test_rounding_of_a_constant_is_no_variance():
    flat = np.full((1, N_PAIRS), 0.1)
    assert not standardised(flat).any()
    assert not weighted_compare(flat, rdms(0, 2), pair_weights(counts_of(1, 5)), "corr").any()


@pytest.mark.parametrize("measure", ["corr", "cosine", "rho-a", "tau-a"])
def test_a_draw_without_pairs_is_unknown(measure):
    counts = np.eye(N_CONDITIONS, dtype=int)[:1]
    assert np.isnan(compare_draws(rdms(0, 1), rdms(1, 1), counts, measure)).all()


def test_correlation_keeps_its_digits_far_from_zero():
    first, second, counts = rdms(9, 2), rdms(10, 2), counts_of(11, 3)
    near = compare_draws(first, second, counts, "corr")
    far = compare_draws(first + 1e5, 1e-3 * second - 1e4, counts, "corr")
    np.testing.assert_allclose(near, far, atol=1e-8)


@pytest.mark.parametrize("measure", ["cosine_cov", "corr_cov"])
def test_whitened_measures_see_every_resample_spelt_out(measure):
    first, second, counts = rdms(12, 2), rdms(13, 3), counts_of(14, 3)
    found = compare_draws(first, second, counts, measure)
    np.testing.assert_allclose(found, explicit(first, second, counts, measure))
    whole = compare_draws(first, second, np.ones((1, N_CONDITIONS), dtype=int), measure)[0]
    np.testing.assert_allclose(whole, compare(first, second, measure), atol=1e-12)


def test_weights_of_pairs_do_not_do_for_them():
    with pytest.raises(InputError, match="cosine_cov"):
        weighted_compare(rdms(0, 1), rdms(1, 1), np.ones((1, N_PAIRS)), "cosine_cov")


def test_a_resample_blanks_pairs_of_a_condition_with_itself():
    values = np.array([[1.0, 2.0, 3.0]])
    found = resampled(values, np.array([2, 0, 1]))
    np.testing.assert_array_equal(found, [[np.nan, 2.0, 2.0]])


@pytest.mark.parametrize("memory", [1.0, 1e9])
def test_results_do_not_depend_on_the_size_of_chunks(monkeypatch, memory):
    first, second, counts = rdms(15, 2), rdms(16, 3), counts_of(17, 40)
    expected = [weighted_compare(first, second, pair_weights(counts), m) for m in FAST]
    monkeypatch.setattr(weighted, "_MEMORY", memory)
    for measure, values in zip(FAST, expected, strict=True):
        found = weighted_compare(first, second, pair_weights(counts), measure)
        np.testing.assert_allclose(found, values, rtol=1e-14)


@given(n_draws=st.integers(1, 200), size=st.floats(1, 1e9))
def test_chunks_cover_every_draw_once(n_draws, size):
    seen = np.zeros(n_draws, dtype=int)

    def count(part):
        seen[part] += 1

    in_chunks(count, n_draws, size)
    assert (seen == 1).all()
