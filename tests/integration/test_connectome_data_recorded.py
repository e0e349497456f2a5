"""Traces and wiring of real recordings, as the connectome takes them."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectome.data import build_animals
from neuropipe.connectome.settings import UnitSettings
from neuropipe.connectome.wiring import compare_with_wiring, merge_wiring, read_wiring
from tests.integration.test_connectivity_recorded import recordings


@pytest.fixture(scope="module")
def worm(shared_data):
    return recordings(shared_data / "nwb-worm", "calcium")


@pytest.fixture(scope="module")
def wiring(shared_data):
    folder = shared_data / "nwb-worm"
    return read_wiring([folder / f"connectome_{kind}.csv" for kind in ("chemical", "gapjn")])


def test_one_worm(worm):
    animals = build_animals(worm, "worm", UnitSettings())
    assert animals.traces.shape == (1, 98, 1600)
    assert animals.presence.all()
    assert animals.clock == "shared"
    assert animals.noun == "neuron"
    assert animals.warnings == []
    ava = [animals.names.index(name) for name in ("AVAL", "AVAR")]
    assert np.corrcoef(animals.traces[0, ava])[0, 1] == pytest.approx(0.97, abs=0.01)


def test_merged_worm(worm):
    """98 neurons, 38 of them in pairs."""
    animals = build_animals(worm, "worm", UnitSettings(merge_homologues=True))
    assert len(animals.names) == 98 - 38
    assert {"AVA", "SMDD", "DVA"} & set(animals.names) == {"AVA", "SMDD"}
    assert len(animals.merged) == 76


def test_cook_wiring_agrees_with_correlated_activity(worm, wiring):
    """Known: neurons with more synapses between them are more correlated, weakly (rho 0.09)."""
    assert wiring.shape == (473, 473)
    assert wiring.loc["AVAL", "AVAR"] > 0
    animals = build_animals(worm, "worm", UnitSettings())
    r = np.corrcoef(animals.traces[0])
    found = compare_with_wiring(r, animals.names, wiring, n_shuffles=199, seed=0)
    assert found.n_units == 98
    assert found.n_pairs == 98 * 97 // 2
    assert found.rho == pytest.approx(0.086, abs=0.002)
    assert found.p_value == pytest.approx(1 / 200)
    merged = build_animals(worm, "worm", UnitSettings(merge_homologues=True))
    of_merged = compare_with_wiring(
        np.corrcoef(merged.traces[0]), merged.names, merge_wiring(wiring, merged.merged),
        n_shuffles=199, seed=0,
    )  # fmt: skip
    assert of_merged.n_units == 60
    assert of_merged.p_value <= 0.05


def test_resting_subjects_keep_their_own_clocks(shared_data):
    subjects = recordings(shared_data / "roi-hcp-rest", homologues="alternating")
    animals = build_animals(subjects, "hcp", UnitSettings())
    assert animals.traces.shape == (24, 94, 1200)
    assert animals.clock == "own"
    assert animals.noun == "ROI"
    assert animals.presence.all()
    assert sorted(animals.lengths)[:2] == [1054, 1200]
    short = int(np.argmin(animals.lengths))
    assert np.isnan(animals.traces[short, :, 1054:]).all()
    assert np.isfinite(animals.traces).sum() == 94 * (23 * 1200 + 1054)
    cut = build_animals(subjects, "hcp", UnitSettings(clock="shared", merge_homologues=True))
    assert cut.traces.shape == (24, 47, 1054)
    assert np.isfinite(cut.traces).all()
