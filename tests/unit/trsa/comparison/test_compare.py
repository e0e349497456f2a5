"""Comparisons of RDMs are those of their definitions, of scipy and of rsatoolbox."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import sqrtm
from scipy.stats import kendalltau, pearsonr, spearmanr

from neuropipe.errors import InputError, SettingsError
from neuropipe.trsa.comparison.compare import COMPARISONS, compare, pair_precision
from neuropipe.trsa.comparison.kendall import exchanges
from neuropipe.trsa.files.interchange import to_rsatoolbox
from neuropipe.trsa.rdms import RDMs, square

N = 8
PAIRS = N * (N - 1) // 2
MOMENTS = ("neg_riem_dist", "bures", "bures_metric")
VECTORS = [measure for measure in COMPARISONS if measure not in MOMENTS]
CORRELATIONS = [measure for measure in VECTORS if not measure.startswith("cosine")]
#: rsatoolbox takes square roots of eigenvalues that are zero but for rounding; ours are singular
#: values, so that the two agree to the root of the machine's precision.
TOLERANCE = {"bures": 1e-7, "bures_metric": 1e-6}


def euclidean_rdms(n_rdms, seed=0, n_channels=20, n=N):
    points = np.random.default_rng(seed).standard_normal((n_rdms, n, n_channels))
    rows, columns = np.triu_indices(n, 1)
    return ((points[:, rows] - points[:, columns]) ** 2).mean(axis=2)


def tied(n_rdms, seed=0, levels=4):
    return np.random.default_rng(seed).integers(0, levels, (n_rdms, PAIRS)).astype(float)


@pytest.mark.parametrize(
    ("measure", "ties"),
    [*((measure, False) for measure in COMPARISONS), *((measure, True) for measure in VECTORS)],
)
def test_parity_with_rsatoolbox(measure, ties):
    rdm = pytest.importorskip("rsatoolbox.rdm")
    first, second = euclidean_rdms(3, 1), euclidean_rdms(4, 2)
    if ties:
        first, second = tied(3, 1), tied(4, 2)
    names = tuple("abcdefgh")
    expected = rdm.compare(
        to_rsatoolbox(RDMs(first, names)), to_rsatoolbox(RDMs(second, names)), method=measure
    )
    found = compare(first, second, measure)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE.get(measure, 1e-10), rtol=0)


@pytest.mark.parametrize("measure", VECTORS)
def test_parity_with_rsatoolbox_where_pairs_are_unknown(measure):
    rdm = pytest.importorskip("rsatoolbox.rdm")
    first, second = euclidean_rdms(3, 1), euclidean_rdms(4, 2)
    gaps = [0, 5, 17]
    first[:, gaps] = second[:, gaps] = np.nan
    names = tuple("abcdefgh")
    expected = rdm.compare(
        to_rsatoolbox(RDMs(first, names)), to_rsatoolbox(RDMs(second, names)), method=measure
    )
    np.testing.assert_allclose(compare(first, second, measure), expected, atol=1e-10)


VALUES = arrays(np.float64, (2, PAIRS), elements=st.integers(0, 6).map(float))


@settings(max_examples=50)
@given(VALUES)
def test_ranks_and_products_are_those_of_scipy(rows):
    one, other = rows
    first, second = rows[:1], rows[1:]
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert all(compare(first, second, measure)[0, 0] == 0 for measure in CORRELATIONS)
        return
    assert compare(first, second, "corr")[0, 0] == pytest.approx(pearsonr(one, other)[0], abs=1e-12)
    found = compare(first, second, "spearman")[0, 0]
    assert found == pytest.approx(spearmanr(one, other)[0], abs=1e-12)
    tau = kendalltau(one, other).statistic
    assert compare(first, second, "tau-b")[0, 0] == pytest.approx(tau, abs=1e-12)
    signs = np.sign(one[:, None] - one) * np.sign(other[:, None] - other)
    tau_a = signs.sum() / (PAIRS * (PAIRS - 1))
    assert compare(first, second, "tau-a")[0, 0] == pytest.approx(tau_a, abs=1e-12)


def test_rho_a_is_the_mean_over_orders_of_ties():
    one, other = np.array([1.0, 1, 1, 2, 3, 3]), np.array([2.0, 1, 3, 3, 5, 4])
    rhos = []
    for a, b in itertools.product(
        itertools.permutations(range(3)), itertools.permutations(range(2))
    ):
        for c in itertools.permutations(range(2)):
            first, second = one.copy(), other.copy()
            first[:3] += np.array(a) / 10
            first[4:] += np.array(b) / 10
            second[[2, 3]] += np.array(c) / 10
            rhos.append(spearmanr(first, second)[0])
    assert compare(one, other, "rho-a")[0, 0] == pytest.approx(np.mean(rhos))


@settings(max_examples=50)
@given(st.lists(st.integers(-5, 5), max_size=40))
def test_exchanges_are_pairs_in_falling_order(values):
    expected = sum(a > b for a, b in itertools.combinations(values, 2))
    assert exchanges(np.array(values, dtype=np.int64)) == expected


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(3, 9), st.floats(0, 0.5))
def test_whitening_solves_the_covariance_of_pairs(seed, n, lacking):
    rng = np.random.default_rng(seed)
    pairs = list(itertools.combinations(range(n), 2))
    contrasts = np.array([[(k == i) - (k == j) * 1.0 for k in range(n)] for i, j in pairs])
    covariance = (contrasts @ contrasts.T) ** 2
    known = rng.random(len(pairs)) >= lacking
    known[0] = True
    rows = rng.standard_normal((2, int(known.sum())))
    expected = np.linalg.solve(covariance[np.ix_(known, known)], rows.T).T
    np.testing.assert_allclose(pair_precision(rows, known), expected, atol=1e-10)


def test_whitened_comparisons_are_their_definitions():
    first, second = euclidean_rdms(2, 1), euclidean_rdms(3, 2)
    contrasts = np.zeros((PAIRS, N))
    rows, columns = np.triu_indices(N, 1)
    contrasts[np.arange(PAIRS), rows], contrasts[np.arange(PAIRS), columns] = 1, -1
    precision = np.linalg.inv((contrasts @ contrasts.T) ** 2)

    def cosine(a, b):
        return a @ precision @ b / np.sqrt((a @ precision @ a) * (b @ precision @ b))

    expected = [[cosine(a, b) for b in second] for a in first]
    np.testing.assert_allclose(compare(first, second, "cosine_cov"), expected)
    expected = [[cosine(a - a.mean(), b - b.mean()) for b in second] for a in first]
    np.testing.assert_allclose(compare(first, second, "corr_cov"), expected)


def test_bures_is_its_definition():
    first, second = euclidean_rdms(2, 1), euclidean_rdms(3, 2)
    centring = np.eye(N) - 1 / N
    moments = [[-centring @ m @ centring / 2 for m in square(rows)] for rows in (first, second)]
    for (a, one), (b, other) in itertools.product(*map(enumerate, moments)):
        root = np.real(sqrtm(one + 1e-14 * np.eye(N)))
        norm = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
        similarity = norm / np.sqrt(np.trace(one) * np.trace(other))
        assert compare(first, second, "bures")[a, b] == pytest.approx(similarity, abs=1e-6)
        metric = np.trace(one) + np.trace(other) - 2 * norm
        assert compare(first, second, "bures_metric")[a, b] == pytest.approx(metric, abs=1e-5)


@pytest.mark.parametrize("measure", COMPARISONS)
def test_an_rdm_is_most_similar_to_itself(measure):
    rdms = euclidean_rdms(4)
    found = compare(rdms, rdms, measure)
    best = found.argmin(axis=1) if measure == "bures_metric" else found.argmax(axis=1)
    np.testing.assert_array_equal(best, range(4))
    own = 0 if measure in ("bures_metric", "neg_riem_dist") else 1
    np.testing.assert_allclose(np.diag(found), own, atol=1e-4)


@pytest.mark.parametrize("measure", COMPARISONS)
def test_scale_does_not_matter(measure):
    first, second = euclidean_rdms(2, 1), euclidean_rdms(2, 2)
    scaled = compare(3 * first, second, measure)
    if measure == "bures_metric":
        assert (scaled > compare(first, second, measure)).all()
        return
    np.testing.assert_allclose(scaled, compare(first, second, measure), atol=1e-4)


@pytest.mark.parametrize("measure", VECTORS)
def test_each_two_are_compared_over_the_pairs_that_both_know(measure):
    first, second = euclidean_rdms(3, 1), euclidean_rdms(2, 2)
    first[0, [0, 3]] = np.nan
    first[2, 1] = second[1, 9] = np.nan
    found = compare(first, second, measure)
    for a, b in itertools.product(range(3), range(2)):
        alone = compare(first[[a]], second[[b]], measure)[0, 0]
        assert found[a, b] == pytest.approx(alone, abs=1e-14)
    known = ~np.isnan(first[0] + second[1])
    if not measure.endswith("_cov"):
        rows = [np.full(PAIRS, np.nan), np.full(PAIRS, np.nan)]
        rows[0][known], rows[1][known] = first[0, known], second[1, known]
        assert compare(rows[0], rows[1], measure)[0, 0] == pytest.approx(found[0, 1])


@pytest.mark.parametrize("measure", MOMENTS)
def test_geometries_need_all_pairs_of_the_conditions_that_are_there(measure):
    first, second = euclidean_rdms(2, 1), euclidean_rdms(2, 2)
    gone = square(first)
    gone[:, 3] = gone[:, :, 3] = np.nan
    lacking = gone[:, *np.triu_indices(N, 1)]
    kept = np.delete(np.arange(N), 3)
    rows, columns = np.triu_indices(N - 1, 1)
    smaller = [square(rdms)[:, kept][:, :, kept][:, rows, columns] for rdms in (first, second)]
    np.testing.assert_allclose(
        compare(lacking, second, measure), compare(*smaller, measure), atol=1e-8
    )
    first[0, 4] = np.nan
    with pytest.raises(InputError, match="1 pairs among 8 conditions are unknown"):
        compare(first, second, measure)


@pytest.mark.parametrize("measure", VECTORS)
def test_an_rdm_without_information_compares_as_zero(measure):
    flat = np.full((1, PAIRS), 0.0 if measure.startswith("cosine") else 0.1)
    np.testing.assert_array_equal(compare(flat, euclidean_rdms(2), measure), [[0, 0]])


def test_too_few_common_pairs_are_unknown():
    first, second = euclidean_rdms(2, 1), euclidean_rdms(1, 2)
    first[0, 1:] = np.nan
    found = compare(first, second, "corr")
    assert np.isnan(found[0, 0])
    assert np.isfinite(found[1, 0])


def test_negative_distances_are_compared_but_fill_no_space():
    rdms = euclidean_rdms(2)
    rdms[0, :5] *= -1
    assert np.isfinite(compare(rdms, rdms, "cosine_cov")).all()
    assert np.isfinite(compare(rdms, rdms, "bures")).all()
    with pytest.raises(InputError, match="eigenvalue of -"):
        compare(rdms[1:], rdms[:1], "neg_riem_dist")


def test_what_does_not_fit_is_refused():
    rdms = euclidean_rdms(2)
    with pytest.raises(SettingsError, match="one of cosine"):
        compare(rdms, rdms, "euclidean")
    with pytest.raises(InputError, match="as many pairs"):
        compare(rdms, rdms[:, 1:])
    with pytest.raises(InputError, match="27 pairs"):
        compare(rdms[:, 1:], rdms[:, 1:])
    rdms[0, 0] = np.inf
    with pytest.raises(InputError, match="infinite"):
        compare(rdms, rdms)
