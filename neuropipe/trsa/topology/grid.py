"""The grid of thresholds (lower, upper) and what its cells are sensitive to."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np

from neuropipe.errors import SettingsError

__all__ = [
    "CATEGORIES",
    "RANK_CELL",
    "Category",
    "categories",
    "category",
    "cells",
    "sample_categories",
]

Category = Literal["topology", "geometry", "local", "global", "intermediate"]
CATEGORIES: tuple[Category, ...] = ("topology", "geometry", "local", "global", "intermediate")

#: The cell that leaves ranks as they are.
RANK_CELL = (0.0, 1.0)


def cells(step: float = 0.05, *, include_equal: bool = False) -> np.ndarray:
    """All cells of the grid.

    Parameters
    ----------
    step : float
        Of both thresholds; 1 is a multiple of it.
    include_equal : bool
        Whether to take binary cells with ``lower == upper`` too, apart from 0 and 1.

    Returns
    -------
    array of shape (k, 2)
        Lower ascending, for each of them upper descending from 1; so `RANK_CELL` comes first. With
        a step of .05 there are 210, or 229 with equal thresholds. Every threshold is the float
        nearest to the decimal that is meant.

    Raises
    ------
    SettingsError
        If 1 is no multiple of the step.
    """
    n = round(1 / step) if step > 0 else 0
    if n < 1 or abs(n * step - 1) > 1e-9:
        raise SettingsError(f"a grid step of {step:g}", "1 / n, such as 0.05", "choose another")
    return np.array(
        [
            (low / n, high / n)
            for low in range(n + 1)
            for high in range(n, low - 1, -1)
            if low < high or (include_equal and 0 < low < n)
        ]
    )


def category(lower: float, upper: float) -> Category:
    """What a cell is sensitive to.

    Parameters
    ----------
    lower, upper : float
        Thresholds, ``0 <= lower <= upper <= 1``.

    Returns
    -------
    {"topology", "geometry", "local", "global", "intermediate"}
        ``topology``: both thresholds in [.4, .6], so that pairs are near or far and little else.
        ``geometry``: at least .8 apart, so that most ranks count. ``local``, ``global``: their
        mean at most .2 or at least .8. ``intermediate``: the rest. No two of these conditions can
        hold at once.

    Notes
    -----
    Lin & Kriegeskorte 2024, families of the grid; compared to 9 digits, so that cells of the grid
    fall on the side that their decimals do.
    """
    low, high = (Fraction(round(value * 10**9), 10**9) for value in (lower, upper))
    if low >= Fraction(4, 10) and high <= Fraction(6, 10):
        return "topology"
    if high - low >= Fraction(8, 10):
        return "geometry"
    if low + high <= Fraction(4, 10):
        return "local"
    if low + high >= Fraction(16, 10):
        return "global"
    return "intermediate"


def categories(grid: np.ndarray) -> np.ndarray:
    """Category of every cell, shape (k, 2) to (k,)."""
    return np.array([category(lower, upper) for lower, upper in grid])


def sample_categories(
    rng: np.random.Generator, n_cells: int = 10, *, step: float = 0.05
) -> dict[Category, np.ndarray]:
    """Draw cells of the grid for every category.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_cells : int
        Drawn without replacement; where a category has fewer, all of them.
    step : float
        Of the grid.

    Returns
    -------
    dict of str to array of shape (at most n_cells, 2)
        In the order of the grid. With a step of .05 the topology category has just 10 cells.

    Raises
    ------
    SettingsError
        If the grid is so coarse that a category has no cell.
    """
    grid = cells(step)
    names = categories(grid)
    drawn = {}
    for name in CATEGORIES:
        places = np.flatnonzero(names == name)
        if not len(places):
            raise SettingsError(
                f"a grid step of {step:g}: no {name} cell", "at most 0.2", "choose a finer grid"
            )
        drawn[name] = grid[np.sort(rng.permutation(places)[:n_cells])]
    return drawn
