"""Small BIDS trees with known contents."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.source import SourceFiles

AFFINE = np.array([[-3.0, 0, 0, 12], [0, 3, 0, -15], [0, 0, 4, -8], [0, 0, 0, 1]])


def save_image(path, values, *, affine=AFFINE, tr=None, unit="sec", slope=None):
    """Write a NIfTI file; `tr` is the fourth voxel size as it stands in the header."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, affine)
    if tr is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
    image.header.set_xyzt_units("mm", unit)
    if slope is not None:
        image.header.set_slope_inter(*slope)
    nibabel.save(image, path)


def write_text(path, content):
    """Write text, or a mapping as JSON."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def brain_series(rng, shape=(8, 9, 6), n_times=40, mean=1000.0, sd=20.0):
    """A run of shape (*shape, n_times), float32: a bright block in the dark, with noise."""
    values = np.zeros((*shape, n_times), dtype=np.float32)
    inner = tuple(slice(1, n - 1) for n in shape)
    size = tuple(n - 2 for n in shape)
    values[inner] = mean + sd * rng.standard_normal((*size, n_times))
    return values


def block_labels(shape=(8, 9, 6), labels=(3, 130, 300, 1001)):
    """Labels of four quarters of the brain block of `brain_series`."""
    image = np.zeros(shape, dtype=np.int32)
    x, y = shape[0] // 2, shape[1] // 2
    image[1:x, 1:y, 1:-1] = labels[0]
    image[x:-1, 1:y, 1:-1] = labels[1]
    image[1:x, y:-1, 1:-1] = labels[2]
    image[x:-1, y:-1, 1:-1] = labels[3]
    return image


def lock(root, **options):
    """Lock a tree as the command does, without checksums."""
    paths = [p.relative_to(root).as_posix() for p in Path(root).rglob("*") if p.is_file()]
    return discover(paths, "fmri", FmriReadSettings(**options))


def read_tree(root, **options):
    """Read every recording of a tree."""
    settings = FmriReadSettings(**options)
    found = lock(root, **options)
    return [read_recording(SourceFiles("test", Path(root), one), "fmri", settings) for one in found]
