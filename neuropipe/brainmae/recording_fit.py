"""What BrainMAE says of one run: its embedding, and how well its hidden ROIs are filled in.

Axis legend: k segments, n ROIs, l points, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.group_fit import Plane, feature_plane
from neuropipe.brainmae.heldout import model_prediction, stacked
from neuropipe.brainmae.imputation import evaluation_masks
from neuropipe.brainmae.inference import RunEmbedding, embed
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.similarity import cosine_similarity
from neuropipe.brainmae.store import Stored, scaled_by

__all__ = ["Example", "RecordingFit", "fit_recording"]

_RATIO = 0.5  # share of hidden ROIs in the example


@dataclass(frozen=True)
class Example:
    """A run whose ROIs were hidden in turn, filled in by a model that has not seen it.

    Parameters
    ----------
    truth, model, wiener : array of shape (k, n, l)
        z units.
    hidden : array of bool of shape (k, n)
    ratio : float
    """

    truth: np.ndarray
    model: np.ndarray
    wiener: np.ndarray
    hidden: np.ndarray
    ratio: float


@dataclass(frozen=True)
class RecordingFit:
    """What the models of a dataset say of one run.

    Parameters
    ----------
    embedding : RunEmbedding
        Of the final model.
    start : array of shape (k,)
        Start of the segments in s.
    scores : pandas.DataFrame
        Rows of `neuropipe.brainmae.heldout.heldout_scores` for this run, of the first seed's model
        that has not seen it; empty where there is none.
    example : Example or None
        None where there is no such model.
    plane : Plane or None
        All runs of the dataset.
    similarity : array of shape (n, n) or None
        Cosine similarity of the final model's ROI embeddings; None where it learns none.
    left_out_by : str
        Name of the model that has not seen the run; ``""`` where there is none.
    absent : list of str
        ROIs of the models that the run lacks.
    """

    embedding: RunEmbedding
    start: np.ndarray
    scores: pd.DataFrame
    example: Example | None
    plane: Plane | None
    similarity: np.ndarray | None
    left_out_by: str
    absent: list[str]


def fit_recording(
    runs: Runs, final: Stored, stores: Sequence[Stored], settings: BrainmaeSettings
) -> RecordingFit:
    """Embed a run, and fill it in.

    Parameters
    ----------
    runs : Runs
        One run, on the ROIs of the models.
    final : Stored
    stores : sequence of Stored
        All models of the dataset.
    settings : BrainmaeSettings
    """
    recording = runs.runs[0].recording
    model, card = final.model()
    scaled = scaled_by(card, runs)
    segments = scaled.segments(0, settings.segments)
    device = next(model.parameters()).device
    first = f"seed-{settings.seeds[0]}_"
    unseen = next((s for s in stores if s.name.startswith(first) and s.left_out(recording)), None)
    scores = pd.DataFrame() if unseen is None else unseen.scores
    present = segments.present[0].any(0).numpy()
    return RecordingFit(
        embedding=embed(model, segments.to(device), settings.segments.n_segments),
        start=segments.start[0].numpy(),
        scores=scores if unseen is None else scores[scores["recording"] == recording],
        example=None if unseen is None else _example(unseen, runs, settings),
        plane=feature_plane(final, settings),
        similarity=(
            cosine_similarity(model.embedding.detach().cpu().numpy())
            if "embedding" in dict(model.named_parameters())
            else None
        ),
        left_out_by="" if unseen is None else unseen.name,
        absent=[str(name) for name in runs.units.index[~present]],
    )


def _example(unseen: Stored, runs: Runs, settings: BrainmaeSettings) -> Example | None:
    wiener = unseen.wiener()
    if wiener is None:
        return None
    model, card = unseen.model()
    segments = stacked(scaled_by(card, runs), settings)
    n_runs, n_segments, n_rois = segments.present.shape
    present = segments.present.numpy()
    mask = evaluation_masks(n_runs, n_segments, n_rois, _RATIO, settings.seeds[0])
    hidden = ~mask & present
    ours = model_prediction(model, segments, torch.from_numpy(hidden), settings.segments.n_segments)
    x = segments.x.numpy()
    return Example(x[0], ours[0], wiener.predict(x, mask & present)[0], hidden[0], _RATIO)
