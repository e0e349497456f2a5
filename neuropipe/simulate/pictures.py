"""Pictures of a balanced design: four things in two sizes and all hues, each at a place of its own.

Axes: i images, y and x pixels. Every thing is shown in hues that go once around the colour wheel.
All hues are equally bright, so that a circular variable is plain to the eye and absent from grey
values; place and background are drawn anew for each image, so that oriented energy has a structure
of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import SettingsError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CATEGORIES = ("fish", "hare", "house", "cup")
N_ANIMATE = 2  # of the categories, the first ones
SIZES = ("small", "large")
SIDE = 96  # pixels

_RADII = np.array([15.0, 25.0])  # pixels, by size
_REACH = 20.0  # pixels that a thing's centre may lie from the middle, along each axis
_FINE = 3  # samples a pixel and axis, which smooth the edges
_LUMA = 150.0  # grey level of things, whatever their hue
_CHROMA = 58.0  # as far from grey as that level allows
_GROUND = 90.0  # grey level of the background
_GRATING = 18.0  # amplitude of its grating, grey levels
_PERIODS = (8.0, 16.0)  # pixels
_N_ORIENTATIONS = 4


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What every image shows.

    Parameters
    ----------
    category, size : array of int of shape (n_images,)
        Positions in `CATEGORIES` and `SIZES`.
    angle : array of shape (n_images,)
        Hue in degrees, 0 to 360, once around the wheel.
    place : array of shape (n_images, 2)
        Centre of the thing (x, y) from the middle of the image, in pixels.
    orientation, period : array of shape (n_images,)
        Of the background's grating, in rad and pixels.
    """

    category: NDArray[np.int64]
    size: NDArray[np.int64]
    angle: Array
    place: Array
    orientation: Array
    period: Array

    @property
    def animate(self) -> Mask:
        """Whether each image shows an animal."""
        return np.asarray(self.category < N_ANIMATE)


def draw_pictures(images_per_category: int, rng: np.random.Generator) -> Pictures:
    """Lay out the design and draw what is irrelevant to it.

    Parameters
    ----------
    images_per_category : int
        Even and at least 4: equally spaced hues, every other one small.
    rng : numpy.random.Generator
        Of places and backgrounds.

    Returns
    -------
    Pictures
        In the order of categories, then of hues. Of the animals and of the others, one category
        each has hues halfway between those of the other, so that every hue is shown twice: by an
        animal and by a thing, one small and one large. In each category and size, the hues'
        unit vectors sum to zero.

    Raises
    ------
    SettingsError
        If the number is odd or too small.
    """
    if images_per_category < 4 or images_per_category % 2:
        raise SettingsError(
            f"{images_per_category} images a category", "an even number from 4 on", "correct it"
        )
    category, position = np.divmod(np.arange(len(CATEGORIES) * images_per_category),
                                   images_per_category)  # fmt: skip
    n_images = len(category)
    kind = rng.permutation(np.arange(n_images) % (_N_ORIENTATIONS * len(_PERIODS)))
    return Pictures(
        category=category,
        size=(position + category // N_ANIMATE) % 2,
        angle=360.0 * (position + 0.5 * (category % N_ANIMATE)) / images_per_category,
        place=rng.uniform(-_REACH, _REACH, (n_images, 2)),
        orientation=np.pi * (kind % _N_ORIENTATIONS) / _N_ORIENTATIONS,
        period=np.array(_PERIODS)[kind // _N_ORIENTATIONS],
    )


def render_pictures(pictures: Pictures) -> NDArray[np.uint8]:
    """Draw the images.

    Parameters
    ----------
    pictures : Pictures

    Returns
    -------
    array of shape (n_images, 96, 96, 3), uint8
        RGB.
    """
    centre = (np.arange(SIDE * _FINE) + 0.5) / _FINE - SIDE / 2
    y, x = np.meshgrid(centre, centre, indexing="ij")
    drawn = np.empty((len(pictures.category), SIDE, SIDE, 3))
    colours = hues(pictures.angle)
    for image, (category, size) in enumerate(zip(pictures.category, pictures.size, strict=True)):
        right, down = pictures.place[image]
        inside = _SHAPES[CATEGORIES[category]](
            (x - right) / _RADII[size], (y - down) / _RADII[size]
        )
        cover = inside.reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3))[..., None]
        ground = _ground(pictures.orientation[image], pictures.period[image])
        drawn[image] = cover * colours[image] + (1 - cover) * ground[..., None]
    return np.asarray(np.rint(drawn).astype(np.uint8))


def hues(angle: Array) -> Array:
    """Colours of equal luminance around the wheel.

    Parameters
    ----------
    angle : array of shape (n,)
        In degrees; 0 is blue, 90 red.

    Returns
    -------
    array of shape (n, 3)
        RGB from 0 to 255; their luminance 0.299 R + 0.587 G + 0.114 B is the same.

    Notes
    -----
    The plane of ITU-R BT.601's colour differences Cb, Cr at constant luma.
    """
    turn = np.deg2rad(angle)
    blue, red = _CHROMA * np.cos(turn), _CHROMA * np.sin(turn)
    red_part, blue_part = 2 * (1 - 0.299) * red, 2 * (1 - 0.114) * blue
    green_part = -(0.299 * red_part + 0.114 * blue_part) / 0.587
    return np.asarray(_LUMA + np.stack([red_part, green_part, blue_part], axis=-1))


def _ground(orientation: float, period: float) -> Array:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    across = x * np.cos(orientation) + y * np.sin(orientation)
    return np.asarray(_GROUND + _GRATING * np.sin(2 * np.pi * across / period))


def _ellipse(u: Array, v: Array, middle: tuple[float, float], axes: tuple[float, float]) -> Mask:
    return np.asarray(((u - middle[0]) / axes[0]) ** 2 + ((v - middle[1]) / axes[1]) ** 2 < 1)


# Things in units of their radius: u to the right, v downwards, both from -1 to 1.


def _fish(u: Array, v: Array) -> Mask:
    body = _ellipse(u, v, (0.2, 0.0), (0.75, 0.48))
    tail = (u > -1) & (np.abs(v) < -0.9 * (u + 0.3))
    return np.asarray((body | tail) & ~_ellipse(u, v, (0.58, -0.12), (0.1, 0.1)))


def _hare(u: Array, v: Array) -> Mask:
    seen, eyes = _ellipse(u, v, (0.0, 0.4), (0.6, 0.55)), np.zeros(u.shape, dtype=bool)
    for side in (-1, 1):
        seen = seen | _ellipse(u, v, (0.3 * side, -0.4), (0.19, 0.58))
        eyes = eyes | _ellipse(u, v, (0.23 * side, 0.3), (0.1, 0.1))
    return np.asarray(seen & ~eyes)


def _house(u: Array, v: Array) -> Mask:
    walls = (np.abs(u) < 0.7) & (v >= -0.1) & (v < 0.9)
    roof = (v < -0.1) & (np.abs(u) < 1.2 * (v + 0.9))
    door = (np.abs(u) < 0.18) & (v > 0.35)
    return np.asarray((walls | roof) & ~door)


def _cup(u: Array, v: Array) -> Mask:
    body = (np.abs(v) < 0.75) & (np.abs(u + 0.25) < 0.58 - 0.12 * v)
    outer = _ellipse(u, v, (0.3, -0.1), (0.6, 0.5))
    inner = _ellipse(u, v, (0.3, -0.1), (0.38, 0.28))
    return np.asarray(body | (outer & ~inner & (u > 0.2)))


_SHAPES = {"fish": _fish, "hare": _hare, "house": _house, "cup": _cup}
