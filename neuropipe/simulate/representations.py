"""Representations whose geometry and topology are planted: shapes, regions, graphs, clusters.

Axes: s subjects, r regions, n conditions, p channels, e pairs of conditions (upper triangle, in the
order of ``scipy.spatial.distance.pdist``). Regions are to be told apart across subjects; each
generator says which families of statistics can do so, and which cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from neuropipe.errors import SettingsError

Array = NDArray[np.float64]

#: Names of the four shapes: geometry (flat, twisted) by topology (touching, untangled).
EIGHTS = ("flat8", "twist8", "uflat8", "utwist8")
_LIFT = 0.15  # half the distance of the untangled strands at the crossing
_LIFT_WIDTH = 0.15  # the strands part over this half-width around the crossing
_TWIST = 3.0  # rad from one end of the eight to the other


def figure_eights(n_points: int = 50) -> dict[str, Array]:
    """Place points along four figure eights that cross geometry with topology.

    Parameters
    ----------
    n_points : int
        Even, so that two points of a touching eight coincide at the crossing.

    Returns
    -------
    dict of str to array of shape (n_points, 3)
        ``flat8`` lies in a plane and touches itself at the crossing; in ``uflat8`` the strands
        pass each other there; ``twist8`` and ``utwist8`` are the same turned about the long axis.

    Notes
    -----
    Lin & Kriegeskorte 2024, four-shape demonstration; the parametrisation is our own:
    ``(sin t, sin t cos t, +-h exp(-x^2 / 2 w^2))``, turned by an angle that grows with x.
    """
    t = 2 * np.pi * np.arange(n_points) / n_points
    x = np.sin(t)
    lift = _LIFT * np.exp(-0.5 * (x / _LIFT_WIDTH) ** 2) * np.sign(np.cos(t))
    shapes = {}
    for name in EIGHTS:
        y, z = x * np.cos(t), lift * name.startswith("u")
        angle = 0.5 * _TWIST * x * name.endswith("twist8")
        turned = (np.cos(angle) * y - np.sin(angle) * z, np.sin(angle) * y + np.cos(angle) * z)
        shapes[name] = np.stack([x, *turned], axis=1)
    return shapes


@dataclass(frozen=True, kw_only=True)
class Design:
    """Sizes of a data set of representations.

    Parameters
    ----------
    n_subjects, n_regions, n_conditions, n_channels : int
    """

    n_subjects: int = 24
    n_regions: int = 8
    n_conditions: int = 62
    n_channels: int = 100

    def empty(self, n_repeats: int = 1) -> NDArray[np.float32]:
        """Make an array of shape (s, r, n_repeats, n, p) to be filled."""
        shape = (self.n_subjects, self.n_regions, n_repeats, self.n_conditions, self.n_channels)
        return np.empty(shape, dtype=np.float32)


DESIGN = Design()


def planted_regions(
    rng: np.random.Generator,
    design: Design = DESIGN,
    *,
    n_latents: int = 6,
    n_repeats: int = 1,
    warp: float = 0.0,
    noise: float = 0.0,
) -> NDArray[np.float32]:
    """Simulate regions with latents of their own, seen through each subject's channels.

    Parameters
    ----------
    rng : numpy.random.Generator
    design : Design
    n_latents : int
        The first half of them is the same in all regions.
    n_repeats : int
    warp : float
        0 to 1: how far each latent axis is bent by a monotone curve of the subject's own.
    noise : float
        Standard deviation of channel noise in each repeat; before warping, the variance of the
        signal is 1 a channel.

    Returns
    -------
    array of shape (n_subjects, n_regions, n_repeats, n_conditions, n_channels), float32
        With neither warp nor noise all subjects share their distances exactly.

    Notes
    -----
    Nothing here favours topology: distances are informative at every scale. Correlation distances
    are measured equally well at all ranks; among Euclidean ones the large are measured best.
    """
    latents = rng.standard_normal((design.n_regions, design.n_conditions, n_latents))
    latents[:, :, : n_latents // 2] = latents[0, :, : n_latents // 2]
    return _observed(latents, rng, design.empty(n_repeats), warp, noise)


def layout_regions(
    rng: np.random.Generator,
    design: Design = DESIGN,
    *,
    n_clusters: int = 8,
    n_latents: int = 6,
    spread: float = 0.3,
    warp: float = 0.3,
    noise: float = 3.5,
) -> NDArray[np.float32]:
    """Simulate regions that share their clusters of conditions and lay them out differently.

    Parameters
    ----------
    rng : numpy.random.Generator
    design : Design
    n_clusters, n_latents : int
    spread : float
        Standard deviation within clusters, the same in all regions; that of all latents is 1.
    warp, noise : float
        As in `planted_regions`.

    Returns
    -------
    array of shape (n_subjects, n_regions, 1, n_conditions, n_channels), float32
        Who neighbours whom says nothing of the region; graded distances between clusters do.
    """
    members = rng.permutation(np.arange(design.n_conditions) % n_clusters)
    centres = rng.standard_normal((design.n_regions, n_clusters, n_latents))
    within = rng.standard_normal((design.n_conditions, n_latents))
    latents = np.sqrt(1 - spread**2) * centres[:, members] + spread * within
    return _observed(latents, rng, design.empty(), warp, noise)


def scaled_regions(
    rng: np.random.Generator,
    design: Design = DESIGN,
    *,
    n_latents: int = 6,
) -> NDArray[np.float32]:
    """Simulate regions that differ in the scale of one common pattern and in nothing else.

    Returns
    -------
    array of shape (n_subjects, n_regions, 1, n_conditions, n_channels), float32
        Raw distances tell the regions apart; no statistic of ranks can.
    """
    latents = rng.standard_normal((design.n_conditions, n_latents))
    activity = design.empty()
    for subject in activity:
        own = latents + 0.3 * rng.standard_normal(latents.shape)
        for r, region in enumerate(subject):
            region[0] = 1.25**r * own @ embedding(n_latents, design.n_channels, rng)
    return activity


def graph_regions(
    rng: np.random.Generator,
    design: Design = DESIGN,
    *,
    warp: float = 1.0,
    redrawn: float = 0.02,
    flipped: float = 0.25,
    informative: Literal["sides", "magnitudes"] = "sides",
    noise: float = 0.0,
) -> Array:
    """Simulate dissimilarities of which only the side of the median, or only the rest, matters.

    Parameters
    ----------
    rng : numpy.random.Generator
    design : Design
        Its channels play no part.
    warp : float
        0 to 1: share of a magnitude that is the subject's and region's own.
    redrawn : float
        Share of pairs whose side each region draws anew.
    flipped : float
        Share of pairs that lie on the wrong side, drawn for each subject and region.
    informative : {"sides", "magnitudes"}
        ``"sides"``: regions differ in who is near whom, which a threshold at the median shows
        best. ``"magnitudes"``: all regions share the sides and differ in the magnitudes, which
        such a threshold removes.
    noise : float
        Standard deviation of noise on each dissimilarity, in units of the range of one side.

    Returns
    -------
    array of shape (n_subjects, n_regions, n_pairs)
        One half for the far side plus one half of the magnitude in [0, 1]; may leave [0, 1] with
        noise.
    """
    distance = pdist(rng.standard_normal((design.n_conditions, 1)))
    n_pairs = len(distance)
    far = distance > np.median(distance)
    common = rng.random(n_pairs)
    dissimilarity = np.empty((design.n_subjects, design.n_regions, n_pairs))
    for r in range(design.n_regions):
        own_far, magnitude = far, common
        if informative == "sides":
            anew = rng.random(n_pairs) < redrawn
            own_far = np.where(anew, rng.random(n_pairs) < 0.5, far)
        else:
            magnitude = rng.random(n_pairs)
        for s in range(design.n_subjects):
            side = own_far ^ (rng.random(n_pairs) < flipped)
            within = (1 - warp) * magnitude + warp * rng.random(n_pairs)
            within += noise * rng.standard_normal(n_pairs)
            dissimilarity[s, r] = 0.5 * side + 0.5 * within
    return dissimilarity


def cluster_memberships(
    n_regions: int, n_conditions: int, n_clusters: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw clusters of which half have the same members in all regions.

    Returns
    -------
    array of shape (n_regions, n_conditions)
        Cluster of each condition; sizes differ by one at most.
    """
    base = rng.permutation(np.arange(n_conditions) % n_clusters)
    moving = base >= n_clusters // 2
    members = np.tile(base, (n_regions, 1))
    for own in members:
        own[moving] = rng.permutation(base[moving])
    return members


