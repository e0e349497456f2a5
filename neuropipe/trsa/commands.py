"""`neuropipe trsa`: a subject's representations, and a dataset's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuropipe.dataset import read_recording
from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.manifest import read_lock
from neuropipe.provenance import provenance
from neuropipe.recording import Recording
from neuropipe.results import GROUP, Result, cited
from neuropipe.settings import parse_settings
from neuropipe.trsa.settings import TrsaSettings

__all__ = ["TITLE", "analyse_subject", "trsa_subject"]

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
