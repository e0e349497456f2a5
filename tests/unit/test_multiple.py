import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from neuropipe.stats.multiple import false_discovery, holm

P_VALUES = arrays(float, st.integers(0, 10), elements=st.floats(0, 1) | st.just(float("nan")))
METHODS = pytest.mark.parametrize("adjust", [holm, false_discovery])


def test_holm_is_the_textbook():
    np.testing.assert_allclose(
        holm(np.array([0.04, 0.01, np.nan, 0.03, 0.005])), [0.06, 0.03, np.nan, 0.06, 0.02]
    )


def test_false_discovery_is_the_textbook():
    found = false_discovery(np.array([0.01, 0.04, np.nan, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.02, 0.04, np.nan, 0.04, 0.02])


@METHODS
@given(p=P_VALUES)
def test_order_is_kept_and_nothing_gets_smaller(adjust, p):
    adjusted = adjust(p)
    tested = np.isfinite(p)
    assert np.array_equal(tested, np.isfinite(adjusted))
    assert (adjusted[tested] >= p[tested]).all()
    assert (adjusted[tested] <= np.minimum(1, p[tested] * tested.sum()) + 1e-12).all()
    order = np.argsort(p[tested], kind="stable")
    assert (np.diff(adjusted[tested][order]) >= 0).all()


@given(p=P_VALUES)
def test_any_false_one_is_a_harder_promise_than_their_share(p):
    tested = np.isfinite(p)
    assert (holm(p)[tested] >= false_discovery(p)[tested] - 1e-12).all()


@METHODS
@given(p=P_VALUES, seed=st.integers(0, 10**6))
def test_order_of_tests_does_not_matter(adjust, p, seed):
    order = np.random.default_rng(seed).permutation(len(p))
    np.testing.assert_allclose(adjust(p[order]), adjust(p)[order], rtol=1e-12)


@METHODS
def test_shape_is_kept(adjust):
    p = np.array([[0.01, np.nan], [0.2, 0.03]])
    np.testing.assert_array_equal(adjust(p), adjust(p.ravel()).reshape(2, 2))
    assert adjust(np.empty(0)).shape == (0,)
    assert np.isnan(adjust(np.full(3, np.nan))).all()


def test_holm_keeps_the_rate_of_any_false_positive():
    rng = np.random.default_rng(0)
    common = rng.standard_normal((4000, 1))  # tests that depend on each other
    z = 0.7 * common + np.sqrt(0.51) * rng.standard_normal((4000, 5))
    hits = np.mean([(holm(row) < 0.05).any() for row in norm.sf(z)])
    assert 0.02 < hits < 0.06
