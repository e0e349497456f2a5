"""Malformed fMRI and ROI data through the commands: refused in one line, nothing written."""

from __future__ import annotations

import gzip
import pickle

import numpy as np

from tests import bids_files
from tests.malformed import (
    STEM,
    Case,
    bids,
    bids_confounds,
    bids_labels,
    check,
    claimed_bold,
    cut,
    folder_instead,
    npy_header,
    parametrize,
    put,
    roi_array,
    roi_table,
    roi_values,
    save_bold,
    swap,
)

SIDECAR, EVENTS, BOLD = f"{STEM}_bold.json", f"{STEM}_events.tsv", f"{STEM}_bold.nii.gz"
TABLE, ARRAY = f"{STEM}_timeseries.tsv", f"{STEM}_timeseries.npy"
MAT = f"{STEM}_timeseries.mat"
MASK = f"{STEM}_desc-brain_mask.nii.gz"


def _sidecar(name, content, *fragments):
    return Case(f"sidecar: {name}", "fmri", bids, put(SIDECAR, content), (SIDECAR, *fragments))


def _repetition_time(name, value, *fragments):
    spoil = put(SIDECAR, {"RepetitionTime": value} if value != "none" else {})
    return Case(f"TR: {name}", "fmri", bids, spoil, (BOLD, *fragments))


def _without_header_tr(root):
    bids(root)
    save_bold(tr=0.0)(root)


SIDECARS = [
    _sidecar("a list", [1, 2], "list"),
    _sidecar("cut short", '{"RepetitionTime": 2', "delimiter"),
    _sidecar("empty object in a list", "[{}]", "list"),
    _sidecar("nested 10^5 deep", '{"a":' * 100_000 + "1" + "}" * 100_000),
    _sidecar("nested lists", "[" * 100_000),
    _sidecar("not UTF-8", b'{"RepetitionTime": "\xff\xfe"}', "utf-8"),
    _sidecar("a number of 5000 digits", '{"RepetitionTime": ' + "9" * 5000 + "}", "digits"),
    Case("sidecar: zero bytes", "fmri", bids, put(SIDECAR, ""), (SIDECAR, "zero bytes")),
    _repetition_time("in ms", 2000, "2000", "milliseconds"),
    _repetition_time("disagrees with the header", 3.0, "3 s", "2 s in header"),
    _repetition_time("text", "2.0", "'2.0'"),
    _repetition_time("bool", True, "True"),
    _repetition_time("zero", 0, "RepetitionTime 0"),
    _repetition_time("negative", -2.0, "-2.0"),
    _repetition_time("NaN", float("nan"), "nan"),
    _repetition_time("infinite", float("inf"), "inf"),
    _repetition_time("a list", [2.0], "[2.0]"),
    _repetition_time("huge whole number", 10**400, "RepetitionTime"),
    Case("TR: none anywhere", "fmri", _without_header_tr, put(SIDECAR, {}),
         (BOLD, "no repetition time")),
    Case("TR: uneven volumes", "fmri", _without_header_tr,
         put(SIDECAR, {"VolumeTiming": [0, 2, 7]}), (BOLD, "VolumeTiming")),
    Case("TR: volume times as text", "fmri", _without_header_tr,
         put(SIDECAR, {"VolumeTiming": ["0", "x"]}), (BOLD, "VolumeTiming")),
    Case("TR: setting against sidecar", "fmri", bids, lambda r: None,
         (BOLD, "read.repetition_time"), read={"repetition_time": 3.0}),
]  # fmt: skip


def _image(name, spoil, *fragments, build=bids, **options):
    return Case(f"image: {name}", "fmri", build, spoil, fragments, **options)


def _all(value):
    return lambda values: np.full_like(values, value)


def _gap(values):
    values[..., 5:25] = np.nan
    return values


def _affine(value):
    """Overwrite the three rows of the sform, at byte 280 of the header."""

    def spoil(root):
        data = bytearray(gzip.decompress((root / BOLD).read_bytes()))
        data[280:328] = np.full(12, value, "<f4").tobytes()
        (root / BOLD).write_bytes(gzip.compress(bytes(data)))

    return spoil


def _complex(values):
    return values.astype(np.complex64)


