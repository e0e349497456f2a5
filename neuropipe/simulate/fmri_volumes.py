"""From ROI series to the voxels of a scan, with what a scanner and a restless head add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.simulate.atlas import Volume
from neuropipe.simulate.processes import bold_spectrum, gaussian_process

MEAN = 10_000.0  # typical intensity of a preprocessed BOLD volume
PERCENT = 0.005  # signal change of one unit of a ROI's series
_VOXEL_NOISE = 0.007  # sd, share of the mean
_PHYSIOLOGY = 0.002  # sd of what all tissue shares, strongest in CSF
_DRIFT = 0.004  # share of the mean over the run
_JERK_DROP = 0.03  # share of the mean lost in a volume during a head jerk
_HEAD_RADIUS = 50.0  # mm, for rotations in framewise displacement (Power et al. 2012)
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


@dataclass(frozen=True)
class Motion:
    """Head motion of a run.

    Parameters
    ----------
    parameters : array of shape (n_volumes, 6)
        Translations in mm, rotations in rad, as fMRIPrep writes them.
    jerks : array of int
        Volumes with a sudden movement.
    """

    parameters: np.ndarray
    jerks: np.ndarray

    def framewise_displacement(self) -> np.ndarray:
        """Sum of absolute displacements in mm (Power et al. 2012); NaN in the first volume."""
        steps = np.abs(np.diff(self.parameters, axis=0))
        displacement = steps[:, :3].sum(axis=1) + _HEAD_RADIUS * steps[:, 3:].sum(axis=1)
        return np.concatenate([[np.nan], displacement])


def head_motion(n_volumes: int, n_jerks: int, rng: np.random.Generator) -> Motion:
    """Draw slow drifting of the head (0.1 mm displacement a volume) and sudden jerks (1 mm).

    Parameters
    ----------
    n_volumes, n_jerks : int
        Jerks fall on different volumes, not on the first or last two.
    rng : numpy.random.Generator
    """
    scale = np.array([0.012, 0.015, 0.02, 0.0003, 0.0002, 0.0002])
    steps = rng.standard_normal((n_volumes, 6)) * scale
    jerks = np.sort(rng.permutation(np.arange(2, n_volumes - 2))[:n_jerks])
    jump = rng.choice([-1.0, 1.0], size=(len(jerks), 3)) * rng.uniform(0.25, 0.5, (len(jerks), 3))
    steps[jerks, :3] += jump
    parameters = np.cumsum(steps, axis=0)
    return Motion(parameters - parameters[0], jerks)


def scan(
    series: np.ndarray,
    brain: Volume,
    motion: Motion,
    repetition_time: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Fill the voxels of a scan.

    Parameters
    ----------
    series : array of shape (n_volumes, n_rois)
        One unit becomes 0.5 % signal change.
    brain : Volume
    motion : Motion
    repetition_time : float
        In s.
    rng : numpy.random.Generator

    Returns
    -------
    array of float32 of shape (*brain.brain.shape, n_volumes)
        Zero outside the brain; about 10 000 inside, less far from the centre.
    """
    n_volumes, inside = len(series), brain.brain
    labels = brain.labels[inside]
    n_voxels = len(labels)
    change = _VOXEL_NOISE * rng.standard_normal((n_volumes, n_voxels), dtype=np.float32)
    grey = labels > 0
    change[:, grey] += (PERCENT * series[:, labels[grey] - 1]).astype(np.float32)
    pad = n_volumes + int(120 / repetition_time)
    physiology = gaussian_process(bold_spectrum(pad, repetition_time), pad, 1, rng)[:n_volumes, 0]
    strength = np.where(brain.csf[inside], 2.0, 1.0)
    change += (_PHYSIOLOGY * np.outer(physiology, strength)).astype(np.float32)
    drift = np.linspace(-0.5, 0.5, n_volumes)
    change += (_DRIFT * np.outer(drift, rng.uniform(0.5, 1.5, n_voxels))).astype(np.float32)
    drop = rng.uniform(0.5, 1.5, size=(len(motion.jerks), n_voxels))
    change[motion.jerks] -= (_JERK_DROP * drop).astype(np.float32)
    volumes = np.zeros((*inside.shape, n_volumes), dtype=np.float32)
    volumes[inside] = (_mean_intensity(brain) * (1 + change)).T
    return volumes


def confounds(volumes: np.ndarray, brain: Volume, motion: Motion) -> pd.DataFrame:
    """Confounds as fMRIPrep names them, computed from the voxels.

    Returns
    -------
    pandas.DataFrame
        ``global_signal``, ``csf``, ``white_matter``, ``dvars`` (root mean square change between
        volumes), ``framewise_displacement`` (mm) and six motion parameters (mm, rad).
    """
    inside = volumes[brain.brain]
    change = np.sqrt((np.diff(inside, axis=1) ** 2).mean(axis=0))
    table = {
        "global_signal": inside.mean(axis=0),
        "csf": volumes[brain.csf].mean(axis=0),
        "white_matter": volumes[brain.white_matter].mean(axis=0),
        "dvars": np.concatenate([[np.nan], change]),
        "framewise_displacement": motion.framewise_displacement(),
    }
    table |= {name: motion.parameters[:, k] for k, name in enumerate(MOTION)}
    return pd.DataFrame({name: values.astype(np.float64) for name, values in table.items()})


def _mean_intensity(brain: Volume) -> np.ndarray:
    """Mean of each voxel of the brain: a smooth coil profile, brighter CSF."""
    where = np.argwhere(brain.brain)
    centre = (np.array(brain.brain.shape) - 1) / 2
    distance = np.linalg.norm((where - centre) / centre, axis=1)
    tissue = np.where(brain.csf[brain.brain], 1.3, 1.0)
    return np.asarray(MEAN * tissue * (1.1 - 0.25 * distance), dtype=np.float32)
