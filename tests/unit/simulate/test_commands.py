"""`neuropipe simulate`."""

from __future__ import annotations

import json

import pytest

from neuropipe.errors import SettingsError
from neuropipe.simulate.commands import simulate
from neuropipe.simulate.settings import SIMULATIONS
from neuropipe.simulate.truth import read_summary

SMALL = {
    "fmri": {"n_subjects": 1, "n_rois": 20, "duration": 40},
    "calcium": {"n_animals": 1, "n_neurons": 40, "duration": 60},
    "spikes": {"n_units": 8, "duration": 30, "n_films": 1, "film_duration": 5},
    "vision": {"n_images": 10, "units_per_roi": 1},
    "representations": {"n_subjects": 1, "images_per_category": 4, "units_per_region": 9},
}


@pytest.mark.parametrize("kind", sorted(SMALL))
def test_a_dataset_appears_with_its_truth(kind, tmp_path):
    output = tmp_path / "resources" / "demo"
    simulate(kind, json.dumps(SMALL[kind]), output)
    summary = read_summary(output)
    assert summary["kind"] == kind
    assert SIMULATIONS[kind](**summary["settings"]) == SIMULATIONS[kind](**SMALL[kind])
    assert [p.name for p in output.parent.iterdir()] == ["demo"]


def test_an_older_dataset_is_replaced(tmp_path):
    output = tmp_path / "demo"
    (output / "truth").mkdir(parents=True)
    (output / "truth" / "truth.json").write_text("{}")
    (output / "old.txt").write_text("old")
    simulate("calcium", json.dumps(SMALL["calcium"]), output)
    assert not (output / "old.txt").exists()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("eeg", "{}", "fmri, calcium, spikes, vision"),
        ("fmri", "{", "JSON"),
        ("fmri", '{"n_subject": 3}', "n_subject"),
        ("fmri", '{"snr": -1}', "snr"),
        ("spikes", '{"gain": 1.5, "density": 0.3}', "further spikes"),
        ("calcium", '{"n_neurons": 10}', "more neurons than there are"),
    ],
)
def test_wrong_requests_are_one_line_and_leave_nothing(kind, settings, message, tmp_path):
    with pytest.raises(SettingsError, match=message) as caught:
        simulate(kind, settings, tmp_path / "demo")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_nothing(monkeypatch, tmp_path):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("neuropipe.simulate.calcium_files.write_summary", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate("calcium", json.dumps(SMALL["calcium"]), tmp_path / "demo")
    assert not list(tmp_path.iterdir())


def test_every_kind_has_a_model_with_a_seed_and_described_options():
    assert set(SIMULATIONS) == set(SMALL)
    for model in SIMULATIONS.values():
        assert model().seed == 0
        json.dumps(model().model_dump())