IMAGES = [
    _image("zero bytes", put(BOLD, b""), BOLD, "zero bytes"),
    _image("text", put(BOLD, "not an image"), BOLD),
    _image("gzip of text", put(BOLD, gzip.compress(b"words")), BOLD),
    _image("half a gzip", cut(BOLD), BOLD),
    _image("a few bytes of gzip", cut(BOLD, 0.001), BOLD),
    _image("without its gzip trailer", cut(BOLD, 0.999), BOLD),
    _image("garbled gzip", lambda root: _garble(root / BOLD), BOLD),
    _image("three dimensions", save_bold(values=lambda v: v[..., 0], tr=None), BOLD, "(8, 9, 6)"),
    _image("one volume", save_bold(values=lambda v: v[..., :1]), BOLD, "(8, 9, 6, 1)"),
    _image("five dimensions", save_bold(values=lambda v: v[..., None], tr=None), BOLD),
    _image("complex numbers", save_bold(values=_complex), BOLD, "complex64"),
    _image("all NaN", save_bold(values=_all(np.nan)), BOLD, "no signal"),
    _image("all infinite", save_bold(values=_all(np.inf)), BOLD, "no signal"),
    _image("all zero", save_bold(values=_all(0)), BOLD, "no signal"),
    _image("constant", save_bold(values=_all(7)), "signal"),
    _image("half of the volumes NaN", save_bold(values=_gap), "50%"),
    _image("claims 10^12 bytes", claimed_bold((10_000, 10_000, 100, 50)), BOLD, "10000"),
    _image("claims 32767^4", claimed_bold((32767,) * 4), BOLD, "32767"),
    _image("claims one more volume", claimed_bold((100, 100, 10, 21)), BOLD),
    _image("negative dimension", claimed_bold((8, -9, 6, 40)), BOLD),
    _image("a folder", folder_instead(BOLD), "bold", stage="lock"),
    _image("no invertible affine", _affine(0.0), BOLD, "affine"),
    _image("affine of NaN", _affine(np.nan), BOLD, "affine"),
    _image("affine of 10^30 mm", _affine(1e30), BOLD, "affine"),
    _image("mask of no voxel", lambda r: bids_files.save_image(r / MASK, np.zeros((8, 9, 6))),
           MASK, "empty", build=bids_confounds),
    _image("mask cut short", cut(MASK),
           "brain_mask", build=bids_confounds),
    _image("mask with four axes",
           lambda r: bids_files.save_image(r / MASK, np.ones((8, 9, 6, 3))),
           "brain_mask", "(8, 9, 6, 3)", build=bids_confounds),
    _image("mask far away", lambda r: bids_files.save_image(
        r / MASK, np.ones((4, 4, 4)), affine=np.diag([1, 1, 1, 1.0]) + 5000 * np.eye(4, k=3)),
        "brain_mask", build=bids_confounds),
]  # fmt: skip


