"""Shares of variance beside decodability, and the caution that goes with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.geometry import feature_code
from neuropipe.trsa.geometry.arrays import Trials
from neuropipe.trsa.geometry.features import (
    component_content,
    design_of,
    feature_shares,
    print_caution,
    selectivity,
)


def blocks(values: np.ndarray, n: int = 5) -> Trials:
    t = np.arange(len(values))
    return Trials(values, t, t * n // len(values))


def coded(shares: tuple[float, float], noise: float = 0.5, seed: int = 0, n: int = 400):
    code = feature_code(n, 60, np.random.default_rng(seed), shares=shares, noise=noise)
    return blocks(code.activity), pd.DataFrame(code.features, columns=["one", "two"])


@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
def test_planted_shares_are_found(share: float) -> None:
    trials, features = coded((share, 1 - share))
    found = feature_shares(trials, features)
    # The signal has variance 1 and the noise .25 in every unit.
    np.testing.assert_allclose(found.shares, np.array([share, 1 - share]) / 1.25, atol=0.02)
    np.testing.assert_allclose(found.relative_shares, [share, 1 - share], atol=0.02)
    np.testing.assert_allclose(found.unique_shares, found.shares, atol=0.02)
    assert found.decodability.min() > 0.99
    np.testing.assert_array_equal(found.chance, 0.5)


def test_equal_features_get_no_caution_about_variance() -> None:
    assert not feature_shares(*coded((0.5, 0.5))).caution


def test_unequal_features_that_are_decoded_alike_get_one() -> None:
    caution = feature_shares(*coded((0.9, 0.1))).caution
    assert "one and two are decoded alike (1.00, 1.00)" in caution
    assert "variance is not importance" in caution
    assert "PC 1 and 2 are carried by one" in caution


def test_a_feature_that_is_not_there_explains_nothing() -> None:
    trials, features = coded((0.5, 0.5))
    rng = np.random.default_rng(1)
    features = features.assign(absent=rng.permutation(features["one"]))
    found = feature_shares(trials, features)
    assert abs(found.shares[2]) < 0.02
    assert abs(found.decodability[2] - 0.5) < 0.12


def test_crossvalidated_share_is_that_of_a_loop() -> None:
    trials, features = coded((0.6, 0.4), noise=2.0, n=80)
    found = feature_shares(trials, features)
    error = total = 0.0
    x = features[["one"]].to_numpy(float)
    for r in range(5):
        out = trials.repeats == r
        model = LinearRegression().fit(x[~out], trials.values[~out])
        error += ((trials.values[out] - model.predict(x[out])) ** 2).sum()
        total += ((trials.values[out] - trials.values[~out].mean(axis=0)) ** 2).sum()
    assert found.shares[0] == pytest.approx(1 - error / total)


def test_correlated_features_share_what_neither_has_alone() -> None:
    rng = np.random.default_rng(2)
    one = rng.standard_normal(400)
    two = one + 0.3 * rng.standard_normal(400)
    values = np.outer(one, rng.standard_normal(30)) + 0.1 * rng.standard_normal((400, 30))
    found = feature_shares(blocks(values), pd.DataFrame({"one": one, "two": two}))
    assert found.shares.min() > 0.8
    assert found.unique_shares[0] < 0.2
    assert abs(found.unique_shares[1]) < 0.01


def test_continuous_features_are_scored_by_r2() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(300)
    values = np.outer(x, rng.standard_normal(40)) + 0.5 * rng.standard_normal((300, 40))
    found = feature_shares(blocks(values), pd.DataFrame({"x": x, "noise": rng.random(300)}))
    assert found.decodability[0] > 0.85
    assert found.decodability[1] < 0.1
    np.testing.assert_array_equal(found.chance, 0)


def test_categories_of_unequal_size_count_the_same() -> None:
    rng = np.random.default_rng(4)
    names = np.array(["rare", "common", "usual"])[rng.choice(3, 600, p=[0.06, 0.47, 0.47])]
    values = rng.standard_normal((600, 20))
    found = feature_shares(blocks(values), pd.DataFrame({"name": names}))
    assert found.chance[0] == pytest.approx(1 / 3)
    assert found.decodability[0] == pytest.approx(1 / 3, abs=0.08)


def test_components_tell_their_feature() -> None:
    trials, features = coded((0.8, 0.2), noise=0.1)
    content, shares = component_content(trials.values, features, n_components=3)
    assert content.shape == (3, 2)
    assert content[0, 0] > 0.98
    assert content[1, 1] > 0.98
    np.testing.assert_allclose(shares[:2], [0.79, 0.2], atol=0.02)


def test_selective_units_are_told_from_others() -> None:
    rng = np.random.default_rng(5)
    features = pd.DataFrame({"a": rng.choice([-1, 1], 500), "b": rng.choice(list("xyz"), 500)})
    values = rng.standard_normal((500, 4))
    values[:, 0] += 2 * features["a"]
    values[:, 1] += 3 * (features["b"] == "x")
    values[:, 3] = 1.0
    found = selectivity(values, features)
    assert found.shape == (4, 2)
    assert found[0, 0] == pytest.approx(0.8, abs=0.05)
    assert found[1, 1] > 0.6
    assert np.abs([found[0, 1], found[1, 0], *found[2]]).max() < 0.02
    assert not found[3].any()


def test_adjustment_makes_selectivity_unbiased() -> None:
    rng = np.random.default_rng(6)
    names = pd.DataFrame({"name": np.repeat(list("abcdefgh"), 3)})
    found = selectivity(rng.standard_normal((24, 3000)), names)
    assert abs(found.mean()) < 0.02


@pytest.mark.parametrize(
    ("values", "columns", "continuous"),
    [
        ([True, False, True, False], 2, False),
        (["a", "b", "c", "a"], 3, False),
        ([1, 2, 3, 1], 3, False),
        (list(np.linspace(0, 1, 40)), 1, True),
    ],
)
def test_designs_follow_the_kind_of_feature(values, columns: int, continuous: bool) -> None:
    design, flag = design_of(pd.Series(values, name="f"))
    assert design.shape == (len(values), columns)
    assert flag == continuous


def test_unusable_features_are_refused() -> None:
    for values in ([1, 1, 1], ["a", None, "b"]):
        with pytest.raises(InputError, match="'f'"):
            design_of(pd.Series(values, name="f"))
    trials, features = coded((0.5, 0.5))
    with pytest.raises(InputError, match="row for each trial"):
        feature_shares(trials, features[:-1])
    with pytest.raises(UnfitRecordingError, match="never vary"):
        feature_shares(trials._replace(values=np.ones_like(trials.values)), features)


def test_caution_needs_both_likeness_and_difference() -> None:
    content, of_pcs = np.array([[0.3, 0.3], [0.3, 0.3]]), np.array([0.5, 0.2])
    names = ["a", "b"]
    alike = np.array([0.9, 0.9])
    assert print_caution(names, np.array([0.3, 0.05]), alike, content, of_pcs)
    assert not print_caution(names, np.array([0.3, 0.2]), alike, content, of_pcs)
    assert not print_caution(names, np.array([0.3, 0.05]), np.array([0.9, 0.6]), content, of_pcs)
    carried = np.array([[0.9, 0.0], [0.1, 0.1]])
    assert "carried by a" in print_caution(names, np.array([0.2, 0.2]), alike, carried, of_pcs)
