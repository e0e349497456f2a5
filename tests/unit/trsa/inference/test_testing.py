import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neuropipe.trsa.inference.testing import t_test


@given(seed=st.integers(0, 10**6), n=st.integers(3, 30))
def test_t_tests_are_those_of_scipy(seed, n):
    values = np.random.default_rng(seed).standard_normal(n) + 0.3
    found = t_test(values.mean(), values.var(ddof=1) / n, n - 1)
    expected = stats.ttest_1samp(values, 0)
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    one_sided = t_test(values.mean(), values.var(ddof=1) / n, n - 1, alternative="greater")
    expected = stats.ttest_1samp(values, 0, alternative="greater")
    assert one_sided.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_without_variance_p_is_a_number(alternative):
    found = t_test(np.array([0.0, 0.5]), np.zeros(2), 5, alternative=alternative)
    assert found.p_value.tolist() == [1.0, 0.0]
    assert found.low.tolist() == found.high.tolist() == [0.0, 0.5]


def test_below_zero_is_no_evidence_for_above():
    found = t_test(np.array([-1.0]), np.array([0.01]), 9, alternative="greater")
    assert found.p_value[0] > 0.999