def _garble(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
    path.write_bytes(bytes(data))


PARCELLATION = {"parcellation": "atlas.nii.gz"}


def _atlas(name, spoil, *fragments, read=PARCELLATION, stage="ingest"):
    return Case(f"atlas: {name}", "fmri", bids_labels, spoil, fragments, read=read, stage=stage)


def _fractions(root):
    values = bids_files.block_labels(labels=(1, 2, 3, 4)) + 0.4
    bids_files.save_image(root / "atlas.nii.gz", values)


ATLASES = [
    _atlas("cut short", cut("atlas.nii.gz"), "atlas.nii.gz"),
    _atlas("fractions for labels", _fractions, "atlas.nii.gz", ".4"),
    _atlas("no label", lambda r: bids_files.save_image(r / "atlas.nii.gz", np.zeros((8, 9, 6))),
           "atlas.nii.gz", "no label"),
    _atlas("another count of weight maps than names", lambda r: bids_files.save_image(
        r / "atlas.nii.gz", np.random.default_rng(0).random((8, 9, 6, 3)).astype(np.float32)),
        "atlas.nii.gz", "3 maps", "4 rows"),
    _atlas("the same weight map twice", lambda r: (bids_files.save_image(
        r / "atlas.nii.gz", np.ones((8, 9, 6, 4), np.float32))), "linearly dependent"),
    _atlas("label named twice", swap("atlas.tsv", "2\tregion 2", "1\tregion 2"), "atlas.tsv"),
    _atlas("one name for two labels", swap("atlas.tsv", "region 2", "region 1"),
           "atlas.tsv", "region 1"),
    _atlas("label is text", swap("atlas.tsv", "2\tregion", "two\tregion"), "atlas.tsv", "two"),
    _atlas("label is a fraction", swap("atlas.tsv", "2\tregion", "2.5\tregion"), "atlas.tsv"),
    _atlas("label is huge", swap("atlas.tsv", "2\tregion", "1e300\tregion"), "atlas.tsv"),
    _atlas("label without name", swap("atlas.tsv", "region 2", "n/a"), "atlas.tsv"),
    _atlas("not in the dataset", lambda r: None, "other.nii.gz", stage="lock",
           read={"parcellation": "other.nii.gz"}),
    _atlas("outside of the dataset", lambda r: None, "../atlas.nii.gz", stage="lock",
           read={"parcellation": "../atlas.nii.gz"}),
    Case("atlas: a name that climbs", "fmri", bids, lambda r: None, ("'../x'",),
         read={"atlas": "../x", "space": "MNI152"}),
    Case("atlas: a name nobody knows", "fmri", bids, lambda r: None, ("'brodmann'",),
         read={"atlas": "brodmann", "space": "MNI152"}),
    Case("atlas: in the space of the subject", "fmri", bids, lambda r: None, ("its own space",),
         read={"atlas": "schaefer-100-7"}),
    _atlas("unknown placeholder", lambda r: None, "{x}", stage="lock",
           read={"parcellation": "{x}.nii.gz"}),
]  # fmt: skip


def _table(name, spoil, *fragments, **options):
    return Case(f"table: {name}", "fmri", roi_table, spoil, (TABLE, *fragments), **options)


def _cell(row, column, text):
    def spoil(root):
        lines = (root / TABLE).read_text().splitlines()
        cells = lines[row].split("\t")
        cells[column] = text
        lines[row] = "\t".join(cells)
        (root / TABLE).write_text("\n".join(lines) + "\n")

    return spoil


def _nan_column(share):
    def spoil(root):
        values = roi_values()
        values[: int(share * len(values)), 2] = np.nan
        roi_table(root, values)

    return spoil


TABLES = [
    _table("text cell", _cell(7, 3, "high"), "row 7", "column 4", "'high'"),
    _table("infinite cell", _cell(7, 3, "inf"), "row 7", "column 4"),
    _table("infinite by size", _cell(7, 3, "1e60"), "row 7", "column 4"),
    _table("underscored number", _cell(7, 3, "1_000"), "row 7", "'1_000'"),
    _table("a cell too few", lambda r: _rows(r, lambda t: [*t[:7], t[7][:9], *t[8:]]), "row 7"),
    _table("a cell too many", lambda r: _rows(r, lambda t: [*t[:7], t[7] + "\t1", *t[8:]]),
           "row 7"),
    _table("blank line inside", lambda r: _rows(r, lambda t: [*t[:7], "", *t[7:]]), "row 7"),
    _table("column named twice", _cell(0, 3, "roi1"), "roi1"),
    _table("column without name", _cell(0, 3, ""), "column 4"),
    _table("column named by a control character", _cell(0, 3, "a\x07"), "column 4"),
    _table("header alone", lambda r: _rows(r, lambda t: t[:1]), "no row"),
    _table("two rows", lambda r: _rows(r, lambda t: t[:3]), "2 rows"),
    _table("zero bytes", put(TABLE, b""), "zero bytes"),
    _table("NUL bytes", put(TABLE, b"\0" * 500)),
    _table("not UTF-8", put(TABLE, b"\xff\xfea\tb\n1\t2\n"), "utf-8"),
    _table("a picture", put(TABLE, b"\x89PNG\r\n\x1a\n" + bytes(range(256)))),
    Case("table: half a column missing", "fmri", roi_table, _nan_column(0.5),
         ("roi2", "50%")),
    Case("table: all missing", "fmri", lambda r: roi_table(r, np.full((40, 5), np.nan)),
         lambda r: None, ("none of 5 units",)),
    Case("table: all constant", "fmri", lambda r: roi_table(r, np.ones((40, 5))),
         lambda r: None, ("none of 5 units",)),
    Case("table: two files of one run", "fmri", roi_table,
         lambda r: put(f"{STEM}_timeseries.csv", (r / TABLE).read_text())(r),
         (TABLE, "sub-01_task-rest_timeseries.csv"), stage="lock"),
    Case("table: other unit names", "fmri", roi_table, put("u.tsv", "name\na\nb\n"),
         ("u.tsv", "2 units", "have 5"), read={"unit_table": "u.tsv"}),
    Case("table: unit names repeat", "fmri", roi_table, put("u.tsv", "name\na\na\nb\nc\nd\n"),
         ("u.tsv",), read={"unit_table": "u.tsv"}),
    Case("table: no sidecar", "fmri", roi_table,
         lambda r: (r / f"{STEM}_timeseries.json").unlink(), (TABLE, "no repetition time")),
]  # fmt: skip


def _rows(root, change):
    lines = (root / TABLE).read_text().splitlines()
    (root / TABLE).write_text("\n".join(change(lines)) + "\n")


def _array(name, spoil, *fragments, **options):
    return Case(f"array: {name}", "fmri", roi_array, spoil, (ARRAY, *fragments), **options)


def _save(values):
    return lambda root: np.save(root / ARRAY, values, allow_pickle=True)


class Payload:
    """Unpickled, it leaves a mark."""

    def __reduce__(self):
        return (open, ("payload-ran", "w"))


_CODE = b"\x93NUMPY\x01\x00\x40\x00" + b"__import__('os')" * 4


def _inf():
    values = roi_values()
    values[3, 2] = np.inf
    return values


ARRAYS = [
    _array("axes swapped", _save(roi_values().T), "5 rows and 40 columns"),
    _array("one axis", _save(np.ones(40)), "(40,)"),
    _array("three axes", _save(np.ones((40, 5, 2))), "(40, 5, 2)"),
    _array("no rows", _save(np.ones((0, 5))), "(0, 5)"),
    _array("text", _save(np.array([["a", "b"]] * 40)), "<U1"),
    _array("complex", _save(np.ones((40, 5), complex)), "complex128"),
    _array("infinite value", _save(_inf()), "time 4 of unit 3"),
    _array("infinite as float32", _save(roi_values().astype(float) * 1e300), "time 1 of unit 1"),
    _array("cut short", cut(ARRAY)),
    _array("cut in the header", cut(ARRAY, 0.05)),
    _array("claims 10^12 values", put(ARRAY, npy_header((10**6, 10**6)))),
    _array("claims 10^30 values", put(ARRAY, npy_header((10**15, 10**15)))),
    _array("negative shape", put(ARRAY, npy_header((-40, 5)))),
    _array("a pickle", _save(np.array([Payload()], dtype=object))),
    _array("a bare pickle", put(ARRAY, pickle.dumps(Payload()))),
    _array("header that is code", put(ARRAY, _CODE)),
    _array("a folder", folder_instead(ARRAY), stage="lock"),
    Case("mat: cut short", "fmri", lambda r: roi_array(r, "mat"), cut(MAT), (MAT,)),
    Case("mat: wrong key", "fmri", lambda r: roi_array(r, "mat"), lambda r: None,
         (MAT, "'other'", "series"), read={"key": "other"}),
    Case("mat: v7.3 that is no HDF5", "fmri", lambda r: roi_array(r, "mat"),
         put(MAT, b"MATLAB 7.3 MAT-file".ljust(600)), (MAT,)),
    Case("mat: text", "fmri", lambda r: roi_array(r, "mat"), put(MAT, "x" * 2000), (MAT,)),
    Case("npz: cut short", "fmri", lambda r: roi_array(r, "npz"),
         cut(f"{STEM}_timeseries.npz"), ("timeseries.npz",)),
    Case("npz: text", "fmri", lambda r: roi_array(r, "npz"),
         put(f"{STEM}_timeseries.npz", "PK\x03\x04 nothing"), ("timeseries.npz",)),
]  # fmt: skip


def _events(name, content, *fragments):
    return Case(f"events: {name}", "fmri", bids, put(EVENTS, content), (EVENTS, *fragments))


def _people(name, content, *fragments):
    spoil = put("participants.tsv", content)
    return Case(f"participants: {name}", "fmri", bids, spoil, ("participants.tsv", *fragments))


SIDE_TABLES = [
    _events("beyond the scan", "onset\tduration\n500\t1\n", "500 s", "80 s"),
    _events("in ms", "onset\tduration\n4000\t2000\n", "4000 s"),
    _events("negative duration", "onset\tduration\n4\t-1\n", "row 1", "-1"),
    _events("onset is text", "onset\tduration\n4\t1\nsoon\t1\n", "row 2", "'soon'"),
    _events("onset is missing", "onset\tduration\nn/a\t1\n", "row 1"),
    _events("onset is NaN", "onset\tduration\nnan\t1\n", "row 1", "'nan'"),
    _events("onset is infinite", "onset\tduration\ninf\t1\n", "row 1", "'inf'"),
    _events("no onset column", "start\tduration\n4\t1\n", "onset"),
    _events("no duration column", "onset\ttrial\n4\t1\n", "duration"),
    _events("column named twice", "onset\tduration\tonset\n4\t1\t4\n", "onset"),
    _events("row too long", "onset\tduration\n4\t1\t1\n4\t1\n"),
    _events("one column name 15 000 times", "onset\tduration" + "\ta" * 15_000, "twice"),
    _events("50 000 columns", "onset\tduration\t" + "\t".join(map(str, range(50_000))), "columns"),
    _events("1000 columns", "onset\tduration\t" + "\t".join(map(str, range(1000))) + "\n1\t1\n",
            "1002 columns"),
    _events("zero bytes", b"", "zero bytes"),
    _events("NUL bytes", b"onset\tduration\n\0\0\t1\n", "row 1"),
    _people("subject twice", "participant_id\nsub-01\nsub-01\n", "sub-01"),
    _people("subject twice, once bare", "participant_id\nsub-01\n01\n", "sub-01"),
    _people("climbs", "participant_id\nsub-01\nsub-../x\n", "'../x'"),
    _people("absolute", "participant_id\nsub-01\n/etc/passwd\n", "'/etc/passwd'"),
    _people("leading dash", "participant_id\nsub-01\nsub--rf\n", "'-rf'"),
    _people("bidi override", "participant_id\nsub-01\nsub-\u202e10\n", "'\\u202e10'"),
    _people("very long", f"participant_id\nsub-01\nsub-{'a' * 5000}\n", "row 2"),
    _people("missing", "participant_id\nsub-01\nn/a\n", "None"),
    _people("no such column", "subject\nsub-01\n", "participant_id"),
    _people("zero bytes", b"", "zero bytes"),
    _people("not UTF-8", b"participant_id\tname\nsub-01\tJos\xe9\n", "utf-8"),
    Case("confounds: another length", "fmri", bids_confounds,
         swap(f"{STEM}_desc-confounds_timeseries.tsv", "0.01\t0.01\t0.01\t0.01\t0.01\t0.01\n", ""),
         ("confounds", "39 rows", "40 volumes")),
    Case("confounds: text", "fmri", bids_confounds,
         swap(f"{STEM}_desc-confounds_timeseries.tsv", "\n0.01\t", "\nstill\t"),
         ("confounds", "trans_x"), read={"confounds": ["motion-basic"]}),
    Case("confounds: infinite", "fmri", bids_confounds,
         swap(f"{STEM}_desc-confounds_timeseries.tsv", "\n0.01\t", "\ninf\t"),
         ("confounds", "trans_x"), read={"confounds": ["motion-basic"]}),
    Case("confounds: missing column", "fmri", bids_confounds,
         swap(f"{STEM}_desc-confounds_timeseries.tsv", "rot_z", "rot_q"),
         ("confounds", "rot_z"), read={"confounds": ["motion-basic"]}),
    Case("confounds: column twice", "fmri", bids_confounds,
         swap(f"{STEM}_desc-confounds_timeseries.tsv", "rot_z", "rot_y"), ("confounds", "rot_y")),
    Case("confounds: ragged", "fmri", bids_confounds,
         swap(f"{STEM}_desc-confounds_timeseries.tsv", "\n0.01\t", "\n0.01\t0.01\t"),
         ("confounds",)),
    Case("confounds: none", "fmri", bids, lambda r: None, ("sub-01_task-rest", "confounds"),
         read={"confounds": ["motion"]}),
    Case("no motion to scrub by", "fmri", bids, lambda r: None, ("fd_threshold",),
         read={"fd_threshold": 0.5}),
    Case("filter above Nyquist", "fmri", bids, lambda r: None, ("low_pass", "0.4"),
         read={"low_pass": 0.4}),
    Case("all volumes are dummies", "fmri", bids, lambda r: None, (BOLD, "40 volumes"),
         read={"dummy_scans": 40}),
    Case("no volume under the motion limit", "fmri", bids_confounds,
         lambda r: _shake(r / f"{STEM}_desc-confounds_timeseries.tsv"), ("volumes",),
         read={"fd_threshold": 0.5}),
    Case("too many regressors", "fmri", bids_confounds, lambda r: None,
         ("5 of 5 volumes", "6 regressors"),
         read={"confounds": ["motion-basic"], "dummy_scans": 35}),
]  # fmt: skip


def _shake(path):
    header = path.read_text().splitlines()[0]
    rows = ["\t".join([str(k % 2 * 9)] * 6) for k in range(40)]
    path.write_text("\n".join([header, *rows]) + "\n")


@parametrize(SIDECARS)
def test_sidecars(case, tmp_path):
    check(case, tmp_path)


@parametrize(IMAGES)
def test_images(case, tmp_path):
    check(case, tmp_path)


@parametrize(ATLASES)
def test_parcellations(case, tmp_path):
    check(case, tmp_path)


@parametrize(TABLES)
def test_tables_of_series(case, tmp_path):
    check(case, tmp_path)


@parametrize(ARRAYS)
def test_arrays_of_series(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(case, tmp_path)
    assert not (tmp_path / "payload-ran").exists()


@parametrize(SIDE_TABLES)
def test_tables_beside_the_data(case, tmp_path):
    check(case, tmp_path)
