"""Responses of one subject to its representations: RDMs by region, and what can be said of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError, NeuropipeError, UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.trsa.controls import ModelControls, model_controls
from neuropipe.trsa.data import Responses, subject_responses
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.geometry.measures import GeometrySummary
from neuropipe.trsa.geometry.summary import describe
from neuropipe.trsa.image_models import image_rdms, read_images
from neuropipe.trsa.inference.evaluation import Evaluation, evaluate
from neuropipe.trsa.inference.models import fixed_models
from neuropipe.trsa.maps import Course, Places, course, places
from neuropipe.trsa.model_rdms import category_rdms, distinct_columns, known_models
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs, concatenate
from neuropipe.trsa.reliability import (
    Discrimination,
    Reliability,
    discriminate,
    halves_agree,
    usable_measure,
)
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.trsa.topology.homology_null import HomologyTest, homology_test
from neuropipe.units import draw_units

__all__ = ["ALL", "Region", "Representations", "fit_subject"]

ALL = "all units"  #: name of the RDM over every unit
_MOST_GEOMETRY = 2000  # units of the geometry's readouts; their cost grows with units x dichotomies
_FEWEST_SCORED = 4  # conditions that a bootstrap over them needs


@dataclass(frozen=True, eq=False)
class Region:
    """One RDM and what is known of it.

    Parameters
    ----------
    name : str
        Of the region; `ALL` for every unit.
    n_units : int
    reliability : Reliability
    discrimination : Discrimination
    homology : tuple of HomologyTest
        Of the cloud of mean patterns, in units of the noise where it is known; one a dimension,
        empty where all conditions coincide.
    evaluation : Evaluation or None
        Scores of the models; None where there are none.
    """

    name: str
    n_units: int
    reliability: Reliability
    discrimination: Discrimination
    homology: tuple[HomologyTest, ...]
    evaluation: Evaluation | None


@dataclass(frozen=True, eq=False)
class Representations:
    """RDMs of one set of responses of a subject.

    Parameters
    ----------
    responses : Responses
    measure : str
        Of dissimilarity, as it was used.
    rdms : RDMs
        One a region, with the column ``region``; all units come first.
    regions : tuple of Region
        In the same order.
    models : RDMs or None
        Column ``name``.
    controls : ModelControls or None
        What is left of the models' scores over all units.
    places : Places or None
        RDMs about every unit, where a radius is set.
    course : Course or None
        RDMs over time, where a step is set.
    geometry : GeometrySummary or None
        Of all units; None where no condition has two trials.
    warnings : tuple of str
    is_glm : bool
        Whether the patterns are betas of a general linear model.
    """

    responses: Responses
    measure: str
    rdms: RDMs
    regions: tuple[Region, ...]
    models: RDMs | None
    controls: ModelControls | None
    places: Places | None
    course: Course | None
    geometry: GeometrySummary | None
    warnings: tuple[str, ...]
    is_glm: bool = False


def fit_subject(
    recordings: Sequence[Recording],
    settings: TrsaSettings,
    models: Sequence[RDMs] = (),
    stimuli: Path | None = None,
) -> list[Representations]:
    """Estimate a subject's representations.

    Parameters
    ----------
    recordings : sequence of Recording
        All of one subject.
    settings : TrsaSettings
    models : sequence of RDMs
        Of users, with the column ``name``.
    stimuli : Path, optional
        Folder that the paths of stimuli are relative to; without it there are no models of images.

    Returns
    -------
    list of Representations
        One for every set of recordings that share units and conditions.

    Raises
    ------
    UnfitRecordingError
        If a recording has no events, or too few conditions or units.
    InputError
        If a model names some conditions and lacks others.
    """
    sets = subject_responses(recordings, settings)
    by_name = {recording.recording: recording for recording in recordings}
    return [_fitted(found, by_name, settings, models, stimuli) for found in sets]


def _fitted(
    responses: Responses,
    recordings: Mapping[str, Recording],
    settings: TrsaSettings,
    models: Sequence[RDMs],
    stimuli: Path | None,
) -> Representations:
    patterns = responses.patterns
    measure = usable_measure(patterns, settings.measure)
    warnings = list(responses.warnings)
    if measure != settings.measure:
        warnings.append(
            f"The measure is {measure}: {settings.measure} needs two folds of every condition and "
            "the covariance of the noise. Noise adds to every dissimilarity then."
        )
    of_images, reason = _image_models(recordings[responses.recordings[0]], patterns, stimuli)
    warnings += reason
    compared = _models(responses, settings.circular, models, of_images)
    parts = {ALL: patterns}
    for name, chosen in responses.regions(settings).items():
        parts[name] = patterns.of_channels(chosen)
    rdms, regions = [], []
    for name, part in parts.items():
        try:
            rdm = estimate(part, measure)
        except UnfitRecordingError as error:
            if name == ALL:
                raise
            warnings.append(f"Region {name} was left out: {error.given}.")
            continue
        rdms.append(
            RDMs(rdm.dissimilarities, rdm.conditions, measure, pd.DataFrame({"region": [name]}))
        )
        regions.append(_region(name, part, rdms[-1], compared, settings))
    joined = concatenate(rdms)
    own = [recordings[name] for name in responses.recordings]
    return Representations(
        responses=responses,
        measure=measure,
        rdms=joined,
        regions=tuple(regions),
        models=compared,
        controls=None
        if compared is None
        else model_controls(patterns, rdms[0], compared, settings.nuisances, settings.comparison),
        places=places(responses, measure, compared, settings),
        course=course(own, responses, measure, rdms[0], compared, settings),
        geometry=_geometry(responses, settings.seed),
        warnings=tuple(warnings),
        is_glm=recordings[responses.recordings[0]].modality == "fmri",
    )


def _models(
    responses: Responses,
    circular: Mapping[str, float],
    models: Sequence[RDMs],
    of_images: RDMs | None,
) -> RDMs | None:
    """Models of the conditions' table, of users and of the images; their names differ."""
    patterns = responses.patterns
    found = [
        category_rdms(responses.conditions, circular),
        known_models(models, patterns.conditions),
    ]
    parts = [part for part in (*found, of_images) if part is not None]
    if not parts or len(patterns.conditions) < _FEWEST_SCORED:
        return None
    joined = concatenate(parts)
    names = joined.table["name"]
    if names.duplicated().any():
        raise InputError(
            f"two models named {names[names.duplicated()].iloc[0]!r}", "unique names", "rename one"
        )
    usable = np.isfinite(joined.dissimilarities).all(axis=1)
    usable &= np.ptp(np.nan_to_num(joined.dissimilarities), axis=1) > 0
    return joined.take(usable) if usable.any() else None


