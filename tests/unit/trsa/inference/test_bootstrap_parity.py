"""The same draws give the same numbers as resamples that rsatoolbox spells out one by one."""

import numpy as np
import pytest

from neuropipe.trsa.inference.ceilings import noise_ceiling
from neuropipe.trsa.inference.models import FixedModel
from neuropipe.trsa.inference.resample import Draws
from neuropipe.trsa.inference.scoring import Scorer

pytest.importorskip("rsatoolbox")

N_DRAWS, N_CONDITIONS, N_SUBJECTS, N_MODELS = 20, 12, 6, 3
METHODS = ("corr", "rho-a", "cosine", "spearman")


def simulated(seed=0):
    rng = np.random.default_rng(seed)
    n_pairs = N_CONDITIONS * (N_CONDITIONS - 1) // 2
    models = rng.random((N_MODELS, n_pairs))
    models[2] = np.round(3 * models[2])  # ties
    return models, models[0] + rng.random((N_SUBJECTS, n_pairs))


@pytest.fixture
def drawn(monkeypatch):
    """Note which subjects and conditions rsatoolbox draws."""
    from rsatoolbox.inference import evaluate

    subjects, conditions = [], []
    sample = evaluate.bootstrap_sample

    def noted(*args, **kwargs):
        found = sample(*args, **kwargs)
        subjects.append(np.bincount(found[1], minlength=N_SUBJECTS))
        conditions.append(np.bincount(found[2], minlength=N_CONDITIONS))
        return found

    monkeypatch.setattr(evaluate, "bootstrap_sample", noted)
    return subjects, conditions


def theirs(function, method, models, data):
    from rsatoolbox import inference
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    named = [ModelFixed(str(k), values.copy()) for k, values in enumerate(models)]
    np.random.seed(1)  # noqa: NPY002
    return getattr(inference, function)(named, RDMs(data.copy()), method=method, N=N_DRAWS)


def ours(method, models, data, drawn):
    named = [FixedModel(str(k), values) for k, values in enumerate(models)]
    scorer = Scorer(named, data, np.arange(N_SUBJECTS), method)
    return scorer.bootstraps(Draws(*map(np.stack, drawn)), subjects=True, conditions=True)


@pytest.mark.parametrize("method", METHODS)
def test_bootstrap_of_both(method, drawn):
    models, data = simulated()
    result = theirs("eval_bootstrap", method, models, data)
    found = ours(method, models, data, drawn).by_both
    np.testing.assert_allclose(found[:, :N_MODELS], result.evaluations, atol=1e-8)
    np.testing.assert_allclose(found[:, N_MODELS:].T, result.noise_ceiling, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_dual_bootstrap(method, drawn):
    models, data = simulated(2)
    result = theirs("eval_dual_bootstrap", method, models, data)
    found = ours(method, models, data, drawn)
    for k, table in enumerate((found.by_both, found.by_subjects, found.by_conditions)):
        np.testing.assert_allclose(
            table[:, :N_MODELS], result.evaluations[:, :, 0, 0, k], atol=1e-8
        )
        np.testing.assert_allclose(
            table[:, N_MODELS:].T, result.noise_ceiling[:, :, 0, k], atol=1e-8
        )


@pytest.mark.parametrize("method", [*METHODS, "tau-a"])
def test_noise_ceiling(method):
    from rsatoolbox.inference import boot_noise_ceiling
    from rsatoolbox.rdm import RDMs

    _, data = simulated(4)
    expected = boot_noise_ceiling(RDMs(data.copy()), method=method)
    np.testing.assert_allclose(noise_ceiling(data, method), expected, atol=1e-8)