def cluster_regions(
    rng: np.random.Generator,
    design: Design = DESIGN,
    *,
    n_clusters: int = 8,
    noise: float = 2.0,
) -> NDArray[np.float32]:
    """Simulate clusters with members of each region's own, whose mutual distances mean nothing.

    Parameters
    ----------
    rng : numpy.random.Generator
    design : Design
    n_clusters : int
    noise : float
        Standard deviation of channel noise; the layout within clusters has variance 1 a dimension
        and is the same in all regions.

    Returns
    -------
    array of shape (n_subjects, n_regions, 1, n_conditions, n_channels), float32
        Each cluster lies ``2.5 (1 + exp(4 N(0, 1)))`` from the origin on an axis of its own, anew
        for each subject and region. So near neighbours tell regions apart better than all ranks.
    """
    members = cluster_memberships(design.n_regions, design.n_conditions, n_clusters, rng)
    layout = rng.standard_normal((design.n_conditions, n_clusters // 2))
    activity = design.empty()
    for subject in activity:
        for own, region in zip(members, subject, strict=True):
            gaps = 2.5 * (1 + np.exp(4 * rng.standard_normal(n_clusters)))
            latents = np.hstack([np.diag(gaps)[own], layout])
            channels = embedding(latents.shape[1], design.n_channels, rng, unit_variance=False)
            region[0] = latents @ channels + noise * rng.standard_normal(region[0].shape)
    return activity


def embedding(
    n_latents: int, n_channels: int, rng: np.random.Generator, *, unit_variance: bool = True
) -> Array:
    """Draw channels that keep the latents' distances up to one factor.

    Parameters
    ----------
    n_latents, n_channels : int
        More channels than latents.
    rng : numpy.random.Generator
    unit_variance : bool
        Whether unit-variance latents shall give channels a variance of 1 on average; otherwise
        distances stay as they are.

    Returns
    -------
    array of shape (n_latents, n_channels)
        Orthogonal rows of mean 0.

    Raises
    ------
    SettingsError
        If there are too few channels: no such rows exist.
    """
    if n_channels <= n_latents:
        raise SettingsError(f"{n_channels} channels for {n_latents} latents", "more", "add some")
    draws = rng.standard_normal((n_channels, n_latents))
    # Rows of mean zero: patterns keep their correlations as well as their distances.
    rows = np.linalg.qr(draws - draws.mean(axis=0))[0].T
    return np.asarray(rows * np.sqrt(n_channels / n_latents) if unit_variance else rows)


def _observed(
    latents: Array,
    rng: np.random.Generator,
    activity: NDArray[np.float32],
    warp: float,
    noise: float,
) -> NDArray[np.float32]:
    """See latents (r, n, latent) through every subject's own curves and channels: fill activity."""
    n_latents, n_channels = latents.shape[-1], activity.shape[-1]
    for subject in activity:
        # x -> sign(x) |x|^power is monotone; its power is the subject's own for every axis.
        power = np.exp(rng.uniform(-1, 1, n_latents))
        bent = np.sign(latents) * np.abs(latents) ** power
        seen = (1 - warp) * latents + warp * bent
        for own, region in zip(seen, subject, strict=True):
            signal = own @ embedding(n_latents, n_channels, rng)
            region[:] = signal + noise * rng.standard_normal(region.shape)
    return activity
