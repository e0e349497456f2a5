"""Folders of simulated representations: read as recordings of different subjects, with truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial.distance import pdist, squareform

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.simulate.pictures import CATEGORIES
from neuropipe.simulate.representations_files import recordings, write
from neuropipe.simulate.settings_stimuli import RepresentationsSimulation
from neuropipe.simulate.truth import read_summary, read_truth
from neuropipe.simulate.visual_regions import REGIONS

SMALL = {"n_subjects": 3, "units_per_region": 10, "n_repeats": 3}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("representations")
    write(RepresentationsSimulation(seed=5, **SMALL), folder)
    return folder


@pytest.fixture(scope="module")
def ingested(made):
    found = discover(list(files_of(made)), "images", ImagesReadSettings())
    return {
        locked.recording: read_recording(
            SourceFiles("demo", made, locked), "images", ImagesReadSettings()
        ).check()
        for locked in found
    }


def test_subjects_regions_and_stimuli_are_found_from_the_folders(made, ingested):
    assert list(ingested) == recordings(RepresentationsSimulation(**SMALL))
    assert [one.subject for one in ingested.values()] == ["01", "02", "03"]
    assert {one.session for one in ingested.values()} == {""}
    first = ingested["sub-01"]
    for recording in ingested.values():
        assert recording.responses.shape == (3, 24, 40)
        assert recording.units["region"].tolist() == np.repeat(REGIONS, 10).tolist()
        assert recording.stimuli.index.tolist() == first.stimuli.index.tolist()
    stimuli = first.stimuli
    assert stimuli.index[:2].tolist() == ["fish-1", "fish-2"]
    assert stimuli["category"].value_counts().to_dict() == dict.fromkeys(CATEGORIES, 6)
    assert set(stimuli["animate"]) == {"animate", "inanimate"}
    assert set(stimuli["size"]) == {"small", "large"}
    assert pd.api.types.is_numeric_dtype(stimuli["angle"])
    assert sorted(set(stimuli["angle"])) == list(range(0, 360, 30))
    assert set(stimuli["width"]) == set(stimuli["height"]) == {96}
    for path in stimuli["path"]:
        with Image.open(made / path) as image:
            assert image.mode == "RGB"


def test_the_truth_is_that_of_the_responses(made, ingested):
    for name, recording in ingested.items():
        truth = read_truth(made, name)
        assert truth["region"].values.tolist() == list(REGIONS)
        assert truth["stimulus"].values.tolist() == recording.stimuli.index.tolist()
        for g, region in enumerate(REGIONS):
            own = (recording.units["region"] == region).to_numpy()
            trials = recording.responses.values[:, :, own]
            signal = truth["signal"].sel(region=region).values
            noise = trials - signal
            assert noise.std() == pytest.approx(truth["noise_sd"].values[g], rel=0.1)
            assert abs(noise.mean()) < 5 * noise.std() / np.sqrt(noise.size)
            expected = squareform(pdist(signal, "sqeuclidean")) / 10
            np.testing.assert_allclose(truth["rdm"].sel(region=region), expected, atol=1e-5)


def test_subjects_differ_and_share_what_the_truth_says(made):
    truths = [read_truth(made, name) for name in ("sub-01", "sub-02")]
    for region in REGIONS:
        a, b = (t["signal"].sel(region=region).values for t in truths)
        assert np.abs(a - b).max() > 0.5
        for t in truths:
            own, shared = (
                squareform(t[name].sel(region=region).values, checks=False)
                for name in ("rdm", "shared_rdm")
            )
            assert np.corrcoef(own, shared)[0, 1] > 0.6
    np.testing.assert_array_equal(truths[0]["shared_rdm"], truths[1]["shared_rdm"])
    assert not np.allclose(truths[0]["gain"], truths[1]["gain"])


def test_shared_rdms_are_files_of_models(made):
    from neuropipe.trsa.files.rdm_files import read_rdms

    truth = read_truth(made, "sub-01")
    for region in REGIONS:
        model = read_rdms(made / "truth" / f"{region}.tsv")
        assert list(model.conditions) == truth["stimulus"].values.tolist()
        expected = squareform(truth["shared_rdm"].sel(region=region).values, checks=False)
        np.testing.assert_allclose(model.dissimilarities[0], expected, atol=1e-6)


def test_another_model_of_oriented_energy_fits_the_early_region_only(made):
    """Filters, patches and distance of `image_models` are not those of the generator."""
    from neuropipe.trsa.image_models import image_rdms, read_images

    table = pd.read_csv(made / "sub-01" / "stimuli.tsv", sep="\t")
    paths = [made / "sub-01" / "images" / name for name in table["path"]]
    models = image_rdms(read_images(paths), table["path"].tolist())
    gabor = models.dissimilarities[models.table["name"].tolist().index("Gabor energy")]
    truth = read_truth(made, "sub-01")["shared_rdm"]
    fit = {
        region: np.corrcoef(squareform(truth.sel(region=region).values, checks=False), gabor)[0, 1]
        for region in REGIONS
    }
    assert fit.pop("early") > 0.8
    assert max(fit.values()) < 0.3


def test_pictures_are_the_same_for_all_subjects_and_nothing_but_the_seed_decides(made, tmp_path):
    files = files_of(made)
    for name in [n for n in files if "/images/" in n or n.endswith("stimuli.tsv")]:
        if name.startswith("sub-01"):
            assert files[name] == files[name.replace("sub-01", "sub-02")]
    again, other = tmp_path / "again", tmp_path / "other"
    for folder, seed in ((again, 5), (other, 6)):
        folder.mkdir()
        write(RepresentationsSimulation(seed=seed, **SMALL), folder)
    assert files_of(again) == files
    changed = files_of(other)
    assert changed.keys() == files.keys()
    for kind in ("images/fish-1.png", "responses_trials.npy"):
        assert changed[f"sub-01/{kind}"] != files[f"sub-01/{kind}"]


def test_a_subject_stays_the_same_whatever_the_number_of_subjects(made, tmp_path):
    write(RepresentationsSimulation(seed=5, **SMALL | {"n_subjects": 1}), tmp_path)
    name = "sub-01/responses_trials.npy"
    assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_the_summary_makes_the_same_data_again(made):
    summary = read_summary(made)
    assert RepresentationsSimulation(**summary["settings"]) == RepresentationsSimulation(
        seed=5, **SMALL
    )
    facts = summary["facts"]["recordings"]
    assert list(facts) == ["sub-01", "sub-02", "sub-03"]
    truth = read_truth(made, "sub-02")
    assert list(facts["sub-02"]["gain"].values()) == pytest.approx(truth["gain"].values, abs=1e-6)
    drawn = pd.read_csv(made / "truth" / "stimuli.tsv", sep="\t")
    assert {"right", "down", "grating_orientation", "grating_period"} <= set(drawn)


def test_demo_is_small(tmp_path):
    write(RepresentationsSimulation(seed=5), tmp_path)
    assert sum(len(content) for content in files_of(tmp_path).values()) < 1_000_000


def test_names_sort_in_order_when_there_are_many(tmp_path):
    write(RepresentationsSimulation(images_per_category=10, n_subjects=1, n_repeats=1), tmp_path)
    table = pd.read_csv(tmp_path / "sub-01" / "stimuli.tsv", sep="\t")
    fish = table.loc[table["category"] == "fish", "path"].tolist()
    assert fish == sorted(fish)
    assert fish[-1] == "fish-10.png"
    assert recordings(RepresentationsSimulation(n_subjects=100))[-1] == "sub-100"
