"""Channels within a radius of each other, for searchlights.

Only the channels that are given can be neighbours: nothing outside a mask leaks in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.errors import InputError

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

__all__ = ["Neighbourhoods", "mask_coordinates", "neighbourhoods", "sphere_size"]

_ROUNDING = 1 + 1e-9  # of distances that equal the radius
_COUNTED = 20_000  # centres that are looked up at once


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """Centres with enough channels around them; who the channels are is looked up when needed.

    Parameters
    ----------
    coordinates : array of shape (n_channels, 3)
        In mm.
    radius : float
        In mm.
    centres : array of int of shape (n_centres,)
        Positions among the channels.
    sizes : array of int of shape (n_centres,)
        Channels within the radius, the centre among them.
    """

    coordinates: np.ndarray
    radius: float
    centres: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.centres)

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self.coordinates)

    def members(self, chosen: np.ndarray) -> np.ndarray:
        """Look up the channels around some centres that have equally many.

        Parameters
        ----------
        chosen : array of int of shape (n,)
            Which of the centres.

        Returns
        -------
        array of int of shape (n, size)
            Positions of the channels, in rising order.
        """
        places = self.coordinates[self.centres[chosen]]
        found = self._tree.query_ball_point(places, self.radius * _ROUNDING, return_sorted=True)
        return np.array(list(found), dtype=np.intp)

    def batches(self, n_rows: int, most: int) -> Iterator[np.ndarray]:
        """Part the centres into batches of equal size.

        Parameters
        ----------
        n_rows : int
            Numbers that are kept of each channel of each neighbourhood.
        most : int
            Numbers that a batch may take.

        Yields
        ------
        array of int
            Which of the centres.
        """
        for size in np.unique(self.sizes):
            same = np.flatnonzero(self.sizes == size)
            step = max(1, int(most // (size * n_rows)))
            for start in range(0, len(same), step):
                yield same[start : start + step]


def neighbourhoods(
    coordinates: np.ndarray, radius: float, *, min_share: float = 0.5, full_size: int | None = None
) -> Neighbourhoods:
    """Find the centres that have enough channels within a radius.

    Parameters
    ----------
    coordinates : array of shape (n_channels, 3)
        In mm.
    radius : float
        In mm; channels at the radius belong to the neighbourhood.
    min_share : float
        Centres with fewer channels than this share of `full_size`, or fewer than two, are left
        out.
    full_size : int, optional
        Channels of a whole neighbourhood; default: the most that any centre has.

    Returns
    -------
    Neighbourhoods

    Raises
    ------
    InputError
        If coordinates are not finite (n, 3), the radius is not positive or no centre remains.
    """
    places = np.asarray(coordinates, dtype=np.float64)
    shaped = places.ndim == 2 and places.shape[1] == 3 and len(places) > 0
    if not shaped or not np.isfinite(places).all() or not radius > 0:
        raise InputError(
            f"coordinates of shape {places.shape}, a radius of {radius:g} mm",
            "finite positions (n_channels, 3) and a positive radius",
            "give the positions in mm",
        )
    whole = Neighbourhoods(places, float(radius), np.arange(len(places)), np.zeros(0, int))
    sizes = np.concatenate(
        [
            whole._tree.query_ball_point(part, radius * _ROUNDING, return_length=True)
            for part in np.split(places, range(_COUNTED, len(places), _COUNTED))
        ]
    )
    complete = int(sizes.max()) if full_size is None else full_size
    kept = np.flatnonzero(sizes >= max(2, min_share * complete))
    if not len(kept):
        raise InputError(
            f"no centre with {min_share:.0%} of {complete} channels within {radius:g} mm",
            "neighbours",
            "widen the radius or lower the share",
        )
    return Neighbourhoods(places, float(radius), kept, sizes[kept])


def mask_coordinates(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Positions of the voxels of a mask in mm, shape (n_voxels, 3), in the order of `mask[mask]`.

    Parameters
    ----------
    mask : array of bool of shape (i, j, k)
    affine : array of shape (4, 4)
        From voxel indices to mm, as in NIfTI files.

    Raises
    ------
    InputError
        If the mask is not three-dimensional or empty, or the affine is no matrix of 4 x 4.
    """
    inside, matrix = np.asarray(mask), np.asarray(affine, dtype=np.float64)
    if inside.ndim != 3 or matrix.shape != (4, 4) or not inside.any():
        raise InputError(
            f"a mask of shape {inside.shape} with {int(np.count_nonzero(inside))} voxels, an "
            f"affine of {matrix.shape}",
            "a volume with voxels, (4, 4)",
            "give the mask's own affine",
        )
    return np.asarray(np.argwhere(inside) @ matrix[:3, :3].T + matrix[:3, 3])


def sphere_size(affine: np.ndarray, radius: float) -> int:
    """Count the voxels of a whole sphere about a voxel.

    Parameters
    ----------
    affine : array of shape (4, 4)
    radius : float
        In mm.

    Returns
    -------
    int
        Voxels whose middles are no further than `radius`.
    """
    axes = np.asarray(affine, dtype=np.float64)[:3, :3]
    # Rows of the inverse bound each index within the sphere, for oblique axes too.
    reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(axes), axis=1)).astype(int)
    ranges = [np.arange(-most, most + 1) for most in reach]
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    return int((np.linalg.norm(steps @ axes.T, axis=1) <= radius * _ROUNDING).sum())
