"""fMRI readers on real recordings, against the results known on them."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError
from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.recording import Recording

HAXBY_MASK = "derivatives/masks/sub-{subject}/sub-{subject}_desc-brain_mask.nii.gz"


def lock(root, settings):
    paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    return discover(paths, "fmri", settings)


def read_all(root, n=None, **options):
    settings = FmriReadSettings(**options)
    found = lock(root, settings)[:n]
    return [read_recording(SourceFiles("real", root, one), "fmri", settings) for one in found]


@pytest.fixture(scope="module")
def haxby(shared_data):
    return read_all(
        shared_data / "bids-haxby", mask=HAXBY_MASK, detrend=True, standardize="zscore_sample"
    )


def test_haxby_has_its_runs_and_voxels(haxby, tmp_path):
    assert len(haxby) == 12
    assert haxby[0].recording == "sub-1_task-objectviewing_run-01"
    assert {r.signals.shape for r in haxby} == {(121, 530)}
    assert all(r.sampling_rate == pytest.approx(0.4) for r in haxby)
    assert [s["role"] for s in haxby[0].sources] == [
        "data", "sidecar", "events", "mask", "participants",
    ]  # fmt: skip
    haxby[0].write(tmp_path / "one.nc")
    again = Recording.read(tmp_path / "one.nc")
    np.testing.assert_array_equal(again.signals.values, haxby[0].signals.values)
    assert again.history == haxby[0].history


def test_haxby_categories_are_decoded_as_published(haxby):
    """Leave-one-run-out linear SVM on run-averaged patterns: 74 % known, chance 12.5 %."""
    from sklearn.svm import LinearSVC

    patterns, labels, runs = [], [], []
    for k, recording in enumerate(haxby):
        time = recording.signals["time"].values
        shown = np.full(len(time), "", dtype=object)
        for _, event in recording.events.iterrows():
            onset = event["onset"] + 5  # haemodynamic delay
            shown[(time >= onset) & (time < onset + 2)] = event["trial_type"]
        for category in sorted(set(recording.events["trial_type"])):
            patterns.append(recording.signals.values[shown == category].mean(axis=0))
            labels.append(category)
            runs.append(k)
    patterns, labels, runs = map(np.array, (patterns, labels, runs))
    assert len(set(labels)) == 8
    hits = []
    for k in range(12):
        model = LinearSVC(C=1, max_iter=20_000, random_state=0)
        model.fit(patterns[runs != k], labels[runs != k])
        hits.append(model.score(patterns[runs == k], labels[runs == k]))
    assert np.mean(hits) == pytest.approx(0.74, abs=0.04)


def test_haxby_grid_needs_no_atlas(shared_data):
    (recording,) = read_all(shared_data / "bids-haxby", n=1)
    assert recording.attrs["units"] == "grid"
    assert 20 < recording.n_units < 60
    # The head is smaller than the image, and its cubes hold real signal.
    assert recording.units["n_voxels"].sum() < 800
    assert np.median(recording.units["tsnr"]) > 40


def test_hcp_homotopic_pairs_correlate_more(shared_data):
    homotopic, overall, connectomes = [], [], []
    for recording in read_all(shared_data / "roi-hcp-rest", homologues="alternating"):
        assert recording.signals.sizes["unit"] == 94
        assert recording.signals.sizes["time"] <= 1200  # one run was cut short
        assert recording.sampling_rate == pytest.approx(1 / 0.72)
        r = np.corrcoef(recording.signals.values.T)
        place = {name: k for k, name in enumerate(recording.units.index)}
        pairs = [(place[n], place[h]) for n, h in recording.units["homologue"].items()]
        homotopic.append(np.mean([r[a, b] for a, b in pairs if a < b]))
        overall.append(r[np.triu_indices(94, 1)].mean())
        connectomes.append(r[np.triu_indices(94, 1)])
    assert len(homotopic) == 24
    assert np.mean(homotopic) == pytest.approx(0.53, abs=0.01)
    assert np.mean(overall) == pytest.approx(0.25, abs=0.01)
    between = np.corrcoef(connectomes)[np.triu_indices(24, 1)]
    assert between.mean() == pytest.approx(0.67, abs=0.01)


def test_abide_empty_regions_are_absent(shared_data):
    recordings = read_all(shared_data / "roi-abide-nyu")
    assert len(recordings) == 100
    assert {r.signals.sizes["time"] for r in recordings} == {176}
    diagnosis = [r.participant["diagnosis"] for r in recordings]
    assert (diagnosis.count("ASD"), diagnosis.count("TC")) == (43, 57)
    assert all(isinstance(r.participant["age"], float) for r in recordings)
    for recording in recordings:
        dropped = [line for line in recording.history if line.startswith("absent, constant")]
        assert (recording.n_units < 200) == bool(dropped)
        assert (recording.signals.values.std(axis=0) > 0).all()
    # Series of this set were demeaned, so that they have no temporal SNR.
    assert all(recording.units["tsnr"].isna().all() for recording in recordings)


def test_truncated_image_is_refused(shared_data, tmp_path):
    folder = tmp_path / "sub-1" / "func"
    folder.mkdir(parents=True)
    bad = shared_data / "bad-input" / "truncated_bold.nii.gz"
    (folder / "sub-1_task-x_bold.nii.gz").symlink_to(bad)
    (folder / "sub-1_task-x_bold.json").write_text('{"RepetitionTime": 2.5}')
    with pytest.raises(InputError, match=r"cut short|sound gzip") as caught:
        read_all(tmp_path)
    assert "\n" not in str(caught.value)


def test_empty_images_are_refused(shared_data):
    root = shared_data / "bad-input" / "bids-with-empty-images"
    settings = FmriReadSettings()
    found = lock(root, settings)
    assert found[0].recording == "sub-01_task-mixedgamblestask_run-01"
    for one in found:
        with pytest.raises(InputError, match="zero bytes"):
            read_recording(SourceFiles("bad", root, one), "fmri", settings)
