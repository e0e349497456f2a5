"""Visual responses of known routing: areas that read objects wherever they are, and one that not.

Axes: i images, p tokens (cells of a grid), f features, c categories, z exemplar dimensions, r
repeats, v voxels (units). Every image holds all categories but one, each at a random cell with a
random exemplar. All categories share one exemplar subspace, so that a readout that does not find
the object mixes up what it is looking at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import SettingsError

Array = NDArray[np.float64]

GRID = 12  # cells a side
N_FEATURES = 32
N_CATEGORIES = 4
N_SHOWN = 3  # categories in each image
N_EXEMPLAR = 8  # dimensions of the exemplar subspace
CODE_NORM = 3.0
FIELD_CENTRE = (3.0, 8.0)  # row and column of the static area's receptive field
FIELD_WIDTH = 1.0  # its standard deviation in cells
STATIC = "static"
CONTENT = tuple(f"content-{category + 1}" for category in range(N_CATEGORIES))


@dataclass(frozen=True, kw_only=True)
class TokenCode:
    """How content is written into the features of a token.

    Parameters
    ----------
    categories : array of shape (n_categories, n_features)
        Orthogonal codes of norm 3.
    exemplars : array of shape (n_exemplar, n_features)
        Orthonormal basis of the exemplar subspace, orthogonal to the codes.
    """

    categories: Array
    exemplars: Array


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Images as token features, and what is in them.

    Parameters
    ----------
    features : array of shape (n_images, n_tokens, n_features), float32
        Tokens in the order of rows.
    cells : array of shape (n_images, n_categories)
        Token of each category's object, -1 where the category is absent.
    content : array of shape (n_images, n_categories, n_exemplar)
        Exemplar of each object; 0 where absent.
    """

    features: NDArray[np.float32]
    cells: NDArray[np.int64]
    content: Array


@dataclass(frozen=True, kw_only=True)
class Voxels:
    """Areas and what each of their voxels reads.

    Parameters
    ----------
    rois : array of shape (n_voxels,), str
        ``content-1`` to ``content-4`` and ``static``.
    category : array of shape (n_voxels,)
        Category whose exemplar a voxel reads, -1 in the static area.
    weights : array of shape (n_voxels, n_exemplar)
        Scaled so that every voxel's signal has variance 1 over images.
    field : array of shape (n_tokens,)
        Receptive field of the static area; sums to 1.
    """

    rois: NDArray[np.str_]
    category: NDArray[np.int64]
    weights: Array
    field: Array


@dataclass(frozen=True, kw_only=True)
class VisionData:
    """One session.

    Parameters
    ----------
    scenes : Scenes
    voxels : Voxels
    code : TokenCode
    signal : array of shape (n_images, n_voxels)
        Noise-free responses.
    responses : array of shape (n_repeats, n_images, n_voxels), float32
        Single trials.
    noise_sd : float
        Standard deviation of the noise of single trials; the signal's is 1.
    """

    scenes: Scenes
    voxels: Voxels
    code: TokenCode
    signal: Array
    responses: NDArray[np.float32]
    noise_sd: float


def token_code(rng: np.random.Generator) -> TokenCode:
    """Draw the codes of categories and exemplars."""
    basis = np.linalg.qr(rng.standard_normal((N_FEATURES, N_CATEGORIES + N_EXEMPLAR)))[0].T
    return TokenCode(categories=CODE_NORM * basis[:N_CATEGORIES], exemplars=basis[N_CATEGORIES:])


def draw_scenes(
    n_images: int,
    code: TokenCode,
    rng: np.random.Generator,
    *,
    noise: float = 0.3,
    background: float = 0.3,
) -> Scenes:
    """Draw images.

    Parameters
    ----------
    n_images : int
    code : TokenCode
    rng : numpy.random.Generator
    noise : float
        Standard deviation of white noise on every feature of every token.
    background : float
        Variance of exemplar-like content in every token, per dimension of the subspace.
    """
    n_tokens = GRID**2
    cells = rng.random((n_images, n_tokens)).argsort(axis=1)[:, :N_CATEGORIES].astype(np.int64)
    absent = rng.random((n_images, N_CATEGORIES)).argsort(axis=1)[:, N_SHOWN:]
    np.put_along_axis(cells, absent, -1, axis=1)
    content = rng.standard_normal((n_images, N_CATEGORIES, N_EXEMPLAR))
    content[cells < 0] = 0.0
    inside = np.sqrt(background) * rng.standard_normal((n_images, n_tokens, N_EXEMPLAR))
    features = inside @ code.exemplars
    features += noise * rng.standard_normal(features.shape)
    image, category = np.nonzero(cells >= 0)
    objects = code.categories[category] + content[image, category] @ code.exemplars
    features[image, cells[image, category]] += objects
    return Scenes(features=features.astype(np.float32), cells=cells, content=content)


