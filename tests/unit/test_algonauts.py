from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from neuropipe.errors import InputError
from neuropipe.ingest.algonauts import discover, matches
from neuropipe.ingest.read import read_recording
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.random((3, 5)).astype(np.float32), RNG.random((3, 4)).astype(np.float32)


def split(root, name, arrays, n_images=3):
    images = root / "subj01" / f"{name}_split" / f"{name}_images"
    fmri = root / "subj01" / f"{name}_split" / f"{name}_fmri"
    images.mkdir(parents=True)
    fmri.mkdir()
    for i in range(n_images):
        Image.new("RGB", (4, 4)).save(images / f"{name[:5]}-{i + 1:04d}_nsd-{10 * i:05d}.png")
    for side, array in arrays.items():
        np.save(fmri / f"{side}_{name}_fmri.npy", array)


def masks(root, right=(0, 1, 1, 2)):
    folder = root / "subj01" / "roi_masks"
    folder.mkdir(parents=True)
    np.save(folder / "mapping_prf-visualrois.npy", {0: "Unknown", 1: "V1v", 2: "hV4"})
    np.save(folder / "mapping_streams.npy", {0: "Unknown", 5: "ventral"})
    np.save(folder / "lh.prf-visualrois_challenge_space.npy", np.array([1, 0, 2, 0, 0]))
    np.save(folder / "rh.prf-visualrois_challenge_space.npy", np.array(right))
    np.save(folder / "lh.streams_challenge_space.npy", np.array([5, 5, 0, 0, 0]))
    np.save(folder / "lh.all-vertices_fsaverage_space.npy", np.arange(100))


def read(root, **options):
    chosen = ImagesReadSettings(**options)
    paths = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]
    assert matches(paths)
    (locked,) = discover(paths, chosen)
    return read_recording(SourceFiles("set", root, locked), "images", chosen).check()


def test_training_split_reads_back(tmp_path):
    split(tmp_path, "training", {"lh": LEFT, "rh": RIGHT})
    masks(tmp_path)
    found = read(tmp_path)
    np.testing.assert_array_equal(found.responses.values[0], np.concatenate([LEFT, RIGHT], axis=1))
    assert (found.recording, found.subject) == ("subj01", "subj01")
    assert found.units.index.tolist()[:2] == ["lh-00001", "lh-00002"]
    assert found.units["hemisphere"].tolist() == ["L"] * 5 + ["R"] * 4
    assert found.units["region"].tolist() == [
        "V1v", "n/a", "hV4", "n/a", "n/a", "n/a", "V1v", "V1v", "hV4",
    ]  # fmt: skip
    assert found.units["streams"].tolist()[:3] == ["ventral", "ventral", "n/a"]
    assert found.stimuli["nsd_id"].tolist() == [0, 10, 20]
    assert set(found.stimuli["split"]) == {"train"}
    assert found.stimuli.index[0] == "train-0001_nsd-00000"
    assert any("training split" in line for line in found.history)


def test_test_split_follows_when_its_responses_are_there(tmp_path):
    split(tmp_path, "training", {"lh": LEFT, "rh": RIGHT})
    split(tmp_path, "test", {"lh": LEFT[:2], "rh": RIGHT[:2]}, n_images=2)
    found = read(tmp_path)
    assert found.stimuli["split"].tolist() == ["train"] * 3 + ["test"] * 2
    np.testing.assert_array_equal(found.responses.values[0, 3:, 5:], RIGHT[:2])
    assert "region" not in found.units


def test_regions_keep_their_vertices_alone(tmp_path):
    split(tmp_path, "training", {"lh": LEFT, "rh": RIGHT})
    masks(tmp_path)
    found = read(tmp_path, regions=["V1v"])
    assert found.units.index.tolist() == ["lh-00001", "rh-00002", "rh-00003"]
    expected = np.concatenate([LEFT[:, :1], RIGHT[:, 1:3]], axis=1)
    np.testing.assert_array_equal(found.responses.values[0], expected)
    with pytest.raises(
        InputError, match=r"regions names \['V9'\]; expected areas of V1v, hV4, ventral"
    ):
        read(tmp_path, regions=["V9"])


def test_one_hemisphere_is_enough(tmp_path):
    split(tmp_path, "training", {"rh": RIGHT})
    assert read(tmp_path).units["hemisphere"].tolist() == ["R"] * 4


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (
            {"lh": LEFT[:2], "rh": RIGHT},
            r"lh_training_fmri.npy has shape \(2, 5\); expected \(3, 5\)",
        ),
        ({"lh": LEFT, "rh": RIGHT.T}, r"rh_training_fmri.npy has shape \(4, 3\)"),
        ({"lh": LEFT[0], "rh": RIGHT}, r"lh_training_fmri.npy has shape \(5,\)"),
    ],
)
def test_arrays_that_do_not_match_the_images_are_named(tmp_path, arrays, match):
    split(tmp_path, "training", arrays)
    with pytest.raises(InputError, match=match):
        read(tmp_path)


def test_masks_of_another_length_are_refused(tmp_path):
    split(tmp_path, "training", {"lh": LEFT, "rh": RIGHT})
    masks(tmp_path, right=(1, 1))
    with pytest.raises(InputError, match=r"rh.prf-visualrois_challenge_space.npy has shape \(2,\)"):
        read(tmp_path)
