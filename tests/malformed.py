"""Sound small datasets to spoil, and a check that a command refuses what was spoilt.

A refusal is exit status 2, one line on standard error, nothing written, no temporary file left, in
seconds and without the memory that a bomb asks for.
"""

from __future__ import annotations

import io
import json
import logging
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import nibabel
import numpy as np
import pytest
import yaml
from PIL import Image

from neuropipe.cli import main
from neuropipe.manifest import read_lock
from tests import bids_files, nwb_files

SLOWEST = 10.0  # s
_MOST_MEMORY = 600 << 20  # bytes that one refusal may add to the process
STEM = "sub-01/func/sub-01_task-rest"
NWB = "sub-m1/sub-m1_session.nwb"

Spoil = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One malformed input.

    Parameters
    ----------
    name : str
        What is wrong, in words.
    modality : str
    build : callable
        Writes a sound dataset into a folder.
    spoil : callable
        Breaks it.
    names : sequence of str
        Fragments of the error: what was given.
    read : mapping
        Reading options.
    stage : {"lock", "ingest"}
        Which command refuses it.
    between : callable
        Breaks something between the two commands; takes the folder of the study.
    """

    name: str
    modality: str
    build: Spoil
    spoil: Spoil
    names: Sequence[str]
    read: Mapping[str, Any] = field(default_factory=dict)
    stage: str = "ingest"
    between: Spoil | None = None


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    status: int
    error: str
    seconds: float
    growth: int


def neuropipe(*arguments: object) -> Run:
    """Run a command in this process, by the same entry point as the installed script."""
    before, start, errors = _memory(), time.monotonic(), io.StringIO()
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # so that the command meets no test's logging
    try:
        with (
            warnings.catch_warnings(),
            mock.patch.object(sys, "argv", ["neuropipe", *map(str, arguments)]),
            mock.patch.object(sys, "stderr", errors),
            mock.patch.object(sys, "stdout", io.StringIO()),
            mock.patch.object(logging, "lastResort", logging.StreamHandler(errors)),
        ):
            status: object = 0
            try:
                main()
            except SystemExit as done:
                status = done.code or 0
    finally:
        root.handlers = handlers
    assert isinstance(status, int)
    return Run(status, errors.getvalue(), time.monotonic() - start, _memory() - before)


def _memory() -> int:
    """Highest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _is_mac() else 1024)


def _is_mac() -> bool:
    return sys.platform == "darwin"


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of everything below a folder; links are not followed."""
    found = {}
    for here, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(here) / name
            state = path.lstat()
            size = 0 if path.is_dir() else state.st_size
            when = 0 if path.is_dir() else state.st_mtime_ns
            found[path.relative_to(folder).as_posix()] = (size, when)
    return found


def assert_refused(run: Run, names: Sequence[str]) -> None:
    """One line, status 2, quickly, in little memory, naming what was given."""
    assert run.status == 2, f"status {run.status}, stderr {run.error!r}"
    assert run.error.startswith("neuropipe: "), run.error
    assert run.error.count("\n") == 1, run.error
    assert run.error.endswith("\n"), run.error
    assert "Traceback" not in run.error
    assert run.error[:-1].isprintable(), run.error
    for fragment in names:
        assert fragment in run.error, f"{fragment!r} is not in {run.error!r}"
    assert run.seconds < SLOWEST
    assert run.growth < _MOST_MEMORY, f"{run.growth >> 20} MiB more"


def refused(folder: Path, names: Sequence[str], *arguments: object) -> Run:
    """Run a command that must refuse and leave everything below a folder as it was."""
    before = files_below(folder)
    run = neuropipe(*arguments)
    assert_refused(run, names)
    assert files_below(folder) == before
    return run


def write_manifest(study: Path, modality: str, read: Mapping[str, Any], **entry: Any) -> Path:
    """Write a manifest of the one dataset ``d`` in the folder ``data``."""
    dataset = {"title": "T", "modality": modality, "source": {"path": "data"}, "license": "CC0",
               "citation": "us", "read": dict(read)} | entry  # fmt: skip
    path = study / "data_manifest.yaml"
    path.write_text(yaml.safe_dump({"datasets": {"d": dataset}}), encoding="utf-8")
    return path


def lock_arguments(study: Path) -> list[object]:
    """Command that locks the dataset of a study."""
    return ["manifest", "lock", "d", "--manifest", study / "data_manifest.yaml"]


def ingest_arguments(
    study: Path, modality: str, read: Mapping[str, Any], recording: str = "", **change: object
) -> list[object]:
    """Command that ingests a recording, the first of the lock where none is named."""
    lock = study / "config" / "recordings" / "d.tsv"
    name = recording or read_lock(lock, "d")[0].recording
    output = study / "out" / "made.nc"
    options = {"--dataset": "d", "--modality": modality, "--lock": lock, "--root": study / "data",
               "--settings": json.dumps(dict(read)), "--output": output}  # fmt: skip
    options |= change
    return ["ingest", name, *(part for pair in options.items() for part in pair)]


def check(case: Case, study: Path) -> None:
    """Build, spoil, and take a case through the commands until the one that must refuse it."""
    case.build(study / "data")
    (study / "out").mkdir()
    case.spoil(study / "data")
    write_manifest(study, case.modality, case.read)
    if case.stage == "lock":
        refused(study, case.names, *lock_arguments(study))
        return
    run = neuropipe(*lock_arguments(study))
    assert run.status == 0, run.error
    assert run.error == ""
    arguments = ingest_arguments(study, case.modality, case.read)
    if case.between is not None:
        case.between(study)
    refused(study, case.names, *arguments)


def parametrize(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """One test a case, called by the case's name."""
    assert len({case.name for case in cases}) == len(cases)
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


