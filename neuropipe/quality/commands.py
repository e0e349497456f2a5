"""`neuropipe quality`: one recording to its quality result."""

from __future__ import annotations

from pathlib import Path

from neuropipe.provenance import provenance
from neuropipe.quality.evaluate import Assessment, facts
from neuropipe.quality.settings import QualitySettings
from neuropipe.recording import Recording
from neuropipe.results import Result
from neuropipe.settings import parse_settings


def assess(recording: Recording, settings: QualitySettings) -> Assessment:
    """Judge a recording by the checks of its modality.

    Parameters
    ----------
    recording : Recording
    settings : QualitySettings
    """
    # Imported by name, not by a computed one: the code's fingerprint follows these lines.
    if recording.modality == "fmri":
        from neuropipe.quality.assess_fmri import assess as assess_fmri

        return assess_fmri(recording, settings.fmri)
    if recording.modality == "calcium":
        from neuropipe.quality.assess_calcium import assess as assess_calcium

        return assess_calcium(recording, settings.calcium)
    if recording.modality == "spikes":
        from neuropipe.quality.assess_spikes import assess as assess_spikes

        return assess_spikes(recording, settings.spikes, settings.seed)
    from neuropipe.quality.assess_images import assess as assess_images

    return assess_images(recording, settings.images, settings.seed)


def quality(recording: Path, settings: str, output: Path) -> None:
    """Check one recording and write its result folder.

    Parameters
    ----------
    recording : Path
        File of the Recording.
    settings : str
        `QualitySettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.

    Raises
    ------
    NeuropipeError
        If the recording or a setting is wrong; then nothing is written.
    """
    chosen = parse_settings(QualitySettings, settings, "quality settings")
    found = Recording.read(recording)
    assessment = assess(found, chosen)
    Result(
        analysis="quality",
        dataset=found.dataset,
        recording=found.recording,
        subject=found.subject,
        title="Quality",
        arrays=assessment.arrays,
        metrics=assessment.metrics,
        figures=assessment.figures,
        methods=assessment.methods,
        references=assessment.references,
        facts=facts(found),
        warnings=assessment.warnings,
        provenance=provenance(
            [recording], settings=chosen.model_dump(mode="json"), seed=chosen.seed
        ),
    ).write(output)
