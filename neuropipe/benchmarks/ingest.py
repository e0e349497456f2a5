"""From a NIfTI run to region series: our reader against nilearn's maskers called directly."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from nilearn.maskers import NiftiLabelsMasker

from neuropipe.benchmarks.table import BenchmarkRow, compare
from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.recording import Recording

SHAPE = (64, 64, 36)
_RUN = "sub-01/func/sub-01_task-rest_bold.nii.gz"
_LABELS = "atlas/atlas-Blocks_dseg.nii.gz"


def run(repeats: int = 5, n_times: int = 200, n_labels: int = 100) -> list[BenchmarkRow]:
    """Time a run of 64 x 64 x 36 voxels, plain and cleaned.

    Parameters
    ----------
    repeats : int
        Pairs of timed calls.
    n_times : int
        Volumes.
    n_labels : int
        Regions.

    Returns
    -------
    list of BenchmarkRow
        Ours goes from the file to a checked Recording: checksum, sidecar, series, coverage,
        temporal SNR, global signal and DVARS. The peer extracts (and cleans) the series alone.
    """
    with tempfile.TemporaryDirectory(prefix="neuropipe-benchmark-") as folder:
        root = Path(folder)
        write_dataset(root, n_times, n_labels)
        size = f"{'x'.join(map(str, SHAPE))}x{n_times}, {n_labels} regions"
        rows = []
        for task, cleaned in (("extract", False), ("extract and clean", True)):
            rows.append(
                compare(
                    f"{task}: {size}",
                    "nilearn NiftiLabelsMasker",
                    partial(read_run, root, cleaned),
                    partial(read_nilearn, root, cleaned),
                    repeats=repeats,
                )
            )
        return rows


def write_dataset(root: Path, n_times: int, n_labels: int, seed: int = 0) -> None:
    """Write a small BIDS dataset: one run of noise in a brain-like ball, and blocks of labels.

    Parameters
    ----------
    root : Path
    n_times, n_labels : int
    seed : int
        Of the noise.
    """
    import nibabel

    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    inside = np.sum(np.square(axes), axis=0) < 0.9
    baseline = np.where(inside, 800 + 400 * rng.random(SHAPE), 0)
    values = np.empty((*SHAPE, n_times), dtype=np.int16)
    for t in range(n_times):
        values[..., t] = np.where(inside, baseline + 15 * rng.standard_normal(SHAPE), 0)
    labels = np.zeros(SHAPE, dtype=np.int32)
    labels[inside] = 1 + np.arange(inside.sum()) * n_labels // inside.sum()
    affine = np.diag([3.0, 3.0, 3.5, 1.0])
    for path, data in ((_RUN, values), (_LABELS, labels)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(data, affine), root / path)
    (root / "task-rest_bold.json").write_text('{"RepetitionTime": 2.0}', encoding="utf-8")


def read_run(root: Path, cleaned: bool) -> Recording:
    """Read the dataset with neuropipe."""
    options = {"standardize": "zscore_sample", "detrend": True, "low_pass": 0.1} if cleaned else {}
    settings = FmriReadSettings.model_validate({"parcellation": _LABELS, **options})
    paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    (locked,) = discover(paths, "fmri", settings)
    return read_recording(SourceFiles("benchmark", root, locked), "fmri", settings).check()


def read_nilearn(root: Path, cleaned: bool) -> np.ndarray:
    """Read the same series with nilearn alone."""
    options = {"detrend": True, "low_pass": 0.1, "t_r": 2.0} if cleaned else {}
    masker = NiftiLabelsMasker(
        str(root / _LABELS), standardize="zscore_sample" if cleaned else None, **options
    )
    return np.asarray(masker.fit_transform(str(root / _RUN)))