# Sound datasets


def bids(root: Path) -> None:
    """One run of 8 x 9 x 6 voxels and 40 volumes of 2 s, with sidecar, events and a table."""
    _participants(root)
    values = bids_files.brain_series(np.random.default_rng(0))
    bids_files.save_image(root / f"{STEM}_bold.nii.gz", values, tr=2.0)
    bids_files.write_text(root / f"{STEM}_bold.json", {"RepetitionTime": 2.0})
    bids_files.write_text(root / f"{STEM}_events.tsv", "onset\tduration\n4.0\t2.0\n20.0\t2.0\n")


def bids_labels(root: Path) -> None:
    """The same with a parcellation of four regions and its table."""
    bids(root)
    labels = bids_files.block_labels(labels=(1, 2, 3, 4))
    bids_files.save_image(root / "atlas.nii.gz", labels)
    rows = "".join(f"{k}\tregion {k}\n" for k in range(1, 5))
    (root / "atlas.tsv").write_text(f"index\tname\n{rows}")


def bids_confounds(root: Path) -> None:
    """An fMRIPrep derivative with a mask and a confounds table."""
    _participants(root)
    stem = root / "sub-01/func/sub-01_task-rest_desc-"
    values = bids_files.brain_series(np.random.default_rng(0))
    bids_files.save_image(Path(f"{stem}preproc_bold.nii.gz"), values, tr=2.0)
    bids_files.write_text(Path(f"{stem}preproc_bold.json"), {"RepetitionTime": 2.0})
    mask = (values.mean(axis=-1) > 100).astype(np.uint8)
    bids_files.save_image(Path(f"{stem}brain_mask.nii.gz"), mask)
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    table = "\n".join(["\t".join(names), *(["\t".join(["0.01"] * 6)] * 40)])
    Path(f"{stem}confounds_timeseries.tsv").write_text(table + "\n")


def roi_table(root: Path, values: np.ndarray | None = None) -> None:
    """ROI series of 40 volumes and 5 regions in a table."""
    _participants(root)
    values = roi_values() if values is None else values
    rows = "".join("\t".join(f"{v:.5g}" for v in row) + "\n" for row in values)
    header = "\t".join(f"roi{k}" for k in range(values.shape[1]))
    bids_files.write_text(root / f"{STEM}_timeseries.tsv", f"{header}\n{rows}")
    bids_files.write_text(root / f"{STEM}_timeseries.json", {"RepetitionTime": 2.0})


def roi_array(root: Path, suffix: str = "npy") -> None:
    """ROI series in an array file."""
    _participants(root)
    path = root / f"{STEM}_timeseries.{suffix}"
    bids_files.write_text(path.with_suffix(".json"), {"RepetitionTime": 2.0})
    if suffix == "npy":
        np.save(path, roi_values())
    elif suffix == "npz":
        np.savez(path, series=roi_values())
    else:
        from scipy.io import savemat

        savemat(path, {"series": roi_values()})


def roi_values() -> np.ndarray:
    """Series of shape (40, 5), float32."""
    return 100 + np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)


def _participants(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "participants.tsv").write_text("participant_id\tage\nsub-01\t30\nsub-02\t31\n")


