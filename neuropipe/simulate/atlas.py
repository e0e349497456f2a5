"""A parcellation in seven networks, as a table and as voxels of a small brain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

NETWORKS = ("Vis", "SomMot", "DorsAttn", "SalVentAttn", "Limbic", "Cont", "Default")
#: ROIs a network in the left and right hemisphere of Schaefer-2018 with 100 parcels.
_SIZES = {"LH": (9, 6, 8, 7, 3, 4, 13), "RH": (8, 8, 7, 5, 2, 9, 11)}
SHAPE = (16, 18, 14)  # voxels
VOXEL = 0.009  # m: a whole brain in few voxels
_CORTEX, _WHITE, _CSF = 0.62, 0.3, 0.0  # inner radii of the compartments, of the brain's


def roi_table(n_rois: int) -> pd.DataFrame:
    """Names, hemispheres and networks of the ROIs, shared out as in Schaefer-2018 with 100 parcels.

    Parameters
    ----------
    n_rois : int
        20 or more.

    Returns
    -------
    pandas.DataFrame
        One row a ROI: ``index`` (1 to n_rois), ``name`` (``LH_Vis_1``), ``hemisphere`` (L or R),
        ``network``; the left hemisphere first.
    """
    rows = []
    share = {"LH": n_rois - n_rois // 2, "RH": n_rois // 2}
    for hemisphere, sizes in _SIZES.items():
        for network, size in zip(NETWORKS, _shared_out(share[hemisphere], sizes), strict=True):
            names = [f"{hemisphere}_{network}_{k}" for k in range(1, size + 1)]
            rows += [(name, hemisphere[0], network) for name in names]
    table = pd.DataFrame(rows, columns=["name", "hemisphere", "network"])
    table.insert(0, "index", np.arange(1, len(table) + 1))
    return table


def _shared_out(total: int, sizes: tuple[int, ...]) -> list[int]:
    """Share `total` out in proportion to `sizes`, at least one each (largest remainder)."""
    if total == sum(sizes):
        return list(sizes)
    exact = np.array(sizes) * (total - len(sizes)) / sum(sizes)
    counts = np.floor(exact).astype(int)
    for place in np.argsort(counts - exact, kind="stable")[: total - len(sizes) - counts.sum()]:
        counts[place] += 1
    return [int(count) + 1 for count in counts]


@dataclass(frozen=True)
class Volume:
    """A brain of few voxels.

    Parameters
    ----------
    labels : array of int16 of shape `SHAPE`
        Index of each voxel's ROI; 0 outside the parcels.
    brain, white_matter, csf : array of bool of shape `SHAPE`
        Masks; the three tissues lie inside `brain` and do not overlap.
    affine : array of shape (4, 4)
        Voxel to world, in mm, as NIfTI keeps it.
    """

    labels: np.ndarray
    brain: np.ndarray
    white_matter: np.ndarray
    csf: np.ndarray
    affine: np.ndarray


def volume(n_rois: int) -> Volume:
    """Fill an ellipsoid with parcels around white matter and a ventricle.

    Parameters
    ----------
    n_rois : int
        At most 400, so that each parcel has at least two voxels.

    Returns
    -------
    Volume
        Parcels of a hemisphere are compact and of almost equal size; x grows from left to right.
    """
    centre = (np.array(SHAPE) - 1) / 2
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1)
    radius = np.sqrt((((grid - centre) / (np.array(SHAPE) / 2)) ** 2).sum(axis=-1))
    brain = radius <= 1
    csf = brain & (radius < _WHITE)
    cortex = brain & (radius >= _CORTEX)
    labels = np.zeros(SHAPE, dtype=np.int16)
    n_left = n_rois - n_rois // 2
    left = grid[..., 0] < centre[0]
    _bisect(labels, np.argwhere(cortex & left), 1, n_left)
    _bisect(labels, np.argwhere(cortex & ~left), 1 + n_left, n_rois // 2)
    affine = np.diag([VOXEL * 1000] * 3 + [1.0])
    affine[:3, 3] = -centre * VOXEL * 1000
    return Volume(labels, brain, brain & ~cortex & ~csf, csf, affine)


def _bisect(labels: np.ndarray, voxels: np.ndarray, first: int, n_parcels: int) -> None:
    """Split voxels along their longest axis until each part is one parcel."""
    if n_parcels == 1:
        labels[tuple(voxels.T)] = first
        return
    axis = int(np.argmax(np.ptp(voxels, axis=0)))
    # Ties are ordered by the other axes, so that a cut leaves compact parts.
    order = np.lexsort((voxels[:, (axis + 2) % 3], voxels[:, (axis + 1) % 3], voxels[:, axis]))
    half = n_parcels // 2
    cut = round(len(voxels) * half / n_parcels)
    _bisect(labels, voxels[order[:cut]], first, half)
    _bisect(labels, voxels[order[cut:]], first + half, n_parcels - half)
