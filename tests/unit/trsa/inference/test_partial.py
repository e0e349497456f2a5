import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.inference.partial import partial_compare


def rdms(seed, n, n_pairs=45):
    return np.random.default_rng(seed).random((n, n_pairs))


@given(seed=st.integers(0, 10**6), ranks=st.booleans())
def test_one_nuisance_gives_the_textbook_formula(seed, ranks):
    x, y, z = rdms(seed, 3)
    a, b, c = (rankdata(v) if ranks else v for v in (x, y, z))
    r = np.corrcoef([a, b, c])
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    found = partial_compare(y, x, z, measure="spearman" if ranks else "corr")
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 50))
def test_without_nuisances_it_is_spearman(seed):
    one, two = rdms(seed, 2).round(1)
    found = partial_compare(one, two, np.empty((0, 45)))
    assert found[0, 0] == pytest.approx(spearmanr(one, two).statistic)


def test_several_nuisances_equal_the_inverse_covariance():
    x, y, *z = rdms(0, 5)
    precision = np.linalg.inv(np.cov([x, y, *z]))
    expected = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    assert partial_compare(y, x, np.stack(z), measure="corr")[0, 0] == pytest.approx(expected)


def test_what_a_nuisance_explains_is_gone():
    z = rdms(1, 1)
    noise = rdms(2, 41)
    data, model = z + 0.3 * noise[:40], z + 0.3 * noise[40:]
    plain = np.corrcoef(np.concatenate([model, data]))[0, 1:].mean()
    found = partial_compare(data, model, z, measure="corr")
    assert found.shape == (1, 40)
    assert plain > 0.7
    assert abs(found.mean()) < 0.1


def test_a_model_that_is_the_nuisance_has_nothing_left():
    z = rdms(3, 1)
    assert partial_compare(rdms(4, 2), 2 * z + 1, z, measure="corr").tolist() == [[0.0, 0.0]]


def test_unknown_pairs_are_left_out():
    x, y, z = rdms(5, 2), rdms(6, 3), rdms(7, 1)
    x[0, 3] = y[1, 7] = z[0, 9] = np.nan
    kept = np.delete(np.arange(45), [3, 7, 9])
    expected = partial_compare(y[:, kept], x[:, kept], z[:, kept])
    np.testing.assert_allclose(partial_compare(y, x, z), expected)


def test_too_few_pairs_are_refused():
    with pytest.raises(UnfitRecordingError, match="3 pairs"):
        partial_compare(rdms(8, 1, 3), rdms(9, 1, 3), rdms(10, 1, 3))
