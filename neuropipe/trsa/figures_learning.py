"""Drawings of what learning does to a representation, for networks and sessions of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import ACCENT, FAINT, MUTED
from neuropipe.trsa.geometry.alignment import Trajectory
from neuropipe.trsa.geometry.spectra import ConnectivitySpectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_spectrum", "draw_trajectory"]

_ELLIPSE = np.sqrt(-2 * np.log(0.05))  # standard deviations that hold 95 % of a plane


def draw_trajectory(
    ax: Axes, trajectory: Trajectory, color: str, label: str, *, debiased: bool = False
) -> None:
    """Draw a way through the plane of alignment with the input and with the target.

    Parameters
    ----------
    ax : Axes
    trajectory : Trajectory
        Of layers, areas, sessions or training; its first step is an open dot.
    color, label : str
    debiased : bool
        Whether to draw the debiased alignments.

    Notes
    -----
    Ellipses hold 95 % of the resamples of conditions, if these are normal.
    """
    from matplotlib.patches import Ellipse

    points = trajectory.points(debiased=debiased)
    for place, covariance in zip(points, trajectory.covariances(debiased=debiased), strict=True):
        if not np.isfinite(covariance).all():
            continue
        variances, axes = np.linalg.eigh(covariance)
        wide, tall = 2 * _ELLIPSE * np.sqrt(np.maximum(variances, 0.0))
        angle = float(np.degrees(np.arctan2(axes[1, 0], axes[0, 0])))
        ax.add_patch(
            Ellipse(tuple(place), wide, tall, angle=angle, color=color, alpha=0.13, linewidth=0)
        )
    ax.plot(*points.T, "o-", color=color, markersize=4, label=label)
    ax.plot(*points[0], "o", color=color, markersize=4, markerfacecolor="white")
    ax.set_xlabel("alignment with the input")
    ax.set_ylabel("alignment with the target")


def draw_spectrum(ax: Axes, spectrum: ConnectivitySpectrum) -> None:
    """Draw singular values of connections above those of shuffled ones.

    Parameters
    ----------
    ax : Axes
    spectrum : ConnectivitySpectrum
        Its modes beyond the random remainder are filled dots.
    """
    values, n = spectrum.singular_values, spectrum.n_outliers
    order = np.arange(1, len(values) + 1)
    low, high = np.quantile(spectrum.null_singular_values, [0.025, 0.975], axis=0)
    ax.fill_between(order, low, high, color=FAINT, linewidth=0, label="shuffled")
    ax.plot(order[n:], values[n:], "o", color=MUTED, markersize=3, markerfacecolor="none",
            label="random part")  # fmt: skip
    ax.plot(order[:n], values[:n], "o", color=ACCENT, markersize=4,
            label=f"modes of their own: {n}")  # fmt: skip
    ax.set_xlabel("mode")
    ax.set_ylabel("singular value")
