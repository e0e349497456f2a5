"""`neuropipe connectivity`: one recording, or a dataset, to its connectivity result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from neuropipe.connectivity.data import usable_series
from neuropipe.connectivity.evaluate import recording_arrays, recording_facts, recording_metrics
from neuropipe.connectivity.fit import fit_recording
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.text import REFERENCES, group_methods, recording_methods
from neuropipe.dataset import read_recording, recording_paths
from neuropipe.provenance import provenance
from neuropipe.recording import Recording
from neuropipe.results import GROUP, Result, cited
from neuropipe.settings import parse_settings

NOUNS = {"fmri": "ROI", "calcium": "neuron"}
_SHORT = 300.0  # s; reliability of FC rises steeply up to about five minutes


def analyse_recording(recording: Recording, settings: ConnectivitySettings) -> Result:
    """Compute the connectivity result of one recording, without its provenance.

    Parameters
    ----------
    recording : Recording
    settings : ConnectivitySettings

    Returns
    -------
    Result

    Raises
    ------
    UnfitRecordingError
        If the recording has no signals, or too few units or frames.
    """
    from neuropipe.connectivity.figures import recording_figures

    series = usable_series(recording, settings)
    fit = fit_recording(series, settings, settings.seeds[0])
    warnings = series.warnings()
    if recording.modality == "fmri" and series.duration < _SHORT:
        warnings.append(
            f"Only {series.duration:.0f} s of data: below about five minutes single edges are "
            "unreliable."
        )
    methods = recording_methods(series, fit, settings)
    return Result(
        analysis="connectivity",
        dataset=recording.dataset,
        recording=recording.recording,
        subject=recording.subject,
        title=f"Functional connectivity between {NOUNS.get(recording.modality, 'unit')}s",
        arrays=recording_arrays(series, fit),
        metrics=recording_metrics(series, fit, settings),
        figures=recording_figures(series, fit, NOUNS.get(recording.modality, "unit")),
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=recording_facts(series, fit),
        warnings=warnings,
    )


def connectivity_recording(*, recording: Path, settings: str, output: Path) -> None:
    """Compute the connectivity of one recording and write its result folder.

    Parameters
    ----------
    recording : Path
        File of the Recording.
    settings : str
        `ConnectivitySettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.

    Raises
    ------
    NeuropipeError
        If the recording or a setting is wrong; then nothing is written.
    """
    chosen = parse_settings(ConnectivitySettings, settings, "connectivity settings")
    result = analyse_recording(Recording.read(recording), chosen)
    result.provenance = provenance(
        [recording], settings=chosen.model_dump(mode="json"), seed=chosen.seeds[0]
    )
    result.write(output)


def analyse_group(
    recordings: Iterable[Recording], dataset: str, settings: ConnectivitySettings
) -> Result:
    """Compute the connectivity result of a dataset, without its provenance.

    Parameters
    ----------
    recordings : iterable of Recording
        Read one at a time.
    dataset : str
    settings : ConnectivitySettings

    Returns
    -------
    Result

    Raises
    ------
    UnfitRecordingError
        If no recording can be used, or a target is unknown, has one class only, or a class smaller
        than the number of folds.
    """
    from neuropipe.connectivity.cohort import build_cohort
    from neuropipe.connectivity.evaluate_group import (
        group_arrays,
        group_facts,
        group_metrics,
        untypical,
    )
    from neuropipe.connectivity.figures_group import group_figures
    from neuropipe.connectivity.group import fit_group
    from neuropipe.connectivity.predict import predict_targets
    from neuropipe.prediction.figures import prediction_figures
    from neuropipe.prediction.metrics import prediction_metrics
    from neuropipe.prediction.rows import TargetResult
    from neuropipe.prediction.text import CONNECTOMES, prediction_methods

    modalities: set[str] = set()
    cohort = build_cohort(_noting(recordings, modalities), dataset, settings)
    fit = fit_group(cohort, settings)
    warnings = list(cohort.warnings)
    results: list[TargetResult] = []
    if cohort.n_subjects == 1:
        warnings.append(
            "One subject: the numbers are means over its recordings, without intervals, and say "
            "nothing about other subjects."
        )
    if settings.targets and cohort.n_subjects < settings.min_subjects:
        warnings.append(
            f"{cohort.n_subjects} subjects, fewer than {settings.min_subjects} (min_subjects): "
            f"{', '.join(settings.targets)} not predicted."
        )
    elif settings.targets and cohort.shares_units:
        results, left_out = predict_targets(cohort, settings)
        warnings += left_out
    apart = untypical(cohort, fit)
    if apart:
        warnings.append(
            f"Matrices unlike those of the other subjects: {', '.join(apart[:8])}"
            f"{', ...' if len(apart) > 8 else ''}."
        )
    noun = NOUNS[modalities.pop()] if len(modalities) == 1 and modalities <= set(NOUNS) else "unit"
    methods = group_methods(
        cohort.n_subjects, int(cohort.summary["runs"].sum()), len(cohort.units), settings
    )
    if results:
        features = [CONNECTOMES[kind] for kind in settings.kinds]
        methods += prediction_methods(settings, cohort.n_subjects, features)
    return Result(
        analysis="connectivity",
        dataset=dataset,
        recording=GROUP,
        title=f"Functional connectivity between {noun}s, all subjects",
        arrays=group_arrays(cohort, fit, results, settings),
        metrics=[
            *group_metrics(cohort, fit, settings),
            *prediction_metrics(results, settings),
        ],
        figures=[*group_figures(cohort, fit, noun), *prediction_figures(results)],
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=group_facts(cohort, fit),
        warnings=warnings,
    )


def _noting(recordings: Iterable[Recording], modalities: set[str]) -> Iterator[Recording]:
    for recording in recordings:
        modalities.add(recording.modality)
        yield recording


def connectivity_group(
    *, lock: Path, dataset: str, recordings: Path, settings: str, output: Path
) -> None:
    """Compute the connectivity of a dataset and write its result folder.

    Parameters
    ----------
    lock : Path
        The dataset's lock table.
    dataset : str
        Name in the manifest.
    recordings : Path
        Folder that holds ``<recording>.nc`` for every recording of the lock.
    settings : str
        `ConnectivitySettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.

    Raises
    ------
    NeuropipeError
        If a recording, the lock or a setting is wrong; then nothing is written.
    """
    chosen = parse_settings(ConnectivitySettings, settings, f"connectivity settings of {dataset}")
    paths = recording_paths(lock, dataset, recordings)
    result = analyse_group((read_recording(path, dataset) for path in paths), dataset, chosen)
    result.provenance = provenance(
        [lock, *paths], settings=chosen.model_dump(mode="json"), seed=chosen.seeds[0]
    )
    result.write(output)
