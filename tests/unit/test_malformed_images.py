"""Malformed sessions of images and responses, and datasets that are no data at all."""

from __future__ import annotations

import os
import struct
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.malformed import (
    STEM,
    Case,
    bids,
    check,
    cut,
    folder_instead,
    images,
    npy_header,
    parametrize,
    put,
    roi_table,
)

SESSION = "monkey1"
RESPONSES, IMAGE = f"{SESSION}/responses.npy", f"{SESSION}/images/i3.png"


def _png(width, height):
    """A PNG of a few bytes whose header claims any size."""

    def chunk(kind, data):
        code = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", code)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + rest


def _case(name, spoil, *fragments, stage="ingest", **read):
    return Case(name, "images", images, spoil, fragments, read=read, stage=stage)


def _save(values):
    return lambda root: np.save(root / RESPONSES, values, allow_pickle=True)


def _instead(name, write):
    def spoil(root):
        (root / RESPONSES).unlink()
        write(root / SESSION / name)

    return spoil


def _hdf5(write):
    def save(path):
        with h5py.File(path, "w") as file:
            write(file)

    return save


def _short_jpeg(folder):
    path = folder / "i9.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-300])


class Payload:
    """Unpickled, it leaves a mark."""

    def __reduce__(self):
        return (open, ("payload-ran", "w"))


def _at(value):
    values = np.ones((4, 6))
    values[2, 3] = value
    return values


