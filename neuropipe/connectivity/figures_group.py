"""Figures of a dataset: mean matrix and likeness of subjects."""

from __future__ import annotations

import numpy as np

from neuropipe.connectivity.cohort import Cohort
from neuropipe.connectivity.group import GroupFit
from neuropipe.drawing import draw_matrix, matrix_order
from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED, SEQUENTIAL, new_figure, style
from neuropipe.results import ResultFigure
from neuropipe.stats.connectivity_matrices import edges

__all__ = ["group_figures"]


def group_figures(cohort: Cohort, fit: GroupFit, noun: str) -> list[ResultFigure]:
    """Draw the mean matrix and the likeness of subjects.

    Parameters
    ----------
    cohort : Cohort
    fit : GroupFit
    noun : str
        What a unit is: ``"ROI"``, ``"neuron"``.
    """
    if fit.mean is None:
        return []
    with style():
        figures = [_mean_figure(cohort, fit.mean, noun)]
        if fit.similarity is not None:
            figures.append(_similarity_figure(fit))
    return figures


def _mean_figure(cohort: Cohort, mean: np.ndarray, noun: str) -> ResultFigure:
    order = matrix_order(cohort.units, mean)
    limit = float(max(np.quantile(np.abs(edges(mean)), 0.99), 0.05))
    figure = new_figure(4.8, 6.0)
    draw_matrix(figure.subplots(), mean, order, limit, "mean correlation")
    who = f"{cohort.n_subjects} subjects" if cohort.n_subjects > 1 else "the only subject's runs"
    return ResultFigure(
        name="group-matrix",
        title="Mean connectivity matrix",
        caption=(
            f"Correlation between {noun}s, averaged over {who} (Fisher's z). Ordered "
            f"{order.words}. Compare the matrix of one subject with it: what is in both is the "
            "common architecture, what is missing in one is individual or an artefact."
        ),
        figure=figure,
    )


def _similarity_figure(fit: GroupFit) -> ResultFigure:
    assert fit.similarity is not None
    order = np.argsort(-fit.typicality)
    shown = fit.similarity[np.ix_(order, order)].copy()
    np.fill_diagonal(shown, np.nan)
    n = len(shown)
    figure = new_figure(3.1)
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    low, high = np.nanquantile(shown, [0.01, 0.99])
    image = left.imshow(
        shown, cmap=SEQUENTIAL, vmin=low, vmax=high, interpolation="none", extent=(0, n, n, 0)
    )
    left.set_xlabel("subject, most typical first")
    left.set_ylabel("subject")
    bar = figure.colorbar(image, ax=left, shrink=0.85, pad=0.02)
    bar.set_label("similarity (r)")
    bar.outline.set_visible(False)
    pairs = fit.similarity[np.triu_indices(n, k=1)]
    bins = np.linspace(min(pairs.min(), fit.similarity_null.min()), pairs.max(), 40).tolist()
    right.hist(
        pairs, bins, color=MUTED, alpha=0.5, label="pairs of subjects", histtype="stepfilled"
    )
    right.axvline(pairs.mean(), color=INK, linestyle="--", label=f"mean {pairs.mean():.2f}")
    right.axvline(fit.similarity_null.mean(), color=CYCLE[1], label="shuffled units", linewidth=1.3)
    if np.isfinite(fit.within).any():
        mean = float(np.nanmean(fit.within))
        right.axvline(mean, color=ACCENT, label=f"runs of one subject {mean:.2f}", linewidth=1.6)
        label = f"runs of two subjects {fit.between:.2f}"
        right.axvline(fit.between, color=ACCENT, linestyle=":", label=label, linewidth=1.6)
    right.set_xlabel("similarity (r between edges)")
    right.set_yticks([])
    right.spines["left"].set_visible(False)
    right.set_ylim(0, right.get_ylim()[1] * 1.4)
    right.legend(loc="upper left", fontsize=7, handlelength=1.4)
    return ResultFigure(
        name="group-similarity",
        title="Similarity between subjects",
        caption=(
            f"Left: correlation between the edges of any two of {n} subjects, ordered from the "
            "most typical (most like the mean of the others) to the least. A dark stripe at the "
            "end is a subject unlike all others: look at its quality page before keeping it. "
            "Right: the same values as a distribution, beside what shuffled units give (orange)"
            + (
                " and single runs of one subject (blue); compare the latter with runs of two "
                "subjects (dotted), because means over runs hold less noise."
                if np.isfinite(fit.within).any()
                else "."
            )
        ),
        figure=figure,
    )
