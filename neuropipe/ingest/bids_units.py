"""From a 4-D image to unit series, in one pass that holds a few volumes at a time.

Shapes: t volumes, v voxels of the support, u units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuropipe.errors import InputError
from neuropipe.ingest.grids import Grid
from neuropipe.ingest.unit_maps import UnitMap

_CHUNK = 16_000_000  # bytes of volumes, as float32, held at once
_MOST_COMPRESSED = 1100  # DEFLATE cannot shrink by more than about 1032


@dataclass(frozen=True)
class Extracted:
    """What one pass over a run gives.

    Parameters
    ----------
    series : array of shape (n_times, n_units), float64
        Mean over the live voxels of each unit, or its least-squares weight.
    smoothed : array of shape (n_times, n_units), float64, or None
        The same from smoothed volumes, over all voxels of each unit.
    n_voxels : array of shape (n_units,), int64
        Live voxels: those that are not zero throughout.
    coverage : array of shape (n_units,), float64
        Share of the atlas unit that is live.
    global_signal, dvars : array of shape (n_times,), float64
        Mean over the live support, and root mean square of its change from the volume before.
    """

    series: np.ndarray
    smoothed: np.ndarray | None
    n_voxels: np.ndarray
    coverage: np.ndarray
    global_signal: np.ndarray
    dvars: np.ndarray


def check_run(image: Any, path: Path) -> Grid:
    """Check that an image is a run: 4-D, with a usable affine and as many bytes as it claims.

    Raises
    ------
    InputError
        Naming the shape, or the missing bytes.
    """
    if len(image.shape) != 4 or image.shape[3] < 2:
        raise InputError(
            f"{path} has shape {image.shape}", "a 4-D image of two volumes or more", "leave it out"
        )
    affine = np.asarray(image.affine, dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"{path} has no invertible affine", "a qform or sform", "correct it")
    claimed = int(np.prod(image.shape, dtype=object)) * image.get_data_dtype().itemsize
    size = path.stat().st_size * (_MOST_COMPRESSED if path.suffix == ".gz" else 1)
    if claimed > size or image.get_data_dtype().kind not in "iuf":
        raise InputError(
            f"{path} claims {image.shape} of {image.get_data_dtype()}, its file is too small",
            "real numbers, as many as its header says",
            "restore the file",
        )
    shape = (int(image.shape[0]), int(image.shape[1]), int(image.shape[2]))
    return Grid(shape, affine)


def volumes(image: Any, path: Path, skip: int = 0) -> Iterator[np.ndarray]:
    """Read a run's volumes in order, a few at a time.

    Parameters
    ----------
    image : nibabel.Nifti1Image
    path : Path
    skip : int
        Volumes left out at the start.

    Yields
    ------
    array of shape (n, n_voxels)
        As stored, before the header's scaling; rows are volumes in Fortran order.

    Raises
    ------
    InputError
        If the file is cut short.
    """
    from nibabel.openers import ImageOpener

    stored = image.dataobj
    n_voxels = int(np.prod(image.shape[:3]))
    size = n_voxels * stored.dtype.itemsize
    n_left = image.shape[3] - skip
    at_once = max(1, _CHUNK // (4 * n_voxels))
    try:
        with ImageOpener(path) as stream:
            stream.seek(stored.offset + skip * size)
            while n_left:
                wanted = min(at_once, n_left)
                data = stream.read(wanted * size)
                if len(data) < wanted * size:
                    raise EOFError(f"only {image.shape[3] - n_left} volumes are whole")
                n_left -= wanted
                yield np.frombuffer(data, stored.dtype).reshape(wanted, n_voxels)
    except (OSError, EOFError, ValueError, MemoryError) as error:
        raise InputError(
            f"{path} is cut short: {error}", f"{image.shape[3]} volumes", "restore the file"
        ) from error
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise InputError(f"{path}: {error}", "a sound gzip file", "restore the file") from error


def scaled(values: np.ndarray, image: Any) -> np.ndarray:
    """Apply the header's scaling and give float32."""
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    out = values.astype(np.float32)
    if slope != 1:
        out *= np.float32(slope)
    if intercept:
        out += np.float32(intercept)
    return out


