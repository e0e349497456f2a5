"""One look at a recording: values, nulls, and reasons for what is missing."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.geometry import conditions, factorised_geometry, random_geometry
from neuropipe.trsa.geometry.summary import describe

TABLE = pd.DataFrame(conditions(3), columns=["a", "b", "c"])


def recorded(
    patterns: np.ndarray, noise: float = 1.0, n_repeats: int = 8, seed: int = 0
) -> np.ndarray:
    draws = np.random.default_rng(seed).standard_normal((n_repeats, *patterns.shape))
    return patterns + noise * draws


@pytest.fixture(scope="module")
def box():
    patterns = 6 * factorised_geometry(3, 100, np.random.default_rng(0))
    return describe(recorded(patterns), TABLE)


@pytest.fixture(scope="module")
def scattered():
    patterns = 10 * random_geometry(3, 100, np.random.default_rng(1))
    return describe(recorded(patterns), TABLE)


def test_a_box_is_abstract(box) -> None:
    assert [f.name for f in box.factors] == ["a", "b", "c"]
    for factor in box.factors:
        assert factor.matched
        assert factor.parallelism.value > 0.6
        assert factor.parallelism.p_value < 0.02
        assert factor.parallelism_corrected == pytest.approx(1, abs=0.1)
        assert factor.generalisation.value > 0.95
        assert factor.generalisation.p_value < 0.1
        assert factor.decodability.value > 0.95
        assert factor.decodability.p_value < 0.01
    assert box.shattering.value < 0.85


def test_a_random_code_is_decodable_and_not_abstract(scattered) -> None:
    for factor in scattered.factors:
        assert factor.decodability.value > 0.95
        assert factor.parallelism.value < 0.4
    assert scattered.shattering.value > 0.95
    assert min(f.generalisation.p_value for f in scattered.factors) > 0.02


def test_dimension_is_corrected_for_noise(box) -> None:
    assert box.participation_ratio.value > 3.3
    assert box.participation_ratio_corrected.value == pytest.approx(3, abs=0.25)
    low, high = box.participation_ratio_corrected.interval
    assert low < 3 < high
    assert high - low < 1
    assert box.effective_rank.value > box.participation_ratio.value
    assert np.isnan(box.two_nn)
    assert any("intrinsic" in note for note in box.notes)


def test_intervals_hold_their_values_and_nulls_their_chance(box) -> None:
    measures = [box.participation_ratio, box.effective_rank, box.shattering]
    measures += [f.decodability for f in box.factors] + [f.generalisation for f in box.factors]
    for measure in measures:
        assert measure.interval[0] - 1e-9 <= measure.value <= measure.interval[1] + 1e-9
    low, high = box.factors[0].decodability.null_interval
    assert low < 0.5 < high
    assert np.isnan(box.participation_ratio.null_interval).all()


def test_halves_agree_on_reliable_data_and_not_on_noise(box) -> None:
    noise = describe(np.random.default_rng(2).standard_normal((6, 8, 200)))
    assert box.half_alignment_debiased.value > 0.7
    assert abs(noise.half_alignment_debiased.value) < 0.25
    assert noise.half_alignment.value > 0.5  # inflated: few conditions of many units
    assert abs(noise.shattering.value - 0.5) < 0.1
    assert noise.shattering.p_value > 0.01


def test_features_carry_their_caution() -> None:
    rng = np.random.default_rng(3)
    axes = np.linalg.qr(rng.standard_normal((80, 3)))[0].T
    patterns = conditions(3) * [20.0, 5, 5] @ axes
    found = describe(recorded(patterns, 0.3), TABLE).features
    assert found.names == ("a", "b", "c")
    assert found.relative_shares[0] > 0.8
    np.testing.assert_array_equal(found.decodability, 1)
    assert "variance is not importance" in found.caution
    assert "PC 1 and 2 are carried by a" in found.caution


def test_names_of_conditions_are_no_feature() -> None:
    """Words that differ for each condition explain all and say nothing."""
    values = recorded(6 * factorised_geometry(3, 50, np.random.default_rng(3)))
    table = TABLE.assign(path=[f"{k}.png" for k in range(8)], size=[float(k) for k in range(8)])
    found = describe(values, table)
    assert found.features.names == ("a", "b", "c", "size")
    assert "feature path: 8 names are no categories" in found.notes


def test_without_factors_dimension_and_shattering_remain() -> None:
    found = describe(recorded(6 * random_geometry(3, 50, np.random.default_rng(4))))
    assert found.factors == ()
    assert found.features is None
    assert found.shattering.value > 0.8
    assert any("no binary factor" in note for note in found.notes)


def test_missing_trials_units_and_conditions_are_said() -> None:
    values = recorded(6 * factorised_geometry(3, 50, np.random.default_rng(5)))
    values[2, 4] = np.nan
    values[3, 1, 7] = np.nan
    values = np.concatenate([values, values[:, :1]], axis=1)
    values[1:, 8] = np.nan
    table = pd.concat([TABLE, TABLE[:1]], ignore_index=True)
    found = describe(values, table)
    assert (found.n_repeats, found.n_conditions, found.n_units) == (8, 8, 49)
    assert any("fewer than two trials" in note for note in found.notes)
    assert any("1 units that miss values" in note for note in found.notes)
    assert len(found.factors) == 3
    assert found.factors[0].decodability.value > 0.9


def test_many_conditions_leave_dichotomies_out_with_a_reason() -> None:
    rng = np.random.default_rng(6)
    n = 92
    table = pd.DataFrame(
        {
            "size": rng.standard_normal(n),
            "kind": np.repeat(list("wxyz"), n // 4),
            "name": [f"image {k}" for k in range(n)],
            "gap": [None, *range(n - 1)],
        }
    )
    code = np.outer(table["size"], rng.standard_normal(80))
    found = describe(recorded(code, 0.5, 10), table)
    assert found.shattering is None
    assert found.factors == ()
    assert any("too many of 92" in note for note in found.notes)
    assert found.features.names == ("size", "kind")
    assert any("feature name" in note for note in found.notes)
    assert any("feature gap" in note for note in found.notes)
    assert found.features.shares[0] > 0.5
    assert np.isfinite([found.two_nn, found.levina_bickel]).all()
    assert found.participation_ratio_corrected.value == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("n", [3, 7])
def test_conditions_that_cannot_be_halved_have_a_reason(n: int) -> None:
    found = describe(np.random.default_rng(7).standard_normal((5, n, 20)))
    assert found.shattering is None
    assert any(f"{n} conditions cannot be halved" in note for note in found.notes)


@pytest.mark.parametrize("n_repeats", [1, 3])
def test_few_repeats_give_what_they_can(n_repeats: int) -> None:
    values = recorded(6 * factorised_geometry(3, 50, np.random.default_rng(8)), 1, n_repeats)
    found = describe(values, TABLE)
    assert found.participation_ratio.value > 2
    assert np.isnan(found.participation_ratio_corrected.value)
    assert any("four repeats" in note for note in found.notes)
    assert (found.shattering is None) == (n_repeats == 1)
    if n_repeats == 1:
        assert any("one repeat only" in note for note in found.notes)
        assert np.isnan(found.half_alignment.value)


def test_same_seed_same_summary() -> None:
    values = recorded(6 * factorised_geometry(2, 30, np.random.default_rng(9)), 2.0, 4)
    table = TABLE[::2][["a", "b"]]
    one, two = (describe(values, table, seed=3) for _ in range(2))
    np.testing.assert_array_equal(
        one.factors[1].generalisation.null, two.factors[1].generalisation.null
    )
    assert one.half_alignment.value == two.half_alignment.value


def test_what_does_not_fit_is_refused() -> None:
    values = np.random.default_rng(10).standard_normal((4, 8, 10))
    with pytest.raises(InputError, match="5 rows of factors"):
        describe(values, TABLE[:5])
    with pytest.raises(InputError, match="n_repeats"):
        describe(values[0], TABLE)
    values[1:] = np.nan
    with pytest.raises(UnfitRecordingError, match="two trials"):
        describe(values, TABLE)


def test_a_usual_recording_takes_seconds() -> None:
    values = recorded(6 * factorised_geometry(3, 530, np.random.default_rng(11)), 1, 12)
    start = time.process_time()
    describe(values, TABLE)
    assert time.process_time() - start < 10
