"""The one table of what the workflow does with a recording.

A part is a step with settings and code of its own: reading, quality, an analysis, the report. The
workflow asks this table which parts a dataset has and which modules each part's code is, so that a
change reruns that part and what hangs on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.ingest.formats import READERS
from neuropipe.quality.settings import QualitySettings
from neuropipe.report.settings import ReportSettings
from neuropipe.settings import Settings
from neuropipe.trsa.settings import TrsaSettings


@dataclass(frozen=True)
class Part:
    """A step of the workflow.

    Parameters
    ----------
    name : str
        Its key in ``config.yaml`` and its folder below ``results/<dataset>/``.
    settings : type of Settings
        Model of its settings.
    modules : tuple of str
        Modules whose code, with all they import, decides what it computes.
    modalities : tuple of str
        Where it applies.
    per_dataset : bool
        Whether it also has a result over the whole dataset.
    per_subject : bool
        Whether its results are one a subject (``sub-<subject>``), over all recordings of it; one
        over the dataset needs two subjects then.
    needs_events : bool
        Whether rest says nothing to it: datasets of resting recordings alone are left out, unless
        the manifest asks for it.
    steps : mapping of str to tuple of str
        Modules of steps that run before its results and that only their own code shall repeat.
    """

    name: str
    settings: type[Settings]
    modules: tuple[str, ...]
    modalities: tuple[str, ...]
    per_dataset: bool = False
    per_subject: bool = False
    needs_events: bool = False
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


QUALITY = Part(
    "quality", QualitySettings, ("quality.commands",), ("fmri", "calcium", "spikes", "images")
)
CONNECTIVITY = Part(
    "connectivity",
    ConnectivitySettings,
    ("connectivity.commands",),
    ("fmri", "calcium"),
    per_dataset=True,
)
BRAINMAE = Part(
    "brainmae",
    BrainmaeSettings,
    ("brainmae.commands",),
    ("fmri",),
    per_dataset=True,
    steps={"pretrain": ("brainmae.learn",), "finetune": ("brainmae.label_models",)},
)
CONNECTOME = Part(
    "connectome",
    ConnectomeSettings,
    ("connectome.commands",),
    ("fmri", "calcium"),
    per_dataset=True,
)
TRSA = Part(
    "trsa",
    TrsaSettings,
    ("trsa.commands",),
    ("fmri", "calcium", "spikes", "images"),
    per_dataset=True,
    per_subject=True,
    needs_events=True,
)
REPORT = Part("report", ReportSettings, ("report.commands",), QUALITY.modalities)

#: Analyses in the order of the report's sections.
ANALYSES = (CONNECTIVITY, BRAINMAE, CONNECTOME, TRSA)
PARTS = {part.name: part for part in (QUALITY, *ANALYSES, REPORT)}


def reader_modules(modality: str) -> tuple[str, ...]:
    """Modules whose code decides what a recording of a modality holds."""
    readers = [m for (found, _), m in READERS.items() if found == modality]
    return ("ingest.commands", *(m.removeprefix("neuropipe.") for m in readers))


def simulator_modules(kind: str) -> tuple[str, ...]:
    """Modules whose code decides what a simulated dataset holds."""
    return ("simulate.commands", f"simulate.{kind}_files")
