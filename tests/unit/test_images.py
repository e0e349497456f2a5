from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pydantic import ValidationError
from scipy.io import savemat

from neuropipe.errors import InputError
from neuropipe.ingest import image_files
from neuropipe.ingest.image_files import image_size, read_side_table
from neuropipe.ingest.images import discover, matches, ordered_responses
from neuropipe.ingest.read import read_recording
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles

MEAN = np.arange(6, dtype=np.float32).reshape(2, 3)  # two units, three images


def session(root, responses=MEAN, folder="session-1", n_images=3, name="responses_mean.npy"):
    """Write a session of small images and their responses."""
    images = root / folder / "images"
    images.mkdir(parents=True)
    for i in range(n_images):
        Image.new("RGB", (8 + i, 6)).save(images / f"im{i}.png")
    if responses is not None:
        np.save(root / folder / name, responses)
    return root / folder


def listed(root):
    return [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]


def read(root, **options):
    chosen = ImagesReadSettings(**options)
    (locked,) = discover(listed(root), chosen)
    return read_recording(SourceFiles("set", root, locked), "images", chosen).check()


def test_a_session_reads_back(tmp_path):
    session(tmp_path)
    found = read(tmp_path, response_unit="spikes/s")
    assert found.responses.dims == ("repeat", "stimulus", "unit")
    np.testing.assert_array_equal(found.responses.values, MEAN.T[None])
    assert found.responses.attrs["unit"] == "spikes/s"
    assert found.stimuli["path"].tolist() == [f"session-1/images/im{i}.png" for i in range(3)]
    assert found.stimuli["width"].tolist() == [8, 9, 10]
    assert found.stimuli["height"].tolist() == [6, 6, 6]
    assert found.units.index.tolist() == ["unit-001", "unit-002"]
    assert (found.recording, found.subject, found.session) == ("session-1", "1", "1")
    found.write(tmp_path / "r.nc")
    assert type(found).read(tmp_path / "r.nc").stimuli.equals(found.stimuli)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
        elements=st.floats(-1e3, 1e3, width=32) | st.just(np.nan),
    ),
    st.permutations(["unit", "stimulus", "repeat"]),
)
@settings(deadline=None)
def test_axes_are_put_in_order(array, names):
    n = array.shape[names.index("stimulus")]
    found = ordered_responses(array, ",".join(names), n, "f")
    order = [names.index(name) for name in ("repeat", "stimulus", "unit")]
    expected = np.transpose(array, order)
    np.testing.assert_array_equal(found, expected[: len(found)])
    assert np.isnan(expected[len(found) :]).all()  # only repeats without any trial are cut


def test_trials_are_preferred_to_means(tmp_path):
    folder = session(tmp_path)
    trials = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    trials[:, :, 3] = np.nan
    trials[0, 1, 1:] = np.nan
    np.save(folder / "responses_trials.npy", trials)
    found = read(tmp_path)
    np.testing.assert_array_equal(found.responses.values, trials[:, :, :3].transpose(2, 1, 0))
    assert read(tmp_path, responses="responses_mean.npy").responses.sizes["repeat"] == 1


@pytest.mark.parametrize("suffix", [".mat", ".h5", ".hdf5"])
def test_other_array_files(tmp_path, suffix):
    folder = session(tmp_path, None)
    if suffix == ".mat":
        savemat(folder / "responses.mat", {"r": MEAN, "info": np.ones((4, 4))})
    else:
        with h5py.File(folder / f"responses{suffix}", "w") as file:
            file["r"], file["info"] = MEAN, np.ones((4, 4))
    np.testing.assert_array_equal(read(tmp_path, variable="r").responses.values, MEAN.T[None])
    with pytest.raises(InputError, match="name one of them with the setting variable"):
        read(tmp_path)


def test_swapped_axes_are_told(tmp_path):
    session(tmp_path, MEAN.T)
    with pytest.raises(InputError, match=r"there are 3 images: axis 1 matches"):
        read(tmp_path)
    np.testing.assert_array_equal(
        read(tmp_path, axes="stimulus, unit").responses.values, MEAN.T[None]
    )
    with pytest.raises(InputError, match="no axis matches"):
        ordered_responses(MEAN, "unit,stimulus,repeat", 7, "f")
    with pytest.raises(InputError, match=r"has shape \(2, 3, 1, 1\)"):
        ordered_responses(MEAN[:, :, None, None], "unit,stimulus,repeat", 3, "f")
    with pytest.raises(ValidationError, match="each once"):
        ImagesReadSettings(axes="unit,image")


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_a_table_gives_order_names_and_columns(tmp_path, suffix):
    folder = session(tmp_path, np.arange(4.0).reshape(1, 4))
    cut = "\t" if suffix == "tsv" else ","
    rows = [["filename", "id", "kind"], ["im2.png", "c", "face"], ["images/im0.png", "a", "n/a"],
            ["im2.png", "c2", "face"], ["im0.png", "a2", "body"]]  # fmt: skip
    (folder / f"stimuli.{suffix}").write_text("\n".join(cut.join(row) for row in rows) + "\n")
    found = read(tmp_path)
    assert found.stimuli.index.tolist() == ["c", "a", "c2", "a2"]
    assert [p[-7:] for p in found.stimuli["path"]] == ["im2.png", "im0.png", "im2.png", "im0.png"]
    assert found.stimuli["kind"].tolist() == ["face", "n/a", "face", "body"]
    assert "1 images are in no row of " + f"stimuli.{suffix}" in found.history


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("path\n../secret.png\n", r"an image is '\.\./secret.png'"),
        ("path\n/etc/passwd\n", "an image is '/etc/passwd'"),
        ("path\nim9.png\n", "names im9.png; expected one of the 3 images"),
        ("path\nim0.png\nim0.png\n", "stimulus im0.png stands twice|stimulus im0 stands twice"),
        ("kind\nface\n", "1 rows and no column of file names"),
        ("path\n", "has no row"),
    ],
)
def test_tables_of_other_images_are_refused(tmp_path, text, match):
    (session(tmp_path) / "stimuli.tsv").write_text(text)
    with pytest.raises(InputError, match=match):
        read(tmp_path)


