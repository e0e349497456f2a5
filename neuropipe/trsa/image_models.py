"""Low-level model RDMs of images: pixels, and the energy of oriented filters.

Axes: n images, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError
from neuropipe.trsa.rdms import RDMs

__all__ = ["gabor_energy", "image_rdms", "read_images"]

_SIDE = 64  # pixels that images are brought to
_CYCLES = (2, 4, 8, 16)  # spatial frequencies, in cycles an image
_ORIENTATIONS = 8
_GRID = 4  # patches a side over which energy is averaged
_BANDWIDTH = 1.0  # octaves, full width at half height of a filter's spectrum


def read_images(paths: Sequence[Path]) -> np.ndarray:
    """Read images as grey values of one size.

    Parameters
    ----------
    paths : sequence of Path

    Returns
    -------
    array of shape (n_images, 64, 64)
        Luminance in [0, 1].

    Raises
    ------
    InputError
        If a file is missing or no image.
    """
    from PIL import Image

    images = np.empty((len(paths), _SIDE, _SIDE))
    for k, path in enumerate(paths):
        try:
            with Image.open(path) as opened:
                grey = opened.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        except OSError as error:
            raise InputError(
                f"{path}: {error}", "an image", "correct the stimulus table"
            ) from error
        images[k] = np.asarray(grey, dtype=float) / 255
    return images


def gabor_energy(images: np.ndarray) -> np.ndarray:
    """Energy of Gabor filters of several frequencies and orientations, by patch of the image.

    Parameters
    ----------
    images : array of shape (n_images, h, h)

    Returns
    -------
    array of shape (n_images, n_features)
        Root mean square response of a quadrature pair: 4 frequencies x 8 orientations x 4 x 4
        patches.

    Notes
    -----
    Log-Gabor spectra (Field 1987): Gaussian in log frequency, one octave wide, and in orientation,
    as wide as their distance; one half of the plane, so that the response is complex and its size
    the energy.
    """
    n, side = images.shape[0], images.shape[-1]
    frequency = np.fft.fftfreq(side, 1 / side)
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius, angle = np.hypot(fy, fx), np.arctan2(fy, fx)
    spread = _BANDWIDTH * np.log(2) / (2 * np.sqrt(2 * np.log(2)))
    width = np.pi / _ORIENTATIONS / (2 * np.sqrt(2 * np.log(2))) * 2
    spectra = np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))
    features = []
    with np.errstate(divide="ignore"):
        log_radius = np.log(np.where(radius > 0, radius, np.inf))
    for cycles in _CYCLES:
        radial = np.where(
            radius > 0, np.exp(-0.5 * ((log_radius - np.log(cycles)) / spread) ** 2), 0
        )
        for k in range(_ORIENTATIONS):
            turned = np.angle(np.exp(1j * (angle - np.pi * k / _ORIENTATIONS)))
            response = np.fft.ifft2(spectra * radial * np.exp(-0.5 * (turned / width) ** 2))
            energy = np.abs(response) ** 2
            patches = energy.reshape(n, _GRID, side // _GRID, _GRID, side // _GRID)
            features.append(np.sqrt(patches.mean(axis=(2, 4))).reshape(n, -1))
    return np.concatenate(features, axis=1)


def image_rdms(images: np.ndarray, conditions: Sequence[str]) -> RDMs:
    """Model RDMs of images: correlation distances of pixels and of oriented energy.

    Parameters
    ----------
    images : array of shape (n_images, h, h)
    conditions : sequence of str

    Returns
    -------
    RDMs
        ``pixels`` and ``Gabor energy``; items have the column ``name``. NaN where an image is
        uniform.
    """
    import pandas as pd

    energy = gabor_energy(images)
    spread = energy.std(axis=0)
    scaled = (energy - energy.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = [
            pdist(images.reshape(len(images), -1), "correlation"),
            pdist(scaled, "correlation"),
        ]
    return RDMs(
        np.stack(distances),
        tuple(conditions),
        "correlation",
        pd.DataFrame({"name": ["pixels", "Gabor energy"]}),
    )
