import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from neuropipe.errors import InputError
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import FAST, resampled
from neuropipe.trsa.inference.models import (
    FixedModel,
    InterpolateModel,
    SelectModel,
    WeightedModel,
    fixed_models,
)
from neuropipe.trsa.rdms import RDMs

N_CONDITIONS, N_PAIRS = 8, 28
LINEAR = ("cosine", "corr")


def components(seed, n):
    return np.random.default_rng(seed).random((n, N_PAIRS))


def mixed(seed, shares, noise, n=6):
    rng = np.random.default_rng(seed)
    parts = components(seed, len(shares))
    return parts, np.array(shares) @ parts + noise * rng.standard_normal((n, N_PAIRS))


def test_fixed_models_predict_themselves_and_fit_nothing():
    parts = components(0, 2)
    model = FixedModel("both", parts)
    assert not model.flexible
    assert model.fit(parts, "corr").shape == (0,)
    np.testing.assert_allclose(model.predict(), parts.mean(axis=0))


@pytest.mark.parametrize("measure", [*FAST, "cosine_cov"])
def test_selection_finds_the_best_component(measure):
    parts, data = mixed(1, (0, 0, 1, 0), 0.2)
    model = SelectModel("one of", parts)
    theta = model.fit(data, measure)
    scores = compare(parts, data, measure).mean(axis=1)
    assert theta.tolist() == [np.argmax(scores)] == [2]
    np.testing.assert_allclose(model.predict(theta), parts[2])


@pytest.mark.parametrize("measure", ["cosine", "corr", "spearman", "rho-a", "corr_cov"])
def test_weights_are_found_again(measure):
    parts, data = mixed(2, (1.0, 0.5, 0.0), 0.02, n=20)
    theta = WeightedModel("sum", parts).fit(data, measure)
    expected = np.array([1.0, 0.5, 0.0]) / np.sqrt(1.25)
    np.testing.assert_allclose(theta, expected, atol=0.12)
    assert (theta >= 0).all()
    assert np.linalg.norm(theta) == pytest.approx(1)


@pytest.mark.parametrize("measure", LINEAR)
def test_no_other_weights_do_better(measure):
    parts, data = mixed(3, (1.0, 0.3, 0.8), 0.5)
    model = WeightedModel("sum", parts)
    best = compare(model.predict(model.fit(data, measure))[None], data, measure).mean()

    def loss(root):
        return -compare((root**2 @ parts)[None], data, measure).mean()

    found = [minimize(loss, start).fun for start in np.random.default_rng(4).random((5, 3))]
    assert best >= -min(found) - 1e-9


def test_a_useless_component_gets_no_negative_weight():
    parts, data = mixed(5, (1.0, -1.0), 0.01)
    assert WeightedModel("sum", parts).fit(data, "corr").tolist() == [1.0, 0.0]


def test_nothing_to_explain_gives_weights_of_zero():
    parts = components(6, 2)
    theta = WeightedModel("sum", parts).fit(1 - parts[:1] - parts[1:], "corr")
    assert theta.tolist() == [0.0, 0.0]


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), measure=st.sampled_from(LINEAR))
def test_no_other_mixture_of_neighbours_does_better(seed, measure):
    parts, data = mixed(seed, (0.3, 0.7, 0.0), 0.5)
    model = InterpolateModel("between", parts)
    theta = model.fit(data, measure)
    assert theta.sum() == pytest.approx(1)
    assert (theta >= 0).all()
    w = np.linspace(0, 1, 101)[:, None]
    pairs = [w * parts[k] + (1 - w) * parts[k + 1] for k in range(2)]
    best = compare(np.concatenate(pairs), data, measure).mean(axis=1).max()
    assert compare(model.predict(theta)[None], data, measure).mean() >= best - 1e-10


def test_mixtures_of_rank_measures_come_from_a_grid():
    parts, data = mixed(7, (0.0, 0.4, 0.6), 0.02)
    theta = InterpolateModel("between", parts).fit(data, "rho-a")
    np.testing.assert_allclose(theta, [0, 0.4, 0.6], atol=0.1)
    assert InterpolateModel("alone", parts[:1]).fit(data, "rho-a").tolist() == [1.0]


