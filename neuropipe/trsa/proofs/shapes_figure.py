"""The four-shape demonstration: what each transform sees of figure eights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.distance import pdist

from neuropipe.plotting import ACCENT, CYCLE, MUTED, new_figure, style
from neuropipe.simulate.representations import figure_eights
from neuropipe.simulate.stimuli_checks import shape_ratio
from neuropipe.trsa.figures_parts import Groups, draw_rdm, planar_map, zero_line
from neuropipe.trsa.proofs.shapes import eight_vectors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["figures"]

_NAMES = {
    "flat8": "flat, touching",
    "twist8": "twisted, touching",
    "uflat8": "flat, apart",
    "utwist8": "twisted, apart",
}


def figures() -> dict[str, Figure]:
    """Draw the shapes, their matrices, and maps of the shapes by each of them.

    Returns
    -------
    dict of str to Figure
        ``shapes``, after the four-shape demonstration of Lin & Kriegeskorte 2024.
    """
    points = figure_eights()
    matrices = eight_vectors(points)
    with style():
        figure = new_figure(6.2)
        grid = figure.add_gridspec(1 + len(matrices), 5, width_ratios=[1, 1, 1, 1, 1.3])
        for column, (name, own) in enumerate(points.items()):
            _draw_points(figure.add_subplot(grid[0, column], projection="3d"), own, _NAMES[name])
        bars = figure.add_subplot(grid[0, 4])
        bars.bar(list(matrices), [shape_ratio(own) for own in matrices.values()], color=ACCENT)
        zero_line(bars, 1.0)
        bars.set_title("shape : topology")
        for row, (kind, vectors) in enumerate(matrices.items(), 1):
            for column, vector in enumerate(vectors.values()):
                ax = figure.add_subplot(grid[row, column])
                _draw_matrix(ax, vector, len(points["flat8"]))
                ax.set_ylabel(kind if column == 0 else "", fontweight="bold")
            ax = figure.add_subplot(grid[row, 4])
            _draw_shapes(ax, vectors)
            ax.set_title(f"shapes by {kind}")
        handles, labels = ax.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return {"shapes": figure}


def _draw_points(ax: Any, points: np.ndarray, title: str) -> None:
    ax.plot(*np.vstack([points, points[:1]]).T, color=MUTED, linewidth=0.7)
    ax.scatter(*points.T, c=np.arange(len(points)), cmap="twilight", s=8)
    ax.view_init(elev=35, azim=-75)
    ax.set_axis_off()
    ax.set_title(title, loc="center")


def _draw_matrix(ax: Axes, vector: np.ndarray, n: int) -> None:
    ungrouped = Groups("", np.zeros(n, dtype=int), ("",))
    draw_rdm(ax, vector, np.arange(n), ungrouped, [], label=False)


def _draw_shapes(ax: Axes, vectors: dict[str, np.ndarray]) -> None:
    """Map of the four shapes: near each other where their matrices are alike."""
    places = planar_map(pdist(np.array(list(vectors.values()))), 0)
    for place, name in zip(places, vectors, strict=True):
        color = CYCLE[0] if name.startswith("u") else CYCLE[1]
        ax.plot(*place, "D" if "twist" in name else "o", color=color, label=_NAMES[name])
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.25)
    ax.set_xticks([])
    ax.set_yticks([])
