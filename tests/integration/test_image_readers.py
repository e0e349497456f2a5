"""Images and responses of macaque V4, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles

SHAPES = {"190923": (1, 1200, 33), "201016": (9, 600, 82), "210225": (1, 1200, 55),
          "210305": (1, 400, 70)}  # fmt: skip
SETTINGS = ImagesReadSettings(
    species="Macaca mulatta",
    response_unit="spikes/100 ms",
    subjects={"190923": "WE", "201016": "PE", "210225": "PE", "210305": "PE"},
)


@pytest.fixture(scope="module")
def sessions(shared_data):
    root = shared_data / "images-v4"
    paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    found = discover(paths, "images", SETTINGS)
    return {one.session: (root, one) for one in found}


def test_sessions_are_found(sessions):
    assert sorted(sessions) == sorted(SHAPES)
    assert {one.subject for _, one in sessions.values()} == {"WE", "PE"}
    assert sessions["201016"][1].paths("responses") == ["session-201016/responses_trials.npy"]


@pytest.mark.parametrize("session", sorted(SHAPES))
def test_session_reads(sessions, session):
    root, locked = sessions[session]
    found = read_recording(SourceFiles("set", root, locked), "images", SETTINGS).check()
    assert found.responses.shape == SHAPES[session]
    assert found.species == "Macaca mulatta"
    assert len(found.stimuli) == SHAPES[session][1]
    assert set(found.stimuli["width"]) == set(found.stimuli["height"]) == {112}
    assert found.stimuli["path"].iloc[0] == f"session-{session}/images/image0001.jpg"
    assert (root / found.stimuli["path"].iloc[-1]).is_file()
    mean = np.load(root / f"session-{session}" / "responses_mean.npy")
    np.testing.assert_allclose(np.nanmean(found.responses.values, axis=0).T, mean, atol=1e-4)


def test_split_half_reliability(sessions):
    root, locked = sessions["201016"]
    found = read_recording(SourceFiles("set", root, locked), "images", SETTINGS)
    rng = np.random.default_rng(0)
    values = found.responses.values
    reliability = []
    for unit in range(values.shape[2]):
        halves = np.full((2, values.shape[1]), np.nan)
        for image in range(values.shape[1]):
            trials = rng.permutation(values[np.isfinite(values[:, image, unit]), image, unit])
            half = len(trials) // 2
            halves[:, image] = trials[:half].mean(), trials[half : 2 * half].mean()
        r = np.corrcoef(halves)[0, 1]
        reliability.append(2 * r / (1 + r))
    assert np.median(reliability) == pytest.approx(0.74, abs=0.03)