def test_units_come_from_their_table(tmp_path):
    folder = session(tmp_path)
    (folder / "units.tsv").write_text("name\tdepth\tarea\nn1\t0.5\tV4\n007\tn/a\tV1\n")
    found = read(tmp_path)
    assert found.units.index.tolist() == ["n1", "007"]
    assert found.units["depth"].iloc[0] == 0.5
    (folder / "units.tsv").write_text("name\nn1\n")
    with pytest.raises(InputError, match="has 1 rows; expected 2"):
        read(tmp_path)
    (folder / "units.tsv").write_text("name\nn1\nn1\n")
    with pytest.raises(InputError, match="names unit n1 twice"):
        read(tmp_path)


def test_missing_units_are_absent(tmp_path):
    responses = MEAN.copy()
    responses[0] = np.nan
    session(tmp_path, responses)
    found = read(tmp_path)
    assert found.units.index.tolist() == ["unit-002"]
    assert "1 units without any response are absent" in found.history


@pytest.mark.parametrize("bad", [np.full((2, 3), np.nan), np.full((2, 3), np.inf)])
def test_responses_without_numbers_are_refused(tmp_path, bad):
    session(tmp_path, bad)
    with pytest.raises(InputError, match=r"only NaN|infinite"):
        read(tmp_path)


def test_broken_and_huge_images_are_refused(tmp_path, monkeypatch):
    folder = session(tmp_path)
    (folder / "images" / "im1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"im1\.png"):
        read(tmp_path)
    monkeypatch.setattr(image_files, "_MOST_PIXELS", 47)
    with pytest.raises(InputError, match="8 x 6 pixels; expected at most 47"):
        image_size(folder / "images" / "im0.png")


def test_a_bomb_of_pixels_is_refused_from_its_header(tmp_path):
    raw = bytearray()
    Image.new("L", (4, 4)).save(tmp_path / "a.bmp")
    raw += (tmp_path / "a.bmp").read_bytes()
    raw[18:26] = (60_000).to_bytes(4, "little") * 2
    (tmp_path / "a.bmp").write_bytes(raw)
    with pytest.raises(InputError, match=r"a\.bmp"):
        image_size(tmp_path / "a.bmp")


def test_names_alone_find_sessions():
    paths = [
        "s1/images/a.png",
        "s1/images/notes.txt",
        "s1/responses.npy",
        "s1/units.csv",
        "sub-2/ses-3/images/b.jpg",
        "sub-2/ses-3/responses_mean.h5",
        "participants.tsv",
    ]
    assert matches(paths)
    assert not matches(["s1/images/a.png", "s1/notes.txt"])
    found = discover(paths, ImagesReadSettings(subjects={"s1": "monkey"}))
    assert [(f.recording, f.subject, f.session) for f in found] == [
        ("s1", "monkey", ""),
        ("sub-2_ses-3", "2", "3"),
    ]
    assert found[0].paths("images") == ["s1/images"]
    assert found[0].paths("units") == ["s1/units.csv"]
    assert matches([file.path for file in found[0].files])  # what a lock lists is enough
    with pytest.raises(InputError, match="folder s1 has images but no responses"):
        discover(paths[:1], ImagesReadSettings())
    with pytest.raises(InputError, match=r"expected spikes.npy"):
        discover(paths, ImagesReadSettings(responses="spikes.npy"))


def test_hostile_subjects_of_the_settings_become_safe():
    paths = ["s1/images/a.png", "s1/responses.npy"]
    assert discover(paths, ImagesReadSettings(subjects={"s1": "../x"}))[0].subject == "x"


def test_side_tables_keep_labels_and_numbers_apart(tmp_path):
    (tmp_path / "t.csv").write_text('code,value,text\n007,1.5,"a,b"\n012,,c\n')
    table = read_side_table(tmp_path / "t.csv")
    assert table["code"].tolist() == ["007", "012"]
    assert table["text"].tolist() == ["a,b", "c"]
    np.testing.assert_array_equal(table["value"], [1.5, np.nan])
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00a,b\n")
    with pytest.raises(InputError, match=r"t\.csv"):
        read_side_table(tmp_path / "t.csv")
