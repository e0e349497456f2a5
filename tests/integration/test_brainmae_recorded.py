"""BrainMAE on real recordings: linear methods reach what is known, a short training learns."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.brainmae.data import Runs, read_runs
from neuropipe.brainmae.fit import new_model, pretrain
from neuropipe.brainmae.heldout import OURS, heldout_scores
from neuropipe.brainmae.reconstruction import pooled_r2
from neuropipe.brainmae.settings import BrainmaeSettings
from tests.integration.test_connectivity_recorded import recordings

SETTINGS = BrainmaeSettings.model_validate(
    {
        "pretraining": {"learning_rate": 8e-3, "batch_size": 4, "max_steps": 120,
                        "steps_per_epoch": 120, "patience": 0, "threads": 1},
        "validation_share": 0,
        "ratios": [0.5],
        "reconstruction_baselines": ["mean", "interpolation", "AR", "ridge", "Wiener"],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(shared_data, tmp_path_factory) -> Runs:
    found = recordings(shared_data / "roi-hcp-rest", homologues="alternating")
    return read_runs(lambda: iter(found), SETTINGS, tmp_path_factory.mktemp("runs"))


def test_hcp_is_read_whole(runs: Runs) -> None:
    assert (len(runs.runs), runs.n_rois) == (24, 94)
    assert len(set(runs.owners)) == 24
    assert runs.steps == pytest.approx(np.full(24, 0.72))
    values = runs.values(3)
    assert values.mean(axis=0) == pytest.approx(np.zeros(94), abs=1e-4)
    assert values.std(axis=0) == pytest.approx(np.ones(94), abs=1e-4)


def test_a_short_training_learns_beside_known_baselines(runs: Runs) -> None:
    training, left_out = runs.select(range(18)), runs.select(range(18, 24))
    model = pretrain(training, SETTINGS, seed=0).model
    untrained = new_model(runs, SETTINGS, 0).eval()
    table, _ = heldout_scores(model, training, left_out, SETTINGS, 0, [("untrained", untrained)])
    found = pooled_r2(table)[0.5].xs("all", level="segments")
    assert found["mean"] == pytest.approx(0, abs=1e-9)
    assert found["interpolation"] < 0  # a hidden segment is longer than the signal remembers
    assert found["Wiener"] == pytest.approx(0.570, abs=0.005)
    assert found["ridge"] == pytest.approx(found["Wiener"], abs=0.02)
    assert found[OURS] > found["AR"] + 0.02
    assert found[OURS] > found["untrained"] + 0.1
