"""What the generators claim holds."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.simulate import calcium_checks, fmri_checks
from neuropipe.stats.checks import failures


@pytest.mark.slow
@pytest.mark.parametrize(("module", "n_rows"), [(fmri_checks, 18), (calcium_checks, 19)])
def test_every_claim_holds(module, n_rows):
    rows = module.checks()
    assert len(rows) >= n_rows
    assert len({row.name for row in rows}) == len(rows)
    assert failures(rows) == []


def test_a_broken_generator_is_found_out(monkeypatch):
    sound = fmri_checks.sim_fmri

    def noisy(settings, **options):
        return sound(settings.model_copy(update={"snr": settings.snr / 2}), **options)

    monkeypatch.setattr(fmri_checks, "sim_fmri", noisy)
    bad = {row.name for row in failures(fmri_checks._process_checks())}
    assert "fmri: realised SNR / setting" in bad


def test_mean_correlation_is_that_of_numpy_where_all_is_there():
    traces = np.random.default_rng(0).standard_normal((1, 5, 50))
    expected = np.corrcoef(traces[0]) - np.eye(5)
    assert np.allclose(calcium_checks.mean_correlation(traces), expected)


def test_mean_correlation_leaves_missing_neurons_out():
    traces = np.random.default_rng(0).standard_normal((3, 4, 50))
    traces[1:, 0] = np.nan
    traces[:, 3] = np.nan
    found = calcium_checks.mean_correlation(traces)
    assert found[0, 1] == pytest.approx(np.corrcoef(traces[0, :2])[0, 1])
    assert (found[3] == 0).all()


def test_auroc_finds_labels_and_respects_groups():
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.permutation([0, 1] * 10), 4)
    own = np.repeat(rng.standard_normal((20, 30)), 4, axis=0)
    own = own + 0.1 * rng.standard_normal((80, 30))
    # Only the group can be recognised: a split through groups looks perfect.
    assert fmri_checks.auroc(10 * own, labels) > 0.85
    assert fmri_checks.auroc(10 * own, labels, np.repeat(np.arange(20), 4)) < 0.75
    assert fmri_checks.auroc(own + labels[:, None], labels) > 0.95
