"""The result of one run: what the models of its dataset say of it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.evaluate import (
    recording_arrays,
    recording_facts,
    recording_metrics,
    recording_warnings,
)
from neuropipe.brainmae.figures import recording_figures
from neuropipe.brainmae.recording_fit import fit_recording
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.store import Stored
from neuropipe.brainmae.text import REFERENCES, recording_methods
from neuropipe.recording import Recording
from neuropipe.results import Result, cited

__all__ = ["analyse_recording"]


def analyse_recording(
    recording: Recording,
    runs: Runs,
    final: Stored,
    stores: Sequence[Stored],
    settings: BrainmaeSettings,
) -> Result:
    """Compute the BrainMAE result of one recording, without its provenance.

    Parameters
    ----------
    recording : Recording
    runs : Runs
        The recording's run, on the ROIs of the models.
    final : Stored
        The model that embeds it.
    stores : sequence of Stored
        All models of the dataset; the one that has not seen the run fills in its hidden ROIs.
    settings : BrainmaeSettings

    Returns
    -------
    Result
    """
    fit = fit_recording(runs, final, stores, settings)
    first = [s.scores for s in stores if s.name.startswith(f"seed-{settings.seeds[0]}_")]
    everyone = pd.concat(first, ignore_index=True) if first else fit.scores
    methods = recording_methods(runs, fit, final.card, settings)
    return Result(
        analysis="brainmae",
        dataset=recording.dataset,
        recording=recording.recording,
        subject=recording.subject,
        title="Masked autoencoding of ROI series (BrainMAE)",
        arrays=recording_arrays(runs, fit),
        metrics=recording_metrics(fit, settings),
        figures=recording_figures(runs, fit, everyone, settings),
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=recording_facts(runs, fit, final.card, settings),
        warnings=recording_warnings(runs, fit, settings),
    )
