"""Figure of the number of components: why this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.rank import RankTable
from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED, new_figure
from neuropipe.results import ResultFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["rank_figure"]

_NAME, _TITLE = "connectome-rank", "Number of components"
_LEAST_SPAN = 0.02  # of the axis of errors: smaller differences are none


def rank_figure(fit: ConnectomeFit) -> ResultFigure:
    """Draw the diagnostics of all candidates, or of the starts of a given rank.

    Parameters
    ----------
    fit : ConnectomeFit
    """
    if fit.ranks is None:
        return _starts_figure(fit)
    return _ranks_figure(fit.ranks)


def _ranks_figure(table: RankTable) -> ResultFigure:
    figure = new_figure(2.5)
    axes = figure.subplots(1, 3)
    ranks = table.ranks
    line: dict[str, Any] = {"color": ACCENT, "markersize": 4}
    for fold in table.held_out.T:
        axes[0].plot(ranks, fold, "o", color=MUTED, markersize=3, alpha=0.7, markeredgewidth=0)
    axes[0].plot(ranks, table.held_out.mean(axis=1), "o-", **line, label="held out")
    axes[0].plot(ranks, table.errors.min(axis=1), "--", color=INK, label="fitted")
    axes[0].set_ylabel("squared error (share)")
    axes[0].legend(fontsize=7, handlelength=1.5)
    axes[1].plot(ranks, table.variance, "o-", **line)
    at = int(np.flatnonzero(ranks == table.knee)[0])
    axes[1].plot(table.knee, table.variance[at], "o", color=CYCLE[1], markersize=8, label="knee")
    axes[1].set_ylabel("factor variance (directions)")
    axes[1].legend(fontsize=7, handlelength=1.0)
    axes[2].plot(ranks, table.similarity, "o-", **line)
    axes[2].axhline(0.7, color=MUTED, linestyle=":")
    axes[2].set_ylabel("similarity of starts")
    axes[2].set_ylim(0, 1.05)
    for ax in axes:
        _rank_axis(ax, ranks, table.chosen)
    return ResultFigure(
        name=_NAME,
        title=_TITLE,
        caption=(
            f"{table.chosen} components (dashed line) were chosen: {table.reason}. Left: error of "
            "affinities that were hidden from the fit (grey: folds; blue: their mean) and of those "
            "that were fitted, which falls with every component and tells nothing. Middle: in how "
            "many directions the components point; from the knee on, further ones repeat (a knee "
            "at the last candidate is none). Right: do starts from random values find the same "
            "components? Above the dotted line they count as agreeing. The choice is firm where "
            "the three agree. A held-out error that is flat says that fewer components would do as "
            "well; one that still falls at the right end asks for higher candidates "
            "(factorization.ranks)."
        ),
        figure=figure,
    )


def _rank_axis(ax: Axes, ranks: np.ndarray, chosen: int) -> None:
    ax.axvline(chosen, color=INK, linestyle="--", linewidth=0.8, zorder=0)
    ax.set_xticks(ranks, [str(rank) for rank in ranks])
    ax.set_xlabel("components")
    ax.margins(y=0.12)


def _starts_figure(fit: ConnectomeFit) -> ResultFigure:
    n = len(fit.errors)
    figure = new_figure(2.2, 4.4)
    ax = figure.subplots()
    ax.plot(np.arange(1, n + 1), fit.errors, "o-", color=ACCENT, markersize=4)
    ax.plot(1, fit.errors[0], "o", color=CYCLE[1], markersize=7)
    ax.set_xticks(np.arange(1, n + 1, max(1, n // 10)))
    ax.set_xlabel("start, by its error")
    ax.set_ylabel("squared error (share)")
    middle, span = (fit.errors[-1] + fit.errors[0]) / 2, fit.errors[-1] - fit.errors[0]
    reach = max(0.6 * span, _LEAST_SPAN / 2)
    ax.set_ylim(middle - reach, middle + reach)
    others = fit.similarity[np.triu_indices(n, k=1)]
    alike = f" Starts agree to {others.mean():.2f} (1: the same components)." if n > 1 else ""
    return ResultFigure(
        name=_NAME,
        title=_TITLE,
        caption=(
            f"The number of components, {fit.factors.rank}, was given. Error of the fits from "
            f"{n} random start{'s' * (n != 1)}; the least one (orange) is used.{alike} Errors "
            "close together with different components mean that the data do not decide: ask for "
            "fewer, or let the number be chosen (factorization.rank: auto)."
        ),
        figure=figure,
    )
