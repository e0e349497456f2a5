"""Peers in a fold: trained on its runs, scored and probed on the same ones as BrainMAE."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.brainmae.learn import learn
from neuropipe.brainmae.names import PEERS
from tests.unit.brainmae.builders import cohort, tiny


@pytest.fixture(scope="module")
def learnt():
    settings = tiny(
        n_splits=2,
        peers=("patch_mae", "jepa"),
        ratios=(0.5,),
        reconstruction_baselines=("mean",),
        validation_share=0.0,
    )
    return learn(cohort(4), "arrays", "seed-0_fold-0", settings)


def test_what_reconstructs_is_scored_on_the_same_entries(learnt):
    table = learnt.scores.set_index("predictor")
    assert set(table.index) == {"mean", "BrainMAE", PEERS["patch_mae"]}
    ours, theirs = (table.loc[name, "sst"].tolist() for name in ("BrainMAE", PEERS["patch_mae"]))
    assert ours == theirs


@pytest.mark.parametrize("key", PEERS)
def test_features_of_every_run_are_stored(key, learnt):
    found = learnt.arrays[f"peer_{key}"]
    assert found.sizes["recording"] == 4
    assert np.isfinite(found.values).all()
    assert found.values.std(axis=0).max() > 0
