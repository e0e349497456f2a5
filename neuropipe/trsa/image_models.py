"""Low-level model RDMs of images: brightness, colour, and the energy of oriented filters.

Axes: n images, h height, w width, 3 channels (red, green, blue).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError
from neuropipe.trsa.rdms import RDMs

__all__ = [
    "LOW_LEVEL",
    "UNTRAINED",
    "colour_patches",
    "gabor_energy",
    "image_rdms",
    "luminance",
    "read_images",
    "untrained_features",
]

#: Models of images that explain nothing of interest by themselves.
LOW_LEVEL = ("pixels", "colour", "Gabor energy")
UNTRAINED = "untrained network"

_SIDE = 64  # pixels that images are brought to
_CYCLES = (2, 4, 8, 16)  # spatial frequencies, in cycles an image
_ORIENTATIONS = 8
_GRID = 4  # patches a side over which energy and colour are averaged
_BANDWIDTH = 1.0  # octaves, full width at half height of a filter's spectrum
_SIGMAS = 2 * np.sqrt(2 * np.log(2))  # full width at half height of a Gaussian of sigma 1


def read_images(paths: Sequence[Path]) -> np.ndarray:
    """Read images at one size.

    Parameters
    ----------
    paths : sequence of Path

    Returns
    -------
    array of shape (n_images, 64, 64, 3)
        In [0, 1], as stored (sRGB); whatever is transparent is black.

    Raises
    ------
    InputError
        If a file is missing or no image.
    """
    from PIL import Image

    images = np.empty((len(paths), _SIDE, _SIDE, 3))
    for k, path in enumerate(paths):
        try:
            with Image.open(path) as opened:
                plain = opened.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        except OSError as error:
            raise InputError(
                f"{path}: {error}", "an image", "correct the stimulus table"
            ) from error
        images[k] = np.asarray(plain, dtype=float) / 255
    return images


def luminance(images: np.ndarray) -> np.ndarray:
    """Brightness of colour images by ITU-R BT.601, shape (n, h, w, 3) to (n, h, w)."""
    return np.asarray(images @ np.array([0.299, 0.587, 0.114]))


def colour_patches(images: np.ndarray) -> np.ndarray:
    """Mean of two opponent colours by patch of the image.

    Parameters
    ----------
    images : array of shape (n_images, h, h, 3)

    Returns
    -------
    array of shape (n_images, n_features)
        Red minus green, and blue minus yellow: 2 colours x 4 x 4 patches; 0 in grey images.
    """
    _check_square(images)
    red, green, blue = np.moveaxis(images, -1, 0)
    opponent = np.stack([red - green, blue - (red + green) / 2])
    return np.moveaxis(_patches(opponent), 0, 1).reshape(len(images), -1)


def gabor_energy(images: np.ndarray) -> np.ndarray:
    """Energy of Gabor filters of several frequencies and orientations, by patch of the image.

    Parameters
    ----------
    images : array of shape (n_images, h, h)
        Brightness.

    Returns
    -------
    array of shape (n_images, n_features)
        Root mean square response of a quadrature pair: 4 frequencies x 8 orientations x 4 x 4
        patches. Orientation 0 answers to vertical edges, 4 to horizontal ones.

    Raises
    ------
    InputError
        If images are not square, or their side is no multiple of 4.

    Notes
    -----
    Log-Gabor spectra (Field 1987): Gaussian in log frequency, one octave wide, and in orientation,
    twice as wide as their distance of 22.5 degrees; one half of the plane, so that the response is
    complex and its size the energy.
    """
    _check_square(images[..., None])
    n, side = images.shape[0], images.shape[-1]
    frequency = np.fft.fftfreq(side, 1 / side)
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius, angle = np.hypot(fy, fx), np.arctan2(fy, fx)
    spread = _BANDWIDTH * np.log(2) / _SIGMAS
    width = 2 * np.pi / _ORIENTATIONS / _SIGMAS
    spectra = np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))
    log_radius = np.log(np.where(radius > 0, radius, 1))
    features = []
    for cycles in _CYCLES:
        octaves = (log_radius - np.log(cycles)) / spread
        radial = np.where(radius > 0, np.exp(-0.5 * octaves**2), 0)
        for k in range(_ORIENTATIONS):
            turned = np.angle(np.exp(1j * (angle - np.pi * k / _ORIENTATIONS)))
            response = np.fft.ifft2(spectra * radial * np.exp(-0.5 * (turned / width) ** 2))
            features.append(np.sqrt(_patches(np.abs(response) ** 2)).reshape(n, -1))
    return np.concatenate(features, axis=1)


def untrained_features(images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Answers of a convolutional network that was never trained.

    What such a network explains needs no learning: the control of every network model.

    Parameters
    ----------
    images : array of shape (n_images, h, h, 3)
        See `read_images`.
    seed : int
        Of the weights.

    Returns
    -------
    array of shape (n_images, n_features)
        Four layers of 3 x 3 filters (32, 64, 128, 256; He initialisation, ReLU, means of 2 x 2
        cells between them), the last averaged over 4 x 4 patches.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    generator = torch.Generator().manual_seed(seed)
    x = torch.as_tensor(images.transpose(0, 3, 1, 2) - 0.5, dtype=torch.float32)
    n_channels = 3
    for n_filters in (32, 64, 128, 256):
        weights = torch.empty(n_filters, n_channels, 3, 3)
        nn.init.kaiming_normal_(weights, nonlinearity="relu", generator=generator)
        x = functional.avg_pool2d(functional.relu(functional.conv2d(x, weights, padding=1)), 2)
        n_channels = n_filters
    return functional.adaptive_avg_pool2d(x, _GRID).flatten(1).double().numpy()


def _patches(images: np.ndarray) -> np.ndarray:
    """Mean over patches, shape (..., h, h) to (..., 4, 4)."""
    side = images.shape[-1] // _GRID
    parted = images.reshape(*images.shape[:-2], _GRID, side, _GRID, side)
    return np.asarray(parted.mean(axis=(-3, -1)))


def _check_square(images: np.ndarray) -> None:
    height, width = images.shape[1:3]
    if height != width or height % _GRID:
        raise InputError(
            f"images of {height} x {width} pixels",
            f"square ones whose side is a multiple of {_GRID}",
            "read them with read_images",
        )


def image_rdms(images: np.ndarray, conditions: Sequence[str]) -> RDMs:
    """Model RDMs of images.

    Parameters
    ----------
    images : array of shape (n_images, h, h, 3)
        See `read_images`.
    conditions : sequence of str

    Returns
    -------
    RDMs
        ``pixels`` (1 - r of brightness; NaN where an image is uniform), ``colour`` (distance of
        opponent colours by patch), ``Gabor energy`` (1 - r of z-scored oriented energy) and
        ``untrained network`` (1 - r of z-scored answers); items have the column ``name``.
    """
    grey = luminance(images)
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = [
            pdist(grey.reshape(len(grey), -1), "correlation"),
            pdist(colour_patches(images)),
            pdist(_z_scored(gabor_energy(grey)), "correlation"),
            pdist(_z_scored(untrained_features(images)), "correlation"),
        ]
    names = pd.DataFrame({"name": [*LOW_LEVEL, UNTRAINED]})
    return RDMs(np.stack(distances), tuple(conditions), "image features", names)


def _z_scored(features: np.ndarray) -> np.ndarray:
    """Features of zero mean and unit variance over images; constant ones are left out."""
    spread = features.std(axis=0)
    kept = spread > 1e-12 * max(float(spread.max()), 1e-300)
    return np.asarray((features - features.mean(axis=0))[:, kept] / spread[kept])
