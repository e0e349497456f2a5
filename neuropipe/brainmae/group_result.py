"""The result of a dataset: what its models say of it, and what they predict of its subjects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.evaluate_group import (
    group_arrays,
    group_facts,
    group_metrics,
    group_warnings,
)
from neuropipe.brainmae.figures_group import group_figures
from neuropipe.brainmae.group_fit import fit_group
from neuropipe.brainmae.names import FINAL
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.store import Stored
from neuropipe.brainmae.text import REFERENCES, group_methods
from neuropipe.prediction.figures import prediction_figures
from neuropipe.prediction.metrics import prediction_metrics
from neuropipe.results import GROUP, Result, cited

__all__ = ["analyse_group"]

_BESIDE = "correlation"  # the row that every other one stands beside


def analyse_group(
    runs: Runs,
    dataset: str,
    stores: Sequence[Stored],
    predictions: Sequence[Path],
    settings: BrainmaeSettings,
) -> Result:
    """Compute the BrainMAE result of a dataset, without its provenance.

    Parameters
    ----------
    runs : Runs
        Of the dataset.
    dataset : str
    stores : sequence of Stored
        All its models.
    predictions : sequence of Path
        Files of `neuropipe.brainmae.label_models.predict_target`, one a target.
    settings : BrainmaeSettings

    Returns
    -------
    Result
    """
    fit = fit_group(runs, dataset, stores, predictions, settings)
    card = next(store.card for store in stores if store.name == FINAL)
    methods = group_methods(fit, card, settings)
    return Result(
        analysis="brainmae",
        dataset=dataset,
        recording=GROUP,
        title="Masked autoencoding of ROI series (BrainMAE), all subjects",
        arrays=group_arrays(runs, fit, settings),
        metrics=[
            *group_metrics(fit, settings),
            *prediction_metrics(fit.results, settings, _BESIDE),
        ],
        figures=[*group_figures(runs, fit, settings), *prediction_figures(fit.results)],
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=group_facts(runs, fit, card, len(stores)),
        warnings=group_warnings(runs, fit, settings),
    )
