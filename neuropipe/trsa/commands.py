"""`neuropipe trsa`: a subject's representations, and a dataset's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuropipe.dataset import read_recording
from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.manifest import read_lock
from neuropipe.provenance import provenance
from neuropipe.recording import Recording
from neuropipe.results import GROUP, Result, cited
from neuropipe.settings import parse_settings
from neuropipe.trsa.settings import TrsaSettings

if TYPE_CHECKING:
    import pandas as pd

    from neuropipe.trsa.arrays import Stored
    from neuropipe.trsa.rdms import RDMs

__all__ = ["TITLE", "analyse_group", "analyse_subject", "trsa_group", "trsa_rdms", "trsa_subject"]

TITLE = "Representational geometry and topology"


def analyse_subject(
    recordings: Sequence[Recording],
    settings: TrsaSettings,
    models: Sequence[Path] = (),
    stimuli: Path | None = None,
) -> Result:
    """Estimate a subject's representations, without their provenance.

    Parameters
    ----------
    recordings : sequence of Recording
        All of one subject.
    settings : TrsaSettings
    models : sequence of Path
        Files of model RDMs.
    stimuli : Path, optional
        Folder that the paths of stimuli are relative to.

    Returns
    -------
    Result

    Raises
    ------
    UnfitRecordingError
        If a recording has no events, or too few conditions or units.
    InputError
        If a model cannot be read, or names only some of the conditions.
    """
    from neuropipe.trsa.arrays import subject_arrays
    from neuropipe.trsa.evaluate import subject_facts, subject_metrics, subject_warnings
    from neuropipe.trsa.figures import subject_figures
    from neuropipe.trsa.fit import fit_subject
    from neuropipe.trsa.model_rdms import read_models
    from neuropipe.trsa.text import REFERENCES, subject_methods

    first = recordings[0]
    found = fit_subject(recordings, settings, read_models(models), stimuli)
    methods = subject_methods(found, settings)
    return Result(
        analysis="trsa",
        dataset=first.dataset,
        recording=f"sub-{first.subject}",
        subject=first.subject,
        title=TITLE,
        arrays=subject_arrays(found, settings.comparison),
        metrics=subject_metrics(found, settings),
        figures=subject_figures(found, settings),
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=subject_facts(found),
        warnings=subject_warnings(found, settings),
    )


def not_applicable(first: Recording, error: UnfitRecordingError) -> Result:
    """Say in one line why a subject has no representations."""
    return Result(
        analysis="trsa",
        dataset=first.dataset,
        recording=f"sub-{first.subject}",
        subject=first.subject,
        title=TITLE,
        warnings=[f"Not made: {error}."],
    )


def trsa_subject(
    *,
    subject: str,
    lock: Path,
    dataset: str,
    recordings: Path,
    settings: str,
    output: Path,
    models: Sequence[Path] = (),
    stimuli: Path | None = None,
    optional: bool = False,
) -> None:
    """Estimate a subject's representations and write its result folder.

    Parameters
    ----------
    subject : str
        As in the lock.
    lock : Path
        The dataset's lock table.
    dataset : str
        Name in the manifest.
    recordings : Path
        Folder that holds ``<recording>.nc`` for every recording of the subject.
    settings : str
        `TrsaSettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.
    models : sequence of Path
        Files of model RDMs; default: those that the settings name, from the working folder.
    stimuli : Path, optional
        Folder that the paths of stimuli are relative to.
    optional : bool
        Whether a subject that the analysis does not apply to gets a result that says so, in place
        of an error.

    Raises
    ------
    NeuropipeError
        If a recording, the lock, a model or a setting is wrong; then nothing is written.
    """
    chosen = parse_settings(TrsaSettings, settings, f"trsa settings of {dataset}")
    files = list(models) or [Path(path) for path in chosen.models]
    names = [found.recording for found in read_lock(lock, dataset) if found.subject == subject]
    if not names:
        raise InputError(
            f"subject {subject!r}", f"one that {lock} names", "correct the name, or lock again"
        )
    paths = [recordings / f"{name}.nc" for name in names]
    found = [read_recording(path, dataset) for path in paths]
    try:
        result = analyse_subject(found, chosen, files, stimuli)
    except UnfitRecordingError as error:
        if not optional:
            raise
        result = not_applicable(found[0], error)
    result.provenance = provenance(
        [lock, *paths, *files], settings=chosen.model_dump(mode="json"), seed=chosen.seed
    )
    result.write(output)


def analyse_group(stored: Sequence[Stored], dataset: str, settings: TrsaSettings) -> Result:
    """Compare the representations of a dataset's subjects, without provenance.

    Parameters
    ----------
    stored : sequence of Stored
        Of all subjects.
    dataset : str
    settings : TrsaSettings

    Returns
    -------
    Result

    Raises
    ------
    UnfitRecordingError
        If no two subjects share their conditions.
    """
    from neuropipe.trsa.fit_group import joined, shared_rdms

    kept, warnings = shared_rdms(stored)
    rdms, models = joined(kept)
    return _compared(rdms, kept[0].conditions, models, dataset, settings, warnings)


def _compared(
    rdms: RDMs,
    conditions: pd.DataFrame,
    models: RDMs | None,
    dataset: str,
    settings: TrsaSettings,
    warnings: Sequence[str],
) -> Result:
    from neuropipe.trsa.evaluate_group import (
        group_arrays,
        group_facts,
        group_metrics,
        group_warnings,
    )
    from neuropipe.trsa.figures_group import group_figures
    from neuropipe.trsa.fit_group import fit_group
    from neuropipe.trsa.text import REFERENCES, group_methods

    group = fit_group(rdms, conditions, models, settings, warnings)
    methods = group_methods(group, settings)
    return Result(
        analysis="trsa",
        dataset=dataset,
        recording=GROUP,
        title=TITLE,
        arrays=group_arrays(group),
        metrics=group_metrics(group, settings),
        figures=group_figures(group, settings),
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=group_facts(group),
        warnings=group_warnings(group),
    )


def trsa_group(
    *, dataset: str, subjects: Sequence[Path], settings: str, output: Path, optional: bool = False
) -> None:
    """Compare the representations of a dataset's subjects and write the result folder.

    Parameters
    ----------
    dataset : str
        Name in the manifest.
    subjects : sequence of Path
        Result folders of `trsa_subject`.
    settings : str
        `TrsaSettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.
    optional : bool
        Whether subjects that share no conditions get a result that says so, in place of an error.

    Raises
    ------
    NeuropipeError
        If a folder or a setting is wrong, or no two subjects can be compared; then nothing is
        written.
    """
    from neuropipe.trsa.arrays import read_stored

    chosen = parse_settings(TrsaSettings, settings, f"trsa settings of {dataset}")
    stored = [one for folder in subjects for one in read_stored(folder)]
    try:
        result = analyse_group(stored, dataset, chosen)
    except UnfitRecordingError as error:
        if not optional:
            raise
        result = Result(
            analysis="trsa",
            dataset=dataset,
            recording=GROUP,
            title=TITLE,
            warnings=[f"Not made: {error}."],
        )
    result.provenance = provenance(
        [folder / "result.nc" for folder in subjects],
        settings=chosen.model_dump(mode="json"),
        seed=chosen.seed,
    )
    result.write(output)


def trsa_rdms(
    *,
    rdms: Sequence[Path],
    settings: str,
    output: Path,
    models: Sequence[Path] = (),
    items: Path | None = None,
    conditions: Path | None = None,
) -> None:
    """Compare RDMs that users bring, and write a result folder.

    Parameters
    ----------
    rdms : sequence of Path
        Files of RDMs of the same conditions.
    settings : str
        `TrsaSettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.
    models : sequence of Path
        Files of model RDMs.
    items : Path, optional
        Table with a row an RDM and columns ``subject``, ``session``, ``region``, in the order of
        the files; default: what the files say, else a subject each.
    conditions : Path, optional
        Table of the conditions, one row each in their order; its columns make models and groups.

    Raises
    ------
    NeuropipeError
        If a file or a setting is wrong, or there is nothing to compare; then nothing is written.
    """
    from neuropipe.trsa.brought import brought_conditions, brought_models, brought_rdms

    chosen = parse_settings(TrsaSettings, settings, "trsa settings")
    found = brought_rdms(rdms, items)
    table = brought_conditions(conditions, found.conditions)
    candidates = brought_models(models, table, found.conditions, chosen.circular)
    result = _compared(found, table, candidates, "rdms", chosen, [])
    files = [*rdms, *models, *([items] if items else []), *([conditions] if conditions else [])]
    result.provenance = provenance(files, settings=chosen.model_dump(mode="json"), seed=chosen.seed)
    result.write(output)