def brain_of(image: Any, path: Path, grid: Grid, skip: int = 0) -> np.ndarray:
    """Find the brain from the mean of the first volumes.

    Returns
    -------
    array of shape (n_voxels,), bool
        nilearn's EPI mask (histogram threshold, opening, largest component); all voxels with
        signal where that finds nothing, as in a single slice.
    """
    import warnings

    from nibabel import Nifti1Image
    from nilearn.masking import compute_epi_mask

    first = scaled(next(volumes(image, path, skip)), image)
    mean = np.nan_to_num(first).mean(axis=0)
    volume = mean.reshape(grid.shape, order="F")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = compute_epi_mask(Nifti1Image(volume, grid.affine)).dataobj
            mask = np.asarray(found).ravel(order="F") > 0
        except (ValueError, TypeError, IndexError):
            mask = np.zeros(grid.n_voxels, dtype=bool)
    if not mask.any():
        mask = mean != 0
    if not mask.any():
        raise InputError(f"{path} holds no signal", "a brain", "leave the run out")
    return mask


def extract(
    image: Any, path: Path, units: UnitMap, grid: Grid, *, skip: int = 0, fwhm: float | None = None
) -> Extracted:
    """Extract unit series, global signal and DVARS in one pass.

    Parameters
    ----------
    image : nibabel.Nifti1Image
        A run of shape (n_x, n_y, n_z, n_times).
    path : Path
        Its file.
    units : UnitMap
    grid : Grid
    skip : int
        Volumes left out at the start.
    fwhm : float, optional
        Full width at half maximum of a Gaussian in mm; then `Extracted.smoothed` is filled.

    Raises
    ------
    InputError
        If the file is cut short or holds no signal in any unit.

    Notes
    -----
    Series equal those of nilearn's NiftiLabelsMasker and NiftiMapsMasker given a mask of the live
    voxels. A voxel that is zero or missing (NaN, infinite) throughout has no signal; averaging it
    in would only shrink the unit. Where a live voxel misses some volumes, a unit is the mean of its
    other voxels, and NaN if fewer than half of them are left; weighted maps and smoothed series,
    which mix voxels, are NaN there.
    """
    n_times = image.shape[3] - skip
    if n_times < 2:
        raise InputError(f"{path} has {n_times} volumes after {skip} dummy scans", "2", "skip less")
    solver = None if units.weights is None else _Weights(units.weights)
    sums = np.empty((n_times, len(units.table)))
    smooth = None if fwhm is None else np.empty_like(sums)
    total, change = np.empty(n_times), np.full(n_times, np.nan)
    live = np.zeros(len(units.voxels), dtype=bool)
    holes: list[tuple[slice, np.ndarray]] = []
    before: np.ndarray | None = None
    row = 0
    for chunk in volumes(image, path, skip):
        here = slice(row, row + len(chunk))
        values = scaled(np.take(chunk, units.voxels, axis=1), image)  # (t, v)
        finite_sum = values.sum(axis=1, dtype=np.float64)
        if not np.isfinite(finite_sum).all():
            bad = ~np.isfinite(values)
            holes.append((here, np.packbits(bad, axis=1)))
            values[bad] = 0
            finite_sum = values.sum(axis=1, dtype=np.float64)
        live |= values.any(axis=0)
        total[here] = finite_sum
        change[here] = _squared_change(values, before)
        before = values[-1]
        sums[here] = _reduce(values[:, : units.n_in_units], units, solver)
        if smooth is not None:
            blurred = _smoothed(scaled(chunk, image), grid, float(fwhm or 0))
            smooth[here] = _reduce(
                np.take(blurred, units.voxels[: units.n_in_units], axis=1), units, solver
            )
        row += len(chunk)
    if not live[: units.n_in_units].any():
        raise InputError(
            f"{path} holds no signal in any unit", "signal in the brain", "leave it out"
        )
    lost, lost_brain = _missing(units, live, holes, n_times)
    return _finished(units, sums, smooth, live, total, change, lost, lost_brain)


