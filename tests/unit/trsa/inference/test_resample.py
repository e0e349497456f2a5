import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.inference.resample import draw_both, draw_counts, dual_variance, members


def test_members_keep_the_order_of_first_appearance():
    names, member = members(["s2", "s1", "s2", "s3"])
    assert names.tolist() == ["s2", "s1", "s3"]
    assert member.tolist() == [0, 1, 0, 2]


@given(seed=st.integers(0, 10**6), n=st.integers(4, 12))
def test_draws_keep_their_size_and_enough_distinct_items(seed, n):
    draws = draw_both(n, n + 1, 30, np.random.default_rng(seed))
    assert (draws.subjects.sum(axis=1) == n).all()
    assert (draws.conditions.sum(axis=1) == n + 1).all()
    assert ((draws.subjects > 0).sum(axis=1) >= 2).all()
    assert ((draws.conditions > 0).sum(axis=1) >= 3).all()


def test_poor_draws_are_drawn_anew_and_counted():
    counts, redrawn = draw_counts(4, 2000, np.random.default_rng(0), min_distinct=3)
    # 84 of 4^4 draws hold one or two distinct items.
    share = redrawn / (2000 + redrawn)
    assert ((counts > 0).sum(axis=1) >= 3).all()
    assert share == pytest.approx((4 + 6 * 14) / 256, abs=0.03)


def test_every_item_is_drawn_once_on_average():
    counts, redrawn = draw_counts(20, 5000, np.random.default_rng(1), min_distinct=3)
    assert redrawn == 0
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(counts.var(axis=0), 19 / 20, atol=0.08)


def test_folds_keep_three_distinct_conditions_each():
    folds = np.arange(12) % 3
    draws = draw_both(5, 12, 50, np.random.default_rng(2), folds=folds)
    for f in range(3):
        assert ((draws.conditions[:, folds == f] > 0).sum(axis=1) >= 3).all()
    assert draws.n_redrawn > 0


def test_one_subject_is_always_drawn():
    draws = draw_both(1, 10, 7, np.random.default_rng(3))
    assert draws.subjects.tolist() == [[1]] * 7


def test_impossible_draws_are_refused():
    with pytest.raises(UnfitRecordingError, match="distinct"):
        draw_counts(4, 10, np.random.default_rng(0), min_distinct=3, groups=np.arange(4) % 2)


def test_same_seed_same_draws():
    one, two = (draw_both(6, 9, 5, np.random.default_rng(4)) for _ in range(2))
    assert (one.subjects == two.subjects).all()
    assert (one.conditions == two.conditions).all()


def test_dual_variance_without_sizes_is_the_plain_formula():
    found = dual_variance(np.array([1.0, 1.0, 3.0]), np.array([2.0, 2.0, 1.0]), [4.0, 1.5, 9.0])
    # 2 (1 + 2) - 4; at least the larger of the first two; at least 3, as 2 (3 + 1) - 9 is not.
    assert found.tolist() == [2.0, 2.0, 3.0]


def test_dual_variance_is_right_for_two_factors():
    """Mean of a table with effects of rows and columns and noise, over many tables."""
    rng = np.random.default_rng(5)
    n_rows, n_columns, n_tables, n_draws = 8, 10, 400, 200
    found, means = [], []
    rows = rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows), n_draws) / n_rows
    columns = rng.multinomial(n_columns, np.full(n_columns, 1 / n_columns), n_draws) / n_columns
    for _ in range(n_tables):
        table = rng.standard_normal((n_rows, 1)) + 0.7 * rng.standard_normal(n_columns)
        table = table + 1.5 * rng.standard_normal((n_rows, n_columns))
        means.append(table.mean())
        by_row = (rows @ table.mean(axis=1)).var(ddof=1)
        by_column = (columns @ table.mean(axis=0)).var(ddof=1)
        both = np.einsum("dr,rc,dc->d", rows, table, columns).var(ddof=1)
        sizes = {"n_subjects": n_rows, "n_conditions": n_columns}
        found.append(dual_variance(by_row, by_column, both, **sizes))
    truth = 1 / n_rows + 0.49 / n_columns + 2.25 / (n_rows * n_columns)
    assert np.mean(found) == pytest.approx(truth, rel=0.08)
    assert np.var(means) == pytest.approx(truth, rel=0.25)


@given(st.tuples(*[st.floats(0, 10)] * 3))
def test_dual_variance_is_never_below_one_factor_alone(values):
    one, other, both = values
    assert dual_variance(one, other, both) >= max(one, other)