def _image_models(
    recording: Recording, patterns: Patterns, stimuli: Path | None
) -> tuple[RDMs | None, list[str]]:
    """Pixels and oriented energy of the images, or why there are none."""
    table = recording.stimuli
    if stimuli is None or recording.responses is None or table is None or "path" not in table:
        return None, []
    paths = table["path"].astype(str)
    paths.index = paths.index.astype(str)
    chosen = paths.loc[list(patterns.conditions)]
    try:
        images = read_images([stimuli / path for path in chosen])
    except InputError as error:
        return None, [f"No model of the images: {error.given}."]
    return image_rdms(images, patterns.conditions), []


def _region(
    name: str, patterns: Patterns, rdm: RDMs, models: RDMs | None, settings: TrsaSettings
) -> Region:
    evaluation = None
    if models is not None:
        subject = RDMs(rdm.dissimilarities, rdm.conditions, rdm.measure, _ONE_SUBJECT)
        try:
            evaluation = evaluate(
                fixed_models(models),
                subject,
                measure=settings.comparison,
                new="conditions",
                n_bootstrap=settings.n_bootstrap,
                n_permutations=settings.n_permutations,
                seed=settings.seed,
            )
        except UnfitRecordingError:
            evaluation = None  # too few pairs are known
    return Region(
        name=name,
        n_units=len(patterns.channels),
        reliability=halves_agree(
            patterns, rdm.measure, settings.comparison, settings.n_permutations, settings.seed
        ),
        discrimination=discriminate(patterns, settings.n_permutations, settings.seed),
        homology=_homology(patterns, settings),
        evaluation=evaluation,
    )


def _homology(patterns: Patterns, settings: TrsaSettings) -> tuple[HomologyTest, ...]:
    """Loops, and voids where they are asked for; parts alone where nothing else is.

    Of the cloud of mean patterns, not of crossvalidated dissimilarities: these scatter about zero
    and break the triangle inequality, which gives loops that no cloud of points has, nor its null.
    """
    highest = settings.topology.max_dimension
    cloud = patterns.mean() if patterns.noise is None else patterns.whitened().mean()
    cloud = cloud[draw_units(patterns.conditions, settings.topology.max_points)]
    try:
        return tuple(
            homology_test(
                pdist(cloud),
                np.random.default_rng(settings.seed),
                patterns=cloud,
                dimension=dimension,
                n_draws=settings.topology.n_null,
            )
            for dimension in range(min(1, highest), highest + 1)
        )
    except UnfitRecordingError:
        return ()  # all conditions coincide


_ONE_SUBJECT = pd.DataFrame({"subject": ["this"]})


def _geometry(responses: Responses, seed: int) -> GeometrySummary | None:
    """Geometry of all units, in units of their noise where it is known."""
    patterns = responses.patterns
    if len(patterns.channels) > _MOST_GEOMETRY:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(patterns.channels), _MOST_GEOMETRY, replace=False)
        patterns = patterns.of_channels(np.sort(chosen))
    values = patterns.values if patterns.noise is None else patterns.whitened().values
    table = distinct_columns(responses.conditions).reset_index(drop=True)
    try:
        return describe(values, table if len(table.columns) else None, seed=seed)
    except NeuropipeError:
        return None