def receptive_field() -> Array:
    """Gaussian receptive field of the static area, shape (n_tokens,), summing to 1."""
    row, column = np.mgrid[:GRID, :GRID]
    squared = (row - FIELD_CENTRE[0]) ** 2 + (column - FIELD_CENTRE[1]) ** 2
    field = np.exp(-squared / (2 * FIELD_WIDTH**2)).ravel()
    return np.asarray(field / field.sum())


def draw_voxels(
    units_per_roi: int,
    rng: np.random.Generator,
    *,
    noise: float = 0.3,
    background: float = 0.3,
) -> Voxels:
    """Draw the weights of four content areas and one static area.

    Parameters
    ----------
    units_per_roi : int
    rng : numpy.random.Generator
    noise, background : float
        As in `draw_scenes`; they set the variance that weights are scaled by.
    """
    rois = np.repeat([*CONTENT, STATIC], units_per_roi)
    category = np.repeat([*range(N_CATEGORIES), -1], units_per_roi)
    field = receptive_field()
    shown = N_SHOWN / N_CATEGORIES
    # Variance of one exemplar dimension at a token: background, noise, and an object now and then.
    at_token = background + noise**2 + N_SHOWN / GRID**2
    variance = np.where(category >= 0, shown, at_token * (field**2).sum())
    weights = rng.standard_normal((len(rois), N_EXEMPLAR))
    weights /= np.sqrt(variance * (weights**2).sum(axis=1))[:, None]
    return Voxels(rois=rois, category=category, weights=weights, field=field)


def voxel_signal(scenes: Scenes, voxels: Voxels, code: TokenCode) -> Array:
    """Noise-free responses.

    Parameters
    ----------
    scenes : Scenes
    voxels : Voxels
    code : TokenCode

    Returns
    -------
    array of shape (n_images, n_voxels)
        ``W_c z_c`` in content areas, 0 where category c is absent; ``W sum_p g(p) x_z(p)`` in the
        static area, x_z(p) being the part of token p in the exemplar subspace.
    """
    static = voxels.category < 0
    signal = np.empty((len(scenes.cells), len(static)))
    seen = (voxels.field @ scenes.features.astype(np.float64)) @ code.exemplars.T  # (i, z)
    signal[:, static] = seen @ voxels.weights[static].T
    for category in range(N_CATEGORIES):
        own = voxels.category == category
        signal[:, own] = scenes.content[:, category] @ voxels.weights[own].T
    return signal


def simulate_vision(
    n_images: int,
    rng: np.random.Generator,
    *,
    n_repeats: int = 3,
    units_per_roi: int = 40,
    ceiling: float = 0.6,
    noise: float = 0.3,
    background: float = 0.3,
    code: TokenCode | None = None,
) -> VisionData:
    """Simulate one session of images and responses.

    Parameters
    ----------
    n_images : int
    rng : numpy.random.Generator
    n_repeats : int
    units_per_roi : int
        Voxels in each of the five areas.
    ceiling : float
        Noise ceiling of the mean over repeats, ``s^2 / (s^2 + e^2 / n_repeats)``.
    noise, background : float
        As in `draw_scenes`.
    code : TokenCode, optional
        By default drawn.

    Raises
    ------
    SettingsError
        If the ceiling does not lie between 0 and 1.
    """
    if not 0 < ceiling < 1:
        raise SettingsError(f"a ceiling of {ceiling}", "between 0 and 1", "correct it")
    code = token_code(rng) if code is None else code
    scenes = draw_scenes(n_images, code, rng, noise=noise, background=background)
    voxels = draw_voxels(units_per_roi, rng, noise=noise, background=background)
    signal = voxel_signal(scenes, voxels, code)
    noise_sd = float(np.sqrt(n_repeats * (1 - ceiling) / ceiling))
    trials = signal + noise_sd * rng.standard_normal((n_repeats, *signal.shape))
    return VisionData(
        scenes=scenes,
        voxels=voxels,
        code=code,
        signal=signal,
        responses=trials.astype(np.float32),
        noise_sd=noise_sd,
    )
