"""Pictures of simulated scenes: every cell of the grid is a patch that shows its token.

A patch is grey plus a pattern for each of the token's coordinates that carry content. Categories
are coloured shapes, so that an eye tells them apart; exemplar dimensions are gratings whose
contrast rises with the coordinate, so that oriented-energy features carry the content as pixels do.
The remaining dimensions of a token are noise and are not drawn. Rendering is affine: a linear map
of each patch gives the coordinates back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuropipe.simulate.vision import CODE_NORM, GRID, N_CATEGORIES, N_EXEMPLAR, TokenCode

Array = NDArray[np.float64]

PATCH = 8  # pixels a side of a cell
_GREY = 128.0
_LEVEL = 16.0  # grey levels are multiples of it, which halves the size of the files
_SHAPE = 22.0  # grey levels (root mean square over pixels and colours) per unit of a category code
_GRATING = 8.0  # grey levels (root mean square) per unit of an exemplar coordinate
_PEDESTAL = 1.5  # coordinate below which a grating would turn its sign: contrast is 0 there
_RED_GREEN = np.array([1.0, -1.0, 0.0])
_BLUE_YELLOW = np.array([-0.5, -0.5, 1.0])
#: Period in pixels and orientation of each exemplar dimension's grating.
_GRATINGS = [
    (period, np.pi * k / 4) for period in (PATCH / 1.5, PATCH / 2.5) for k in range(N_EXEMPLAR // 2)
]


def patterns() -> Array:
    """Pattern of every coordinate that is drawn, in grey levels per unit.

    Returns
    -------
    array of shape (n_categories + n_exemplar, PATCH, PATCH, 3)
        First the categories (disc and checkerboard, red on green and blue on yellow), then the
        exemplar dimensions (four orientations at two spatial frequencies).
    """
    y, x = np.mgrid[:PATCH, :PATCH] - (PATCH - 1) / 2
    disc = np.where(x**2 + y**2 < (0.4 * PATCH) ** 2, 1.0, -1.0)
    checks = np.sign(x * y)
    shapes = [s[..., None] * c for c in (_RED_GREEN, _BLUE_YELLOW) for s in (disc, checks)]
    gratings = []
    for k, (period, angle) in enumerate(_GRATINGS):
        across = x * np.cos(angle) + y * np.sin(angle)
        # Phases differ, or all gratings would peak in the middle of the patch.
        wave = np.cos(2 * np.pi * across / period + np.pi * k / 2)
        gratings.append((wave - wave.mean())[..., None] * np.ones(3))
    stacked = np.stack([*shapes, *gratings])
    level = np.repeat([_SHAPE, _GRATING], [N_CATEGORIES, N_EXEMPLAR])
    level /= np.sqrt((stacked**2).mean(axis=(1, 2, 3)))
    return np.asarray(stacked * level[:, None, None, None])


def content_axes(code: TokenCode) -> Array:
    """Orthonormal axes of the coordinates that are drawn: categories, then exemplar dimensions.

    Returns
    -------
    array of shape (n_categories + n_exemplar, n_features)
    """
    return np.vstack([code.categories / CODE_NORM, code.exemplars])


def render(features: NDArray[np.floating], code: TokenCode) -> NDArray[np.uint8]:
    """Draw images.

    Parameters
    ----------
    features : array of shape (n_images, n_tokens, n_features)
        Tokens in the order of rows.
    code : TokenCode

    Returns
    -------
    array of shape (n_images, GRID * PATCH, GRID * PATCH, 3), uint8
        RGB.
    """
    coordinates = features @ content_axes(code).T
    coordinates[..., N_CATEGORIES:] += _PEDESTAL
    patches = _GREY + np.tensordot(coordinates, patterns(), axes=1)  # (i, p, y, x, rgb)
    grid = patches.reshape(-1, GRID, GRID, PATCH, PATCH, 3).swapaxes(2, 3)
    pixels = np.clip(_LEVEL * np.rint(grid / _LEVEL), 0, 255).astype(np.uint8)
    return np.asarray(pixels.reshape(-1, GRID * PATCH, GRID * PATCH, 3))


def read_content(images: NDArray[np.uint8]) -> Array:
    """Read the coordinates back from images; exact up to rounding and clipping of grey levels.

    Parameters
    ----------
    images : array of shape (n_images, GRID * PATCH, GRID * PATCH, 3), uint8

    Returns
    -------
    array of shape (n_images, n_tokens, n_categories + n_exemplar)
        Along `content_axes`.
    """
    grid = images.reshape(-1, GRID, PATCH, GRID, PATCH, 3).swapaxes(2, 3)
    patches = grid.reshape(len(images), GRID**2, -1) - _GREY
    alphabet = patterns().reshape(N_CATEGORIES + N_EXEMPLAR, -1)
    coordinates = patches @ np.linalg.pinv(alphabet)
    coordinates[..., N_CATEGORIES:] -= _PEDESTAL
    return np.asarray(coordinates)
