import numpy as np
import pytest

from neuropipe.trsa.proofs.inference import (
    N_SUBJECTS,
    fixed_stimuli,
    new_stimuli,
    stimulus_rates,
    subject_rates,
)
from neuropipe.trsa.rdms import square


def test_models_of_fixed_stimuli_are_each_other_with_conditions_traded():
    study = fixed_stimuli(np.random.default_rng(0), 6)
    one, other = square(study.models)
    traded = np.array([1, 0, 3, 2, 5, 4])
    np.testing.assert_allclose(one[np.ix_(traded, traded)], other)


@pytest.mark.parametrize("design", [fixed_stimuli, new_stimuli])
def test_subjects_follow_the_expected_rdm(design):
    study = design(np.random.default_rng(1), 20)
    assert study.data.shape == (N_SUBJECTS, 190)
    mean = study.data.mean(axis=0)
    scores = [np.corrcoef(mean, row)[0, 1] for row in (study.truth, *study.models)]
    assert scores[0] > max(scores[1:])
    assert min(scores[1:]) > 0.4


def test_rates_are_shares_of_studies():
    rates = subject_rates(12, 8, "corr")
    assert set(rates) == {"t", "bootstrap", "percentile"}
    assert all(0 <= rate <= 0.5 for rate in rates.values())
    assert rates == subject_rates(12, 8, "corr")


def test_too_narrow_tests_reject_more():
    rates = stimulus_rates(60, 10, "corr", 40)
    assert rates["both"] <= min(rates["subjects"], rates["conditions"])
    assert rates["subjects"] > 0.07
    assert rates["lower"] < rates["truth"] < rates["upper"]
    assert 0.7 < rates["lower coverage"] <= 1
