"""One look for every figure: fonts, colours, sizes, and axes that print well.

Figures are built with `matplotlib.figure.Figure`, never through pyplot: no global state, nothing to
close, and a smaller import.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

WIDTH = 7.2  # inches: the width of a report's column
INK, MUTED, FAINT = "#1f2933", "#7b8794", "#e4e7eb"
ACCENT = "#2563a8"
#: Colour-blind safe order (Okabe & Ito 2008), blue first.
CYCLE = ("#2563a8", "#e08214", "#1b8a6b", "#b8477f", "#56b4e9", "#8a6d3b", "#6a51a3", "#999999")
VERDICT_COLORS = {"good": "#1b8a6b", "doubtful": "#e0a014", "bad": "#c2372e"}
DIVERGING = "RdBu_r"
SEQUENTIAL = "viridis"

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "svg.fonttype": "none",
    "svg.hashsalt": "neuropipe",  # the same figure gives the same bytes
    "savefig.dpi": 110,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw with neuropipe's look inside the block."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Make an empty figure in the report's column width.

    Parameters
    ----------
    height, width : float
        In inches.
    """
    return Figure(figsize=(width, height))


def save_svg(figure: Figure, path: Path) -> None:
    """Write a figure as SVG; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    path : Path
    """
    with style():
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