SVG = '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
IMAGES = [
    _case("image: 60000 x 60000 pixels in its header", put(IMAGE, _png(60_000, 60_000)),
          "i3.png", "3600000000"),
    _case("image: 2^31 pixels wide", put(IMAGE, _png(2**31 - 1, 2**31 - 1)), "i3.png"),
    _case("image: no pixels", put(IMAGE, _png(0, 0)), "i3.png"),
    _case("image: text", put(IMAGE, "a cat"), "i3.png"),
    _case("image: SVG", put(IMAGE, SVG), "i3.png"),
    _case("image: zero bytes", put(IMAGE, b""), "i3.png"),
    _case("image: cut in its header", cut(IMAGE, 0.2), "i3.png"),
    _case("image: cut in its pixels", cut(IMAGE, 0.8), "i3.png"),
    _case("image: JPEG cut in its pixels", lambda r: _short_jpeg(r / SESSION / "images"),
          "i9.jpg", "cut short"),
    _case("image: 110 megapixels", put(IMAGE, _png(11_000, 10_000)), "i3.png", "11000 x 10000"),
    _case("image: NumPy array", lambda r: (r / IMAGE).write_bytes((r / RESPONSES).read_bytes()),
          "i3.png"),
    _case("image: PostScript", put(IMAGE, "%!PS-Adobe-3.0 EPSF-3.0\n(x) run\n"), "i3.png"),
    _case("image: a folder", folder_instead(IMAGE), "i3.png"),
    _case("image: a dangling link", lambda r: _link(r / IMAGE, r / "gone.png"),
          "i3.png", "broken link", stage="lock"),
    _case("image: one too few", lambda r: (r / IMAGE).unlink(), "(4, 6)", "5 images"),
    _case("image: one too many", put(f"{SESSION}/images/i9.png", _png(8, 8)), "7 images"),
    _case("image: none", lambda r: [p.unlink() for p in (r / SESSION / "images").iterdir()],
          "images", stage="lock"),
]  # fmt: skip
RESPONSE_ARRAYS = [
    _case("responses: axes swapped", _save(np.ones((6, 4))), "(6, 4)", "axis 1 matches"),
    _case("responses: one axis", _save(np.ones(6)), "(6,)"),
    _case("responses: four axes", _save(np.ones((4, 6, 1, 1))), "(4, 6, 1, 1)"),
    _case("responses: all NaN", _save(np.full((4, 6), np.nan)), "only NaN"),
    _case("responses: one infinite", _save(_at(np.inf)), "infinite"),
    _case("responses: infinite as float32", _save(_at(1e300)), "infinite"),
    _case("responses: text", _save(np.full((4, 6), "a")), "<U1"),
    _case("responses: complex", _save(np.ones((4, 6), complex)), "complex"),
    _case("responses: dates", _save(np.zeros((4, 6), "M8[s]")), "datetime"),
    _case("responses: a pickle", _save(np.array([Payload()], dtype=object)), "responses.npy"),
    _case("responses: cut short", cut(RESPONSES), "responses.npy"),
    _case("responses: 10^12 claimed", put(RESPONSES, npy_header((10**6, 10**6))), "responses.npy"),
    _case("responses: no units", _save(np.ones((0, 6))), "(0, 6)"),
    _case("responses: none", lambda r: (r / RESPONSES).unlink(), "i0.png", stage="lock"),
    _case("responses: unknown axes", lambda r: None, "axes", stage="lock", axes="time,unit"),
    _case("responses: mat of two arrays",
          _instead("responses.mat", lambda p: savemat(p, {"a": np.ones((4, 6)),
                                                          "b": np.ones((4, 6))})),
          "responses.mat", "a, b"),
    _case("responses: mat of another name",
          _instead("responses.mat", lambda p: savemat(p, {"a": np.ones((4, 6))})),
          "responses.mat", "'b'", variable="b"),
    _case("responses: mat that is text",
          _instead("responses.mat", lambda p: p.write_text("x" * 999)), "responses.mat"),
    _case("responses: mat 7.3 that is no HDF5",
          _instead("responses.mat", lambda p: p.write_bytes(
              b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n")), "responses.mat"),
    _case("responses: HDF5 without arrays",
          _instead("responses.h5", _hdf5(lambda f: f.create_group("x"))), "responses.h5", "none"),
    _case("responses: HDF5 with an external link",
          _instead("responses.h5", _hdf5(
              lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/hostname", "/x")))),
          "responses.h5", "/etc/hostname"),
    _case("responses: HDF5 of 10^12 values, none stored",
          _instead("responses.h5", _hdf5(
              lambda f: f.create_dataset("x", (10**6, 10**6), "f4", chunks=(100, 100)))),
          "responses.h5", "stores 0 bytes"),
    _case("responses: HDF5 cut short",
          _instead("responses.h5", lambda p: (_hdf5(
              lambda f: f.create_dataset("x", data=np.ones((4, 6))))(p),
              p.write_bytes(p.read_bytes()[:900]))), "responses.h5"),
]  # fmt: skip
SIDE = [
    _case("stimuli: of another length", put(f"{SESSION}/stimuli.tsv", "name\na\nb\n"),
          "stimuli.tsv", "2 rows"),
    _case("stimuli: an image that is absent",
          put(f"{SESSION}/stimuli.tsv", "path\n" + "".join(f"i{k}.png\n" for k in range(5))
              + "i7.png\n"), "stimuli.tsv", "i7.png"),
    _case("stimuli: a path that climbs",
          put(f"{SESSION}/stimuli.tsv", "path\n../../etc/passwd\n"), "stimuli.tsv", "etc/passwd"),
    _case("stimuli: an absolute path", put(f"{SESSION}/stimuli.tsv", "path\n/etc/passwd\n"),
          "stimuli.tsv", "/etc/passwd"),
    _case("stimuli: an image twice",
          put(f"{SESSION}/stimuli.tsv", "path\n" + "i0.png\n" * 6), "i0", "twice"),
    _case("stimuli: no rows", put(f"{SESSION}/stimuli.tsv", "path\n"), "stimuli.tsv", "no row"),
    _case("stimuli: zero bytes", put(f"{SESSION}/stimuli.csv", b""), "stimuli.csv"),
    _case("stimuli: column twice", put(f"{SESSION}/stimuli.csv", "a,a\n1,2\n"), "stimuli.csv"),
    _case("stimuli: ragged", put(f"{SESSION}/stimuli.csv", "a,b\n1,2\n1,2,3,4\n"), "stimuli.csv"),
    _case("units: of another length", put(f"{SESSION}/units.tsv", "unit\na\n"),
          "units.tsv", "1 rows"),
    _case("units: one name twice", put(f"{SESSION}/units.tsv", "unit\na\nb\na\nc\n"),
          "units.tsv", "twice"),
    _case("units: not UTF-8", put(f"{SESSION}/units.csv", b"unit\n\xe9\n"), "units.csv"),
    _case("a hostile participants table",
          put("participants.tsv", "participant_id\n../x\n"), "participants.tsv", "'../x'"),
]  # fmt: skip


def _link(path, target):
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _lock(name, build, spoil, *fragments, modality="fmri", **options):
    return Case(name, modality, build, spoil, fragments, stage="lock", **options)


BOLD = f"{STEM}_bold.nii.gz"
TREES = [
    _lock("no files", lambda r: r.mkdir(), lambda r: None, "data", "no files"),
    _lock("no folder", lambda r: None, lambda r: None, "data", "does not exist"),
    _lock("the source is a dangling link", lambda r: r.symlink_to(r.parent / "gone"),
          lambda r: None, "data"),
    _lock("the source is a link to itself", lambda r: r.symlink_to(r), lambda r: None, "data"),
    _lock("a link to itself", bids, lambda r: _link(r / BOLD, r / BOLD), "bold.nii.gz",
          "broken link"),
    _lock("two links in a circle", bids,
          lambda r: (_link(r / "a", r / "b"), _link(r / "b", r / "a")), "broken link"),
    _lock("a link to the folder above", bids, lambda r: _link(r / "sub-01/up", r), "up", "above"),
    _lock("a dangling link", bids, lambda r: _link(r / BOLD, "gone"), "bold.nii.gz",
          "broken link"),
    _lock("a file instead of a folder of another format", lambda r: r.write_text("x"),
          lambda r: None, "data"),
    _lock("no recording of the modality", bids, lambda r: None, "no spikes file",
          modality="spikes"),
    _lock("a new line in a name", bids, put("sub-01/func/a\nb.tsv", "x"), "func/a\\nb.tsv'"),
    _lock("an escape sequence in a name", bids, put("sub-01/func/a\x1b[2Jb.tsv", "x"), "\\x1b"),
    _lock("a bidi override in a name", bids, put("sub-01/func/a\u202egpj.tsv", "x"), "\\u202e"),
    _lock("a name that is not UTF-8", bids, lambda r: _bytes_name(r), "file"),
    _lock("a backslash in a name", bids, put("sub-01/func/a\\x.tsv", "x"), "a\\\\x.tsv"),
    _lock("an unsafe subject", bids, lambda r: _rename(r, "sub-0 1"), "sub-0 1"),
    _lock("a subject that is an option", bids, lambda r: _rename(r, "sub-%24(reboot)"), "reboot"),
    _lock("a subject of 200 letters", bids, lambda r: _rename(r, "sub-" + "a" * 200), "sub-aaa"),
    _lock("two images of one run", bids,
          lambda r: (r / BOLD.replace(".gz", "")).write_bytes(b"x"), "bold.nii", "sub-01_task"),
    _lock("the same run in two spaces", bids, lambda r: [
          (r / f"{STEM}_space-{s}_desc-preproc_bold.nii.gz").write_bytes(b"x") for s in "AB"],
          "spaces A, B"),
    _lock("a setting without meaning", bids, lambda r: None, "tr", read={"tr": 2.0}),
    _lock("a setting of another type", bids, lambda r: None, "grid_edge",
          read={"grid_edge": "four"}),
    _lock("a folder setting that matches nothing", bids, lambda r: None,
          "no fmri", read={"folder": "derivatives/none"}),
    _lock("an entity that no file has", bids, lambda r: None, "no fmri",
          read={"select": {"acq": "x"}}),
]  # fmt: skip


def _rename(root, name):
    for path in sorted(root.rglob("sub-01_*")):
        path.rename(path.with_name(path.name.replace("sub-01", name)))
    (root / "sub-01").rename(root / name)


def _bytes_name(root):
    (root / os.fsdecode(b"sub-01/func/\xff\xfe.tsv")).write_text("x")


@parametrize(IMAGES)
def test_images(case, tmp_path):
    check(case, tmp_path)


@parametrize(RESPONSE_ARRAYS)
def test_responses(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(case, tmp_path)
    assert not (tmp_path / "payload-ran").exists()


@parametrize(SIDE)
def test_tables(case, tmp_path):
    check(case, tmp_path)


@parametrize(TREES)
def test_trees(case, tmp_path):
    check(case, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("path", [BOLD, "sub-01/func"])
def test_what_may_not_be_read(path, tmp_path):
    case = _lock("unreadable", bids, lambda r: (r / path).chmod(0), path)
    try:
        check(case, tmp_path)
    finally:
        (tmp_path / "data" / path).chmod(0o700)


def test_strange_but_harmless_names_are_read(tmp_path):
    """Spaces, umlauts and leading dashes in files that are no recording do no harm."""
    from tests.malformed import ingest_arguments, lock_arguments, neuropipe, write_manifest

    roi_table(tmp_path / "data")
    for name in ("-rf", "a b", "ü.txt", "$(x)", "'", "%s"):
        (tmp_path / "data" / name).write_text("x")
    write_manifest(tmp_path, "fmri", {})
    assert neuropipe(*lock_arguments(tmp_path)).status == 0
    run = neuropipe(*ingest_arguments(tmp_path, "fmri", {}))
    assert (run.status, run.error) == (0, "")
