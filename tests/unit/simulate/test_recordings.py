"""Simulated subjects become recordings that keep the contract and know their labels."""

from __future__ import annotations

import numpy as np

from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.recordings import simulated_recordings
from neuropipe.simulate.settings import FmriSimulation

SMALL = FmriSimulation(n_subjects=4, duration=60.0, n_rois=20, repetition_time=2.0, seed=5)


def test_one_run_a_subject_as_simulated():
    data = sim_fmri(SMALL)
    found = list(simulated_recordings(SMALL))
    assert len(found) == 4
    for k, one in enumerate(found):
        one.check()
        assert one.recording == f"sub-{one.subject}_task-rest"
        assert one.sampling_rate == 0.5
        assert np.array_equal(one.signals.values, data.bold[k].astype(np.float32))
        assert list(one.units.columns) == ["hemisphere", "network"]
        assert one.participant["y_fc"] == data.participants["y_fc"].iloc[k]
        assert not any(isinstance(value, np.generic) for value in one.participant.values())