def _nwb_bytes(fill: Callable[[Any], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return nwb_files.built(Path(folder) / "sound.nwb", fill).read_bytes()


@cache
def units_bytes() -> bytes:
    """An NWB file of three units, 200 spikes each over 100 s, with trials."""
    rng = np.random.default_rng(0)

    def fill(nwb: Any) -> None:
        trains = [np.sort(rng.uniform(0, 100, 200)) for _ in range(3)]
        nwb_files.add_units(nwb, trains, depth=[1.0, 2.0, 3.0])
        nwb.add_trial(start_time=1.0, stop_time=2.0)
        nwb.add_trial(start_time=3.0, stop_time=4.0)
        nwb_files.add_series(nwb, "speed", np.linspace(0, 1, 900), rate=9.0)

    return _nwb_bytes(fill)


@cache
def rois_bytes() -> bytes:
    """An NWB file of dF/F of three ROIs over 60 samples at 10 Hz."""
    values = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)

    def fill(nwb: Any) -> None:
        rois = nwb_files.add_rois(nwb, 3)
        nwb_files.add_traces(nwb, rois, values, kind="DfOverF", rate=10.0)

    return _nwb_bytes(fill)


def units_nwb(root: Path) -> None:
    """A dataset of one NWB file of units."""
    _write(root / NWB, units_bytes())


def rois_nwb(root: Path) -> None:
    """A dataset of one NWB file of ROI traces."""
    _write(root / NWB, rois_bytes())


TRACES = "processing/ophys/DfOverF/traces"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def in_hdf5(path: str, change: Callable[[h5py.File], object]) -> Spoil:
    """Change an HDF5 file of a dataset in place."""

    def spoil(root: Path) -> None:
        with h5py.File(root / path, "r+") as file:
            change(file)

    return spoil


def replace_data(file: h5py.File, name: str, values: Any, **options: Any) -> None:
    """Replace a dataset of an HDF5 file and keep its attributes."""
    old = dict(file[name].attrs)
    del file[name]
    made = file.create_dataset(name, data=values, **options)
    for key, value in old.items():
        made.attrs[key] = value


def suite2p(root: Path) -> None:
    """A Suite2p folder of five ROIs and 200 frames at 10 Hz."""
    folder = root / "mouse1" / "suite2p" / "plane0"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("F", "Fneu", "spks"):
        np.save(folder / f"{name}.npy", 100 + rng.random((5, 200), dtype=np.float32))
    np.save(folder / "iscell.npy", np.ones((5, 2)))
    np.save(folder / "ops.npy", {"fs": 10.0}, allow_pickle=True)


def images(root: Path) -> None:
    """A session of six images and the responses of four units."""
    folder = root / "monkey1" / "images"
    folder.mkdir(parents=True)
    for k in range(6):
        Image.new("L", (8, 8), color=40 * k).save(folder / f"i{k}.png")
    np.save(folder.parent / "responses.npy", np.random.default_rng(0).random((4, 6)))


# Ways to spoil


def cut(path: str, share: float = 0.5) -> Spoil:
    """Keep the first part of a file."""

    def spoil(root: Path) -> None:
        data = (root / path).read_bytes()
        (root / path).write_bytes(data[: int(len(data) * share)])

    return spoil


def put(path: str, content: str | bytes | Mapping[str, Any] | Sequence[Any]) -> Spoil:
    """Write a file: text, bytes, or JSON."""

    def spoil(root: Path) -> None:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content if isinstance(content, str) else json.dumps(content))

    return spoil


def swap(path: str, old: str, new: str) -> Spoil:
    """Replace text in a file; it must be there."""

    def spoil(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new, 1))

    return spoil


def folder_instead(path: str) -> Spoil:
    """Put a folder with a file in it where a file stood."""

    def spoil(root: Path) -> None:
        (root / path).unlink()
        (root / path).mkdir()
        (root / path / "x").write_text("x")

    return spoil


def save_bold(**change: Any) -> Spoil:
    """Write the run of `bids` again with a changed header or changed values."""

    def spoil(root: Path) -> None:
        values = bids_files.brain_series(np.random.default_rng(0))
        values = change.get("values", lambda v: v)(values)
        options = {"tr": 2.0} | {k: v for k, v in change.items() if k != "values"}
        bids_files.save_image(root / f"{STEM}_bold.nii.gz", values, **options)

    return spoil


def claimed_bold(shape: Sequence[int], dtype: Any = np.int16) -> Spoil:
    """Write a compressed NIfTI whose header claims more than its few bytes."""

    def spoil(root: Path) -> None:
        import gzip

        header = nibabel.Nifti1Header()
        header.set_data_dtype(dtype)
        header["dim"] = [len(shape), *shape, *([1] * (7 - len(shape)))]
        header["pixdim"][1:5] = 2.0
        header["vox_offset"] = 352
        header.set_sform(np.eye(4), code=1)
        data = header.binaryblock + b"\0" * 4 + b"\0" * 2_000_000
        (root / f"{STEM}_bold.nii.gz").write_bytes(gzip.compress(data))

    return spoil


def npy_header(shape: tuple[int, ...], descr: str = "<f4", data: bytes = b"\0" * 64) -> bytes:
    """Bytes of a ``.npy`` file with any header."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue() + data