def _missing(
    units: UnitMap, live: np.ndarray, holes: list[tuple[slice, np.ndarray]], n_times: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count the live voxels without a number: in each unit (t, u), and in the support (t,)."""
    of_units = np.zeros((n_times, len(units.table)))
    of_brain = np.zeros(n_times)
    for here, packed in holes:
        bad = np.unpackbits(packed, axis=1, count=len(live)).astype(bool) & live
        of_brain[here] = bad.sum(axis=1)
        inside = bad[:, : units.n_in_units]
        if units.starts is not None:
            of_units[here] = np.add.reduceat(inside, units.starts, axis=1, dtype=np.float64)
        elif units.weights is not None:
            of_units[here] = inside.astype(np.float32) @ (units.weights != 0)
    return of_units, of_brain


def _finished(
    units: UnitMap,
    sums: np.ndarray,
    smooth: np.ndarray | None,
    live: np.ndarray,
    total: np.ndarray,
    change: np.ndarray,
    lost: np.ndarray,
    lost_brain: np.ndarray,
) -> Extracted:
    inside = live[: units.n_in_units]
    n_live = live.sum()
    size = units.table["atlas_size"].to_numpy()
    if units.weights is None:
        assert units.starts is not None
        n_voxels = np.add.reduceat(inside.astype(np.int64), units.starts)
        n_all = np.diff([*units.starts, units.n_in_units])
        coverage = n_voxels / size
        few = (lost > 0) & (lost * 2 > n_voxels)
        sums = np.where(few, np.nan, sums / np.maximum(n_voxels - lost, 1))
        smooth = None if smooth is None else smooth / n_all
    else:
        strength = np.abs(units.weights)
        n_voxels = np.array([int((column > 0)[inside].sum()) for column in strength.T])
        coverage = inside.astype(np.float64) @ strength / size
        sums = np.where(lost > 0, np.nan, sums)
    left = n_live - lost_brain
    incomplete = (lost_brain > 0) | (np.concatenate([[0], lost_brain[:-1]]) > 0)
    return Extracted(
        series=sums,
        smoothed=None if smooth is None else np.where(lost > 0, np.nan, smooth),
        n_voxels=n_voxels.astype(np.int64),
        coverage=np.minimum(coverage, 1.0),
        global_signal=np.where(left > 0, total / np.maximum(left, 1), np.nan),
        dvars=np.where(incomplete, np.nan, np.sqrt(change / n_live)),
    )


class _Weights:
    """Least squares of volumes on weighted maps, by the normal equations: maps are few."""

    def __init__(self, weights: np.ndarray) -> None:
        from scipy.linalg import LinAlgError, cho_factor

        self._maps = weights
        gram = weights.T.astype(np.float64) @ weights
        try:
            self._factor = cho_factor(gram)
        except LinAlgError as error:
            raise InputError(
                "two maps of the parcellation are linearly dependent",
                "distinct maps",
                "use fewer regions, or a finer image",
            ) from error

    def solve(self, values: np.ndarray) -> np.ndarray:
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve(self._factor, self._maps.T @ values.T.astype(np.float64)).T)


def _reduce(values: np.ndarray, units: UnitMap, solver: _Weights | None) -> np.ndarray:
    """Sum values (t, v) over the voxels of each unit, or solve for the weighted maps: (t, u)."""
    if solver is not None:
        return solver.solve(values)
    assert units.starts is not None
    return np.asarray(np.add.reduceat(values, units.starts, axis=1, dtype=np.float64))


def _squared_change(values: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    steps = np.diff(values, axis=0)
    squared = np.einsum("tv,tv->t", steps, steps, dtype=np.float64)
    if before is None:
        return np.concatenate([[np.nan], squared])
    first = values[0] - before
    return np.concatenate([[np.dot(first, first)], squared])


def _smoothed(chunk: np.ndarray, grid: Grid, fwhm: float) -> np.ndarray:
    from nibabel import Nifti1Image
    from nilearn.image import smooth_img

    volume = chunk.T.reshape((*grid.shape, len(chunk)), order="F")
    smooth = smooth_img(Nifti1Image(np.nan_to_num(volume), grid.affine), fwhm)
    return np.asarray(smooth.dataobj).reshape(grid.n_voxels, len(chunk), order="F").T
