"""How well a model fills in hidden ROIs of runs that it has not seen, beside simple methods.

Axis legend: r runs, k segments, n ROIs, l points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.gaussian_imputation import Wiener
from neuropipe.brainmae.imputation import evaluation_masks, training_mean
from neuropipe.brainmae.inference import fill_in
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.reconstruction import named_predictors, score_predictors, score_rows
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings

__all__ = ["OURS", "heldout_scores", "model_prediction", "stacked"]

OURS = "BrainMAE"
_MOST_PATTERNS = 300  # segments a ratio on which slow predictors are scored


def stacked(runs: Runs, settings: BrainmaeSettings) -> Segments:
    """All whole segments of all runs, padded to the longest.

    Parameters
    ----------
    runs : Runs
    settings : BrainmaeSettings

    Returns
    -------
    Segments
        ``valid`` and ``present`` are False beyond the end of a run.
    """
    parts = [runs.segments(i, settings.segments) for i in range(len(runs.runs))]
    size = max(part.x.shape[1] for part in parts)
    starts = next(part.start[0] for part in parts if part.x.shape[1] == size)
    return Segments(
        torch.cat([_padded(part.x, size) for part in parts]),
        torch.cat([_padded(part.valid, size) for part in parts]),
        torch.cat([_padded(part.present, size) for part in parts]),
        starts.expand(len(parts), size),
    )


def _padded(values: Tensor, size: int) -> Tensor:
    """Zeros (False) up to a number of segments."""
    out = values.new_zeros((len(values), size, *values.shape[2:]))
    out[:, : values.shape[1]] = values
    return out


def model_prediction(model: nn.Module, segments: Segments, hidden: Tensor, size: int) -> np.ndarray:
    """What a model fills in, run by run.

    Parameters
    ----------
    model : BrainMAE or another network of the same call
        In evaluation mode.
    segments : Segments
        Of any device.
    hidden : tensor of bool of shape (r, k, n)
    size : int
        K, segments of a window.

    Returns
    -------
    array of shape (r, k, n, l)
    """
    device = next(model.parameters()).device
    found = []
    for i in range(len(segments.x)):
        one = segments.pick(slice(i, i + 1)).to(device)
        found.append(fill_in(model, one, hidden[i : i + 1].to(device), size)[0].cpu().numpy())
    return np.stack(found)


def heldout_scores(
    model: BrainMAE,
    training: Runs,
    left_out: Runs,
    settings: BrainmaeSettings,
    seed: int,
    more: Sequence[tuple[str, nn.Module]] = (),
) -> tuple[pd.DataFrame, Wiener]:
    """Score a model and the simple methods on the same hidden entries.

    Parameters
    ----------
    model : BrainMAE
        Trained on `training`.
    training : Runs
        What the simple methods are fitted to.
    left_out : Runs
        What is scored.
    settings : BrainmaeSettings
    seed : int
        Of the masks.
    more : sequence of (str, model), optional
        Other networks with the same call.

    Returns
    -------
    table : pandas.DataFrame
        See `neuropipe.brainmae.reconstruction.score_rows`, with the columns ``recording`` and
        ``subject``.
    wiener : Wiener
        Fitted to `training`.
    """
    train, test = stacked(training, settings), stacked(left_out, settings)
    train_x, train_present = train.x.numpy(), train.present.numpy()
    test_x, test_present = test.x.numpy(), test.present.numpy()
    tables = [
        score_predictors(
            train_x,
            train_present,
            test_x,
            test_present,
            settings.ratios,
            seed,
            named_predictors(settings.reconstruction_baselines, seed),
            max_patterns=_MOST_PATTERNS,
        )
    ]
    reference = training_mean(train_x, train_present)
    n_runs, n_segments, n_rois = test_present.shape
    size = settings.segments.n_segments
    for ratio in settings.ratios:
        mask = evaluation_masks(n_runs, n_segments, n_rois, ratio, seed)
        hidden = ~mask & test_present
        for name, network in [(OURS, model), *more]:
            predicted = model_prediction(network, test, torch.from_numpy(hidden), size)
            tables.append(score_rows(name, ratio, test_x, predicted, hidden, reference))
    table = pd.concat(tables, ignore_index=True)
    table["recording"] = [left_out.runs[i].recording for i in table["run"]]
    table["subject"] = [left_out.runs[i].subject for i in table["run"]]
    return table, Wiener().fit(train_x, train_present)
