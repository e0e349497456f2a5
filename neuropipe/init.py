"""`neuropipe init`: a study's folder with a commented manifest and configuration."""

from __future__ import annotations

from pathlib import Path

from neuropipe.errors import InputError
from neuropipe.lock import lock_command
from neuropipe.reference import default_config

_MANIFEST = """\
# The datasets of this study. Each entry says what a dataset is, where it comes from and how to
# read it. After adding one:  neuropipe manifest lock <name>
# Every key: docs/configuration.md beside the workflow.

datasets:
  # A first dataset with known truth; delete it when your own is there.
  demo:
    title: Simulated resting-state fMRI, two subjects
    modality: fmri            # fmri | calcium | spikes | images
    source: {{simulate: fmri, settings: {settings}}}
    license: CC0-1.0
    citation: neuropipe simulator
    read: {read}

  # my-fmri:
  #   title: What it is, in one line
  #   modality: fmri
  #   source: {{path: ../data/my-bids-tree}}       # or url:, openneuro:, dandi:, nilearn:
  #   license: CC0-1.0
  #   citation: 10.1000/my.doi
  #   read: {{parcellation: atlas/labels.nii.gz}}  # reading options of the modality
  #   analyses:
  #     connectivity: {{targets: [diagnosis]}}     # overrides config/config.yaml for this dataset
"""


def init_study(folder: Path) -> str:
    """Write ``data_manifest.yaml`` and ``config/config.yaml`` into a new folder; lock its demo.

    Parameters
    ----------
    folder : Path
        Made when missing; nothing in it is overwritten.

    Returns
    -------
    str
        What to do next.

    Raises
    ------
    InputError
        If the folder already holds a study.
    """
    files = {
        folder / "data_manifest.yaml": _MANIFEST.format(settings=DEMO_SETTINGS, read=DEMO_READ),
        folder / "config" / "config.yaml": default_config(),
    }
    for path in files:
        if path.exists():
            raise InputError(f"{path} exists", "a folder without a study", "choose another folder")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    lock_command(manifest=folder / "data_manifest.yaml", names=["demo"], all_=False)
    return (
        f"A study stands in {folder}. Add your data with `neuropipe manifest add` there, then:\n"
        f"  snakemake -s <neuropipe>/Snakefile --directory {folder} --cores all"
    )


DEMO_SETTINGS = "{n_subjects: 2, duration: 320.0, repetition_time: 2.0}"
DEMO_READ = "{parcellation: atlas/atlas-Sim100_dseg.nii.gz}"
