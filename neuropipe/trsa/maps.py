"""Where and when: RDMs about every unit with a position, and in successive windows of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.recording import Recording
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.data import Responses, subject_responses
from neuropipe.trsa.estimation.movie import movie
from neuropipe.trsa.estimation.searchlight import SearchlightOptions, searchlight_parts
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.settings import TrsaSettings

__all__ = ["Course", "Places", "course", "places"]

_AXES = ("x", "y", "z")


@dataclass(frozen=True, eq=False)
class Places:
    """What the neighbourhood of every unit tells apart.

    Parameters
    ----------
    centres : pandas.DataFrame
        ``unit``, ``x``, ``y``, ``z``, ``n_units`` of every neighbourhood, ``dissimilarity`` (mean
        over pairs).
    scores : array of shape (n_centres, n_models)
        Likeness of models; no columns without models.
    models : tuple of str
    radius : float
        In m.
    """

    centres: pd.DataFrame
    scores: np.ndarray
    models: tuple[str, ...]
    radius: float


@dataclass(frozen=True, eq=False)
class Course:
    """RDMs in successive windows of time.

    Parameters
    ----------
    rdms : RDMs
        One a window; column ``time``: its middle, in s from the onset.
    scores : array of shape (n_times, n_models)
        Likeness of models; no columns without models.
    to_whole : array of shape (n_times,)
        Likeness to the RDM of the whole window, which holds this one: no test.
    models : tuple of str
    step : float
        In s.
    """

    rdms: RDMs
    scores: np.ndarray
    to_whole: np.ndarray
    models: tuple[str, ...]
    step: float


def places(
    responses: Responses, measure: str, models: RDMs | None, settings: TrsaSettings
) -> Places | None:
    """Estimate an RDM about every unit, and compare it with the models.

    Parameters
    ----------
    responses : Responses
    measure : str
        Of dissimilarity.
    models : RDMs or None
    settings : TrsaSettings

    Returns
    -------
    Places or None
        None where no radius is set.

    Raises
    ------
    InputError
        If the units have no positions, or no neighbourhood has enough of them.
    """
    radius = settings.searchlight
    if radius is None:
        return None
    table = responses.units
    known = [axis for axis in _AXES if axis in table]
    if len(known) < 2 or table[known].isna().any(axis=None):
        raise InputError(
            f"units of recording {responses.recordings[0]} without positions",
            "columns x, y (and z) for every unit",
            "set searchlight: null",
        )
    positions = np.zeros((len(table), 3))
    positions[:, : len(known)] = table[known].to_numpy(float)
    patterns = responses.patterns
    options: SearchlightOptions = {"measure": measure, "min_share": 0.5, "n_jobs": 1}
    if patterns.noise is not None:
        options |= {
            "residuals": patterns.noise.residuals * patterns.noise.scale,
            "df": patterns.noise.df,
        }
    rows, scores = [], []
    for part in searchlight_parts(
        patterns.values, positions, radius, patterns.conditions, **options
    ):
        rows.append(part.table.assign(dissimilarity=np.nanmean(part.dissimilarities, axis=1)))
        scores.append(_scores(part, models, settings.comparison))
    found = pd.concat(rows, ignore_index=True)
    order = np.argsort(found["centre"].to_numpy(), kind="stable")
    centres = found.iloc[order].reset_index(drop=True)
    names = np.array(patterns.channels, dtype=object)[centres.pop("centre").to_numpy(int)]
    return Places(
        centres=centres.rename(columns={"n_channels": "n_units"}).assign(unit=names),
        scores=np.concatenate(scores)[order],
        models=_names(models),
        radius=radius,
    )


def course(
    recordings: Sequence[Recording],
    responses: Responses,
    measure: str,
    whole: RDMs,
    models: RDMs | None,
    settings: TrsaSettings,
) -> Course | None:
    """Estimate RDMs in successive windows after the events' onsets.

    Parameters
    ----------
    recordings : sequence of Recording
        Of the responses.
    responses : Responses
        Of the whole window; their noise covariance serves all windows.
    measure : str
    whole : RDMs
        Of all units over the whole window.
    models : RDMs or None
    settings : TrsaSettings

    Returns
    -------
    Course or None
        None where no step is set, or responses have no time (fMRI, images).

    Raises
    ------
    NeuropipeError
        If a window holds no response.
    """
    step, window = settings.responses.time_step, settings.responses.window
    if step is None or window is None or recordings[0].modality not in ("spikes", "calcium"):
        return None
    patterns = responses.patterns
    starts = window[0] + step * np.arange(int((window[1] - window[0]) / step + 1e-6))
    values = np.full((*patterns.values.shape, len(starts)), np.nan)
    for k, start in enumerate(starts):
        own = settings.responses.model_copy(update={"window": (start, start + step)})
        # Silent units stay: their place is kept, and no covariance of a short window is estimated.
        found = subject_responses(
            recordings, settings.model_copy(update={"responses": own, "min_units": 2})
        )[0].patterns
        channels = {name: place for place, name in enumerate(found.channels)}
        there = [name in channels for name in patterns.channels]
        chosen = [channels[name] for name in patterns.channels if name in channels]
        values[:, :, there, k] = found.of(patterns.conditions).values[:, :, chosen]
    rdms = movie(
        values,
        starts + step / 2,
        patterns.conditions,
        measure,
        noise=patterns.noise,
        n_trials=patterns.n_trials,
    )
    return Course(
        rdms=rdms,
        scores=_scores(rdms, models, settings.comparison),
        to_whole=compare(rdms.dissimilarities, whole.dissimilarities, settings.comparison)[:, 0],
        models=_names(models),
        step=step,
    )


def _names(models: RDMs | None) -> tuple[str, ...]:
    return () if models is None else tuple(models.table["name"].astype(str))


def _scores(rdms: RDMs, models: RDMs | None, comparison: str) -> np.ndarray:
    if models is None:
        return np.empty((len(rdms), 0))
    return np.asarray(compare(rdms.dissimilarities, models.dissimilarities, comparison))
