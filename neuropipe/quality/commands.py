"""`neuropipe quality`: one recording to its quality result."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from neuropipe.provenance import provenance
from neuropipe.quality.evaluate import Assessment, facts
from neuropipe.quality.settings import QualitySettings
from neuropipe.recording import Recording
from neuropipe.results import Result
from neuropipe.settings import parse_settings

#: Module by modality; each has `assess(recording, settings, seed) -> Assessment`.
ASSESSMENTS = {
    "fmri": "neuropipe.quality.assess_fmri",
    "calcium": "neuropipe.quality.assess_calcium",
    "spikes": "neuropipe.quality.assess_spikes",
    "images": "neuropipe.quality.assess_images",
}


def assess(recording: Recording, settings: QualitySettings) -> Assessment:
    """Judge a recording by the checks of its modality."""
    module = import_module(ASSESSMENTS[recording.modality])
    part = getattr(settings, recording.modality)
    assessment: Assessment = module.assess(recording, part, settings.seed)
    return assessment


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
