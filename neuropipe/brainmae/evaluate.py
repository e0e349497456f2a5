"""The numbers of one run: how well its hidden ROIs are filled in, and arrays for users.

Axis legend: p predictors, q mask ratios.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.heldout import OURS
from neuropipe.brainmae.recording_fit import RecordingFit
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.results import Metric, finite

__all__ = [
    "MaskedR2",
    "masked_r2",
    "recording_arrays",
    "recording_facts",
    "recording_metrics",
    "recording_warnings",
    "share_words",
]


@dataclass(frozen=True)
class MaskedR2:
    """Masked R2 of one run by every predictor.

    Parameters
    ----------
    predictors : list of str of length p
        The model first.
    ratios : list of float of length q
        Rising.
    values : array of shape (p, q)
    """

    predictors: list[str]
    ratios: list[float]
    values: np.ndarray

    def best_other(self, place: int) -> tuple[str, float] | None:
        """The simple predictor of the highest value at a ratio, and that value."""
        others = np.where(np.isfinite(self.values), self.values, -np.inf)[1:, place]
        if not len(others):
            return None
        best = int(others.argmax())
        return self.predictors[1 + best], float(others[best])


def masked_r2(scores: pd.DataFrame) -> MaskedR2 | None:
    """Put the scores of one run in order.

    Parameters
    ----------
    scores : pandas.DataFrame
        See `RecordingFit`.

    Returns
    -------
    MaskedR2 or None
        None where there are no scores.
    """
    if scores.empty:
        return None
    scored = scores[scores["segments"] == "all"]
    table = scored.pivot_table(index="predictor", columns="ratio", values="r2", sort=False)
    names = [OURS, *(str(name) for name in table.index if name != OURS)]
    ratios = sorted(float(str(ratio)) for ratio in table.columns)
    return MaskedR2(names, ratios, table.reindex(index=names, columns=ratios).to_numpy(float))


def share_words(ratio: float) -> str:
    """Say a share of hidden ROIs, as in ``"50 % hidden"``."""
    return f"{100 * ratio:.3g} % hidden"


def recording_metrics(fit: RecordingFit, settings: BrainmaeSettings) -> list[Metric]:
    """Masked R2 at every share of hidden ROIs, beside the best of the simple predictors.

    Parameters
    ----------
    fit : RecordingFit
    settings : BrainmaeSettings
    """
    found = masked_r2(fit.scores)
    if found is None:
        return []
    metrics = []
    for place, ratio in enumerate(found.ratios):
        other = found.best_other(place)
        metrics.append(
            Metric(
                name=f"masked R2, {share_words(ratio)}",
                value=finite(found.values[0, place]),
                description="Share of the variance of hidden ROIs that is told by the visible "
                "ones; higher is better. The baseline is the best of the simple predictors on "
                "this very run.",
                better="higher",
                baseline=None if other is None else finite(other[1]),
                baseline_name="" if other is None else other[0],
                chance=0.0,
                n=len(fit.start),
                seed=settings.seeds[0],
                split=f"left out: model {fit.left_out_by}",
            )
        )
    return metrics


def recording_facts(
    runs: Runs, fit: RecordingFit, card: Mapping[str, Any], settings: BrainmaeSettings
) -> dict[str, str]:
    """Short facts for the overview.

    Parameters
    ----------
    runs : Runs
        One run.
    fit : RecordingFit
    card : mapping
        Of the final model.
    settings : BrainmaeSettings
    """
    run, n_absent = runs.runs[0], len(fit.absent)
    facts = {
        "segments": f"{len(fit.start)} of {settings.segments.duration:g} s",
        "duration": f"{run.duration:.0f} s at {run.step:.3g} s a volume",
        "ROIs": f"{runs.n_rois}" + (f", {n_absent} absent" if n_absent else ""),
        "model": f"pretrained on {len(card['subjects'])} subjects, {card['steps']} steps, "
        f"{card['device']}",
    }
    if "taken_from" in card:
        facts["weights"] = f"of dataset {card['taken_from']}"
    return facts


def recording_warnings(runs: Runs, fit: RecordingFit, settings: BrainmaeSettings) -> list[str]:
    """What a reader must know before trusting the numbers.

    Parameters
    ----------
    runs : Runs
        One run.
    fit : RecordingFit
    settings : BrainmaeSettings
    """
    warnings = list(runs.warnings)
    if not fit.left_out_by:
        warnings.append(
            "Every model has seen this run: how well its hidden ROIs are filled in is not scored."
        )
    if fit.absent:
        more = ", ..." if len(fit.absent) > 8 else ""
        warnings.append(
            f"{len(fit.absent)} of {runs.n_rois} ROIs are absent: {', '.join(fit.absent[:8])}"
            f"{more}. The model takes them for hidden."
        )
    if len(fit.start) < settings.segments.n_segments:
        warnings.append(
            f"{len(fit.start)} segments, fewer than the {settings.segments.n_segments} of a "
            "training crop: the run's features rest on less context and less data than those of "
            "longer runs."
        )
    return warnings


def recording_arrays(runs: Runs, fit: RecordingFit) -> xr.Dataset:
    """Arrays of a run for ``result.nc``.

    Parameters
    ----------
    runs : Runs
        One run.
    fit : RecordingFit

    Returns
    -------
    xarray.Dataset
        States, attention and features of the run; where a model has not seen it, its scores and
        the example that is drawn.
    """
    found = fit.embedding
    names = np.array([str(name) for name in runs.units.index], dtype=object)
    data = xr.Dataset(
        coords={
            "segment": np.arange(len(fit.start)),
            "start": ("segment", fit.start.astype(np.float64), {"units": "s"}),
            "unit": names,
        },
        attrs={"left_out_by": fit.left_out_by, "absent_units": fit.absent},
    )

    def put(name: str, dims: tuple[str, ...], values: np.ndarray, words: str, unit: str) -> None:
        data[name] = (dims, values.astype(np.float32), {"long_name": words, "units": unit})

    put("states", ("segment", "state"), found.states, "read-out of each segment alone", "1")
    put("latents", ("segment", "state"), found.latents, "segment in the context of the run", "1")
    words = "share of the run's token that flows from each segment"
    put("attention", ("segment",), found.attention, words, "1")
    put("token", ("state",), found.run, "state of the run's token", "1")
    words = "root mean square step of each ROI's state between segments, ROI by ROI"
    put("dynamics", ("dynamics_feature",), found.blocks["dynamics"], words, "1")
    words = "correlation between states of ROIs (Fisher's z), upper triangle row by row"
    put("connectivity", ("edge",), found.blocks["connectivity"], words, "1")
    if fit.similarity is not None:
        data = data.assign_coords(other_unit=names)
        words = "cosine similarity of ROI embeddings"
        put("similarity", ("unit", "other_unit"), fit.similarity, words, "1")
    scored = masked_r2(fit.scores)
    if scored is not None:
        predictors = np.array(scored.predictors, dtype=object)
        data = data.assign_coords(predictor=predictors, ratio=scored.ratios)
        put("masked_r2", ("predictor", "ratio"), scored.values, "masked R2 of this run", "1")
    if fit.example is not None:
        data["example_hidden"] = (("segment", "unit"), fit.example.hidden)
        for name in ("truth", "model", "wiener"):
            values = getattr(fit.example, name)
            put(f"example_{name}", ("segment", "unit", "point"), values, name, "z")
    return data
