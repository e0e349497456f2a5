"""Images on a run's voxel grid: parcellations and masks, resampled where they lie elsewhere."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuropipe.errors import InputError

_SAME_GRID = 1e-3  # mm; tools round affines differently
_CHOOSE = "choose another parcellation, mask or space"


@dataclass(frozen=True)
class Grid:
    """The voxel grid of a run.

    Parameters
    ----------
    shape : tuple of int
        (n_x, n_y, n_z).
    affine : array of shape (4, 4)
        From voxel indices to mm.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def n_voxels(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    def indices(self, voxels: np.ndarray) -> np.ndarray:
        """Indices (n, 3) of flat voxel numbers (n,)."""
        return np.stack(np.unravel_index(voxels, self.shape, order="F"), axis=1)


def read_image(path: Path, what: str) -> Any:
    """Open an image with nibabel, its data still on disk.

    Raises
    ------
    InputError
        If it is no image.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.imageglobals import LoggingOutputSuppressor

    try:
        with LoggingOutputSuppressor():  # what it says of odd headers is checked by the readers
            return nibabel.load(path)
    except (OSError, ValueError, EOFError, zlib.error, ImageFileError) as error:
        raise InputError(f"{path}: {error}", f"a NIfTI image ({what})", "restore it") from error


def image_data(image: Any, path: Path, dtype: Any = np.float32) -> np.ndarray:
    """Load an image's values.

    Raises
    ------
    InputError
        If the file is cut short.
    """
    try:
        return np.asarray(image.dataobj, dtype=dtype)
    except (OSError, ValueError, EOFError, zlib.error, MemoryError) as error:
        raise InputError(f"{path}: {error}", "a whole image", "restore it") from error


def on_grid(path: Path, grid: Grid, interpolation: str, what: str) -> tuple[np.ndarray, list[str]]:
    """Load an image and resample it where it lies on another grid.

    Parameters
    ----------
    path : Path
        A 3-D or 4-D image.
    grid : Grid
    interpolation : {"nearest", "continuous"}
    what : str
        For errors and the history.

    Returns
    -------
    array of shape (n_x, n_y, n_z[, n_maps]), float32
    list of str
        A history line where it was resampled.
    """
    image = read_image(path, what)
    shape = tuple(image.shape[:3])
    if len(shape) != 3 or len(image.shape) > 4 or not np.isfinite(image.affine).all():
        raise InputError(f"{path} has shape {image.shape}", f"a 3-D or 4-D {what}", _CHOOSE)
    if shape == grid.shape and np.allclose(image.affine, grid.affine, rtol=0, atol=_SAME_GRID):
        return np.nan_to_num(image_data(image, path)), []
    from nibabel import Nifti1Image
    from nilearn.image import resample_img

    values = np.nan_to_num(image_data(image, path))
    try:
        resampled = resample_img(
            Nifti1Image(values, image.affine),
            target_affine=grid.affine,
            target_shape=grid.shape,
            interpolation=interpolation,
            force_resample=True,
            copy_header=True,
        )
    except ValueError as error:  # nilearn's BoundingBoxError: no overlap at all
        raise InputError(
            f"{path} lies outside the image: {error}", f"a {what} that overlaps it", _CHOOSE
        ) from error
    note = f"{what} {path.name} resampled ({interpolation}) from {shape} voxels to {grid.shape}"
    return np.asarray(resampled.dataobj, dtype=np.float32), [note]


def read_mask(path: Path, grid: Grid) -> tuple[np.ndarray, list[str]]:
    """Read a brain mask.

    Returns
    -------
    array of shape (n_voxels,), bool
    list of str
        History.

    Raises
    ------
    InputError
        If it is empty on the grid.
    """
    values, notes = on_grid(path, grid, "nearest", "mask")
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        raise InputError(f"{path} has shape {values.shape}", "a 3-D mask", _CHOOSE)
    mask = values.ravel(order="F") > 0.5
    if not mask.any():
        raise InputError(f"{path} is empty on the image's grid", "a mask of the brain", _CHOOSE)
    return mask, notes