@pytest.mark.parametrize("kind", [SelectModel, WeightedModel, InterpolateModel])
@pytest.mark.parametrize("measure", ["cosine", "corr", "spearman"])
def test_counts_stand_for_resamples(kind, measure):
    parts, data = mixed(8, (0.3, 0.6, 0.2), 0.3)
    conditions, rdms = np.array([2, 1, 0, 1, 1, 2, 1, 0]), np.array([1, 0, 2, 1, 0, 2])
    known = ~np.isnan(resampled(parts, conditions)[0])

    def spelt_out(values):  # without a number of conditions any more: a long list of pairs
        pairs = resampled(values, conditions)[:, known]
        triangle = next(n * (n + 1) // 2 for n in range(99) if n * (n + 1) // 2 >= pairs.shape[1])
        blank = np.full((len(values), triangle - pairs.shape[1]), np.nan)
        return np.hstack([pairs, blank])

    found = kind("weighted", parts).fit(data, measure, conditions, rdms)
    whole = kind("repeated", spelt_out(parts)).fit(
        spelt_out(np.repeat(data, rdms, axis=0)), measure
    )
    np.testing.assert_allclose(found, whole, atol=1e-8)


def test_fits_do_not_see_what_is_held_out():
    parts, data = mixed(9, (0.3, 0.6, 0.2), 0.3)
    conditions, rdms = np.arange(N_CONDITIONS) < 5, np.arange(6) < 4
    rows, columns = np.triu_indices(N_CONDITIONS, 1)
    changed = data.copy()
    changed[4:] = 100.0
    changed[:, (rows >= 5) | (columns >= 5)] = -100.0
    for kind in (SelectModel, WeightedModel, InterpolateModel):
        for measure in ("corr", "rho-a"):
            model = kind("m", parts)
            one, other = (model.fit(v, measure, conditions, rdms) for v in (data, changed))
            np.testing.assert_allclose(one, other, atol=1e-12)


def test_predictions_without_parameters():
    parts = components(10, 3)
    np.testing.assert_allclose(SelectModel("s", parts).predict(), parts[0])
    np.testing.assert_allclose(WeightedModel("w", parts).predict(), parts.sum(axis=0))
    np.testing.assert_allclose(InterpolateModel("i", parts).predict(), parts[:2].mean(axis=0))


def test_models_are_brought_into_the_order_of_the_data():
    model = FixedModel("m", np.array([1.0, 2.0, 3.0]), ("a", "b", "c"))  # ab, ac, bc
    assert model.of(("c", "a", "b")).predict().tolist() == [2.0, 3.0, 1.0]
    with pytest.raises(InputError, match="'d'"):
        model.of(("a", "b", "d"))


def test_models_without_names_need_as_many_conditions():
    model = FixedModel("m", np.ones(3))
    assert model.of(("x", "y", "z")) is model
    with pytest.raises(InputError, match="3 unnamed"):
        model.of(("x", "y"))


def test_a_wrong_number_of_names_or_pairs_is_refused():
    with pytest.raises(InputError, match="2 names"):
        FixedModel("m", np.ones(3), ("a", "b"))
    with pytest.raises(InputError, match="4 pairs"):
        FixedModel("m", np.ones(4))


def test_every_rdm_becomes_a_model():
    rdms = RDMs(np.eye(3), ("a", "b", "c"), "model", pd.DataFrame({"name": ["x", "y", "z"]}))
    models = fixed_models(rdms)
    assert [m.name for m in models] == ["x", "y", "z"]
    assert models[1].predict().tolist() == [0.0, 1.0, 0.0]
    with pytest.raises(InputError, match="'layer'"):
        fixed_models(rdms, "layer")


@pytest.mark.parametrize("measure", LINEAR)
def test_fits_equal_those_of_rsatoolbox(measure):
    model = pytest.importorskip("rsatoolbox.model")
    rsa = pytest.importorskip("rsatoolbox.rdm")
    parts, data = mixed(11, (0.4, 0.9, 0.1), 0.4)
    theirs = rsa.RDMs(data.copy())
    found = WeightedModel("w", parts).fit(data, measure)
    weighted = model.ModelWeighted("w", rsa.RDMs(parts.copy()))
    expected = model.fit_regress_nn(weighted, theirs, method=measure)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    select = model.ModelSelect("s", rsa.RDMs(parts.copy()))
    assert SelectModel("s", parts).fit(data, measure)[0] == model.fit_select(
        select, theirs, method=measure
    )
    between = model.ModelInterpolate("i", rsa.RDMs(parts.copy()))
    expected = model.fit_interpolate(between, theirs, method=measure)
    np.testing.assert_allclose(InterpolateModel("i", parts).fit(data, measure), expected, atol=1e-3)
    np.testing.assert_allclose(
        WeightedModel("w", parts).predict(found), weighted.predict(found), atol=1e-12
    )
