"""`neuropipe connectivity`: one recording, or a dataset, to its connectivity result."""

from __future__ import annotations

from pathlib import Path

from neuropipe.connectivity.data import usable_series
from neuropipe.connectivity.evaluate import recording_arrays, recording_facts, recording_metrics
from neuropipe.connectivity.fit import fit_recording
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.text import cited, recording_methods
from neuropipe.provenance import provenance
from neuropipe.recording import Recording
from neuropipe.results import Result
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
        references=cited(methods),
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
