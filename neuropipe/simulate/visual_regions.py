"""Four regions that represent the same pictures differently, in several subjects.

Axes: s subjects, g regions, i images, k latent dimensions, r repeats, u units of a region, e pairs
of images (upper triangle, in the order of ``scipy.spatial.distance.pdist``). A region is a cloud of
images in `N_LATENTS` dimensions, the same in all subjects up to a part of their own; every subject
sees it through units, and in a gain, of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from neuropipe.errors import SettingsError
from neuropipe.simulate.pictures import N_ANIMATE, Pictures
from neuropipe.simulate.representations import embedding

Array = NDArray[np.float64]

#: ``early`` follows oriented energy, ``category`` has clusters in two levels, ``ring`` is a loop of
#: hues, ``mixed`` codes animacy and size along axes of their own.
REGIONS = ("early", "category", "ring", "mixed")
N_LATENTS = 8

_FILTER_PERIODS = (6.0, 12.0, 24.0)  # pixels
_N_ORIENTATIONS = 4
_N_PATCHES = 4  # a side, over which energy is averaged
_KIND = 0.7  # half the distance of two categories that are both animate, or both not
_SCATTER = {"category": 0.12, "ring": 0.1, "mixed": 0.2}  # sd of each dimension over images
_GAIN_SPREAD = 0.3  # sd of the logarithm of gains over subjects and regions


@dataclass(frozen=True, kw_only=True)
class SubjectResponses:
    """One subject.

    Parameters
    ----------
    signal : array of shape (n_regions, n_images, n_units)
        Noise-free responses.
    responses : array of shape (n_regions, n_repeats, n_images, n_units), float32
        Single trials.
    gain : array of shape (n_regions,)
        Standard deviation of the signal over images, for the mean unit of a region.
    noise_sd : array of shape (n_regions,)
        Standard deviation of white noise of single trials.
    """

    signal: Array
    responses: NDArray[np.float32]
    gain: Array
    noise_sd: Array


def oriented_energy(images: NDArray[np.uint8]) -> Array:
    """Energy of Gabor filters in the patches of grey images.

    Parameters
    ----------
    images : array of shape (n_images, h, h, 3), uint8
        RGB; h is a multiple of 4.

    Returns
    -------
    array of shape (n_images, 3 * 4 * 16)
        Root mean square response of quadrature pairs of 3 periods and 4 orientations, in 4 x 4
        patches; standardised over images, so that no filter counts more than another.
    """
    n_images, side = images.shape[:2]
    grey = images @ np.array([0.299, 0.587, 0.114])
    spectra = np.fft.fft2(grey - grey.mean(axis=(1, 2), keepdims=True))
    frequency = np.fft.fftfreq(side)  # cycles a pixel
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    features = []
    for period in _FILTER_PERIODS:
        # An envelope of half a period (sd) has a spectrum of sd 1 / (pi period).
        spread = 1 / (np.pi * period)
        for k in range(_N_ORIENTATIONS):
            turn = np.pi * k / _N_ORIENTATIONS
            gap = (fx - np.cos(turn) / period) ** 2 + (fy - np.sin(turn) / period) ** 2
            energy = np.abs(np.fft.ifft2(spectra * np.exp(-gap / (2 * spread**2)))) ** 2
            patches = energy.reshape(n_images, _N_PATCHES, side // _N_PATCHES, _N_PATCHES, -1)
            features.append(np.sqrt(patches.mean(axis=(2, 4))).reshape(n_images, -1))
    stacked = np.concatenate(features, axis=1)
    centred = stacked - stacked.mean(axis=0)
    return np.asarray(centred / np.maximum(centred.std(axis=0), 1e-12))


def shared_latents(
    pictures: Pictures, images: NDArray[np.uint8], rng: np.random.Generator
) -> dict[str, Array]:
    """Place the images in every region's latent space.

    Parameters
    ----------
    pictures : Pictures
    images : array of shape (n_images, h, h, 3), uint8
        As drawn.
    rng : numpy.random.Generator
        Of the scatter of images around what the region represents.

    Returns
    -------
    dict of str to array of shape (n_images, N_LATENTS)
        By region, centred, with a variance of 1 in the mean over dimensions: principal components
        of oriented energy; categories at the ends of an axis for each animacy, which lie at the
        ends of a third; the cosine and sine of the hue; animacy and size on an axis each.
    """
    alive = np.where(pictures.animate, 1.0, -1.0)
    kind = np.where(pictures.category % N_ANIMATE, 1.0, -1.0) * _KIND
    turn = np.deg2rad(pictures.angle)
    planted = {
        "category": (alive, kind * pictures.animate, kind * ~pictures.animate),
        "ring": (np.cos(turn), np.sin(turn)),
        "mixed": (alive, np.where(pictures.size, 1.0, -1.0)),
    }
    energy = oriented_energy(images)
    left, values, _ = np.linalg.svd(energy, full_matrices=False)
    latents = {"early": left[:, :N_LATENTS] * values[:N_LATENTS]}
    for region, axes in planted.items():
        latents[region] = _SCATTER[region] * rng.standard_normal((len(alive), N_LATENTS))
        latents[region][:, : len(axes)] += np.stack(axes, axis=1)
    return {region: _scaled(latents[region]) for region in REGIONS}


def simulate_subject(
    latents: dict[str, Array],
    rng: np.random.Generator,
    *,
    n_repeats: int = 6,
    units_per_region: int = 20,
    ceiling: float = 0.85,
    individuality: float = 0.1,
) -> SubjectResponses:
    """Simulate the responses of one subject.

    Parameters
    ----------
    latents : dict of str to array of shape (n_images, N_LATENTS)
        As of `shared_latents`.
    rng : numpy.random.Generator
    n_repeats : int
    units_per_region : int
        More than `N_LATENTS`.
    ceiling : float
        Noise ceiling of the mean over repeats, ``s^2 / (s^2 + e^2 / n_repeats)``, where s^2 is the
        variance of the signal over images in the mean of a region's units.
    individuality : float
        Share of that variance which is the subject's own: a Gaussian cloud in all dimensions.

    Raises
    ------
    SettingsError
        If a share does not lie between 0 and 1, or there are too few units.
    """
    if not 0 < ceiling < 1:
        raise SettingsError(f"a ceiling of {ceiling}", "between 0 and 1", "correct it")
    if not 0 <= individuality <= 1:
        raise SettingsError(f"an individuality of {individuality}", "0 to 1", "correct it")
    gain = np.exp(_GAIN_SPREAD * rng.standard_normal(len(latents)))
    noise_sd = gain * np.sqrt(n_repeats * (1 - ceiling) / ceiling)
    signal = []
    for factor, common in zip(gain, latents.values(), strict=True):
        own = _scaled(rng.standard_normal(common.shape))
        seen = _scaled(np.sqrt(1 - individuality) * common + np.sqrt(individuality) * own)
        signal.append(factor * seen @ embedding(N_LATENTS, units_per_region, rng))
    stacked = np.stack(signal)
    shape = (len(latents), n_repeats, *stacked.shape[1:])
    trials = stacked[:, None] + noise_sd[:, None, None, None] * rng.standard_normal(shape)
    return SubjectResponses(
        signal=stacked, responses=trials.astype(np.float32), gain=gain, noise_sd=noise_sd
    )


def noise_free_rdm(patterns: Array) -> Array:
    """Squared Euclidean distances of patterns, divided by the number of their dimensions.

    Parameters
    ----------
    patterns : array of shape (n_images, n_dimensions)
        Noise-free responses, or latents: an embedding keeps these distances up to the gain's
        square.

    Returns
    -------
    array of shape (n_pairs,)
    """
    return np.asarray(pdist(patterns, "sqeuclidean") / patterns.shape[1])


def _scaled(latents: Array) -> Array:
    """Centre latents and bring the mean of their variances to 1."""
    centred = latents - latents.mean(axis=0)
    return np.asarray(centred / np.sqrt(centred.var(axis=0).mean()))
