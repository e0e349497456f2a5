"""Write simulated fMRI as laboratories have it: fMRIPrep-like volumes, or XCP-D ROI series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.simulate.atlas import NETWORKS, Volume, roi_table, volume
from neuropipe.simulate.fmri import FmriData, block_onsets, participants, sim_fmri
from neuropipe.simulate.fmri_volumes import Motion, confounds, head_motion, scan
from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.simulate.truth import write_summary, write_truth

SPACE = "MNI152NLin2009cAsym"
_SCALE = 0.5  # intensity of one step of the stored integers
_VOXELS = 100  # purpose of the random stream of everything that is not in the ROI series
_COLUMNS = {
    "family_id": "families; subjects of one family share part of their loadings",
    "age": "age in years, unrelated to the data",
    "sex": "F or M, unrelated to the data",
    "y_fc": "1: a fixed pattern of edges is stronger",
    "y_dyn": "1: other transitions between the hidden states, same time-averaged covariance",
    "y_block": "1: another response pattern within task blocks",
    "y_permuted": "y_fc shuffled over subjects",
    "y_family": "drawn once a family, unrelated to the data",
}


def recordings(settings: FmriSimulation) -> list[tuple[str, int, int]]:
    """Name, subject and run (both from 0) of every recording."""
    names = participants(settings)["participant_id"]
    return [
        (f"{name}_task-{settings.task}_run-{run + 1}", subject, run)
        for subject, name in enumerate(names)
        for run in range(settings.n_runs)
    ]


def write(settings: FmriSimulation, folder: Path) -> None:
    """Write a BIDS-derivative dataset with its truth.

    Parameters
    ----------
    settings : FmriSimulation
    folder : Path
        An existing folder.
    """
    table, brain = participants(settings), volume(settings.n_rois)
    _write_root(settings, table, brain, folder)
    facts: dict[str, Any] = {"recordings": {}}
    for recording, subject, run in recordings(settings):
        data = sim_fmri(settings, run=run, subjects=[subject])
        (folder / _stem(recording)).parent.mkdir(parents=True, exist_ok=True)
        truth = _truth(settings, data)
        if settings.files == "nifti":
            rng = stream(settings.seed, _VOXELS, subject, run)
            motion = head_motion(settings.n_volumes, settings.motion_spikes, rng)
            _write_scan(settings, data, brain, motion, folder / _stem(recording), rng)
            truth["jerk"] = ("jerk", motion.jerks.astype(np.int64))
        else:
            _write_series(settings, data, folder / _stem(recording))
        if settings.n_blocks:
            _events(settings).to_csv(
                folder / f"{_stem(recording)}_events.tsv", sep="\t", index=False
            )
        write_truth(folder, recording, truth)
        facts["recordings"][recording] = {
            "participant": table.iloc[subject].to_dict(),
            "signal_to_noise": round(float(data.signal_to_noise[0]), 4),
        }
    write_summary(folder, "fmri", settings, facts)


def _stem(recording: str) -> str:
    return f"{recording.partition('_')[0]}/func/{recording}"


def _atlas_stem(settings: FmriSimulation) -> str:
    return f"atlas-Sim{settings.n_rois}_dseg"


def _series_suffix(settings: FmriSimulation) -> str:
    return f"_space-{SPACE}_seg-Sim{settings.n_rois}_stat-mean_timeseries"


def _write_root(settings: FmriSimulation, table: pd.DataFrame, brain: Volume, folder: Path) -> None:
    _write_json(
        folder / "dataset_description.json",
        {
            "Name": f"Simulated fMRI, {settings.n_subjects} subjects, {settings.n_rois} ROIs",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": "CC0",
            "GeneratedBy": [{"Name": "neuropipe simulate fmri"}],
        },
    )
    (folder / ".bidsignore").write_text("truth/\natlas/\n", encoding="utf-8")
    table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    columns = {name: {"Description": text} for name, text in _COLUMNS.items()}
    _write_json(folder / "participants.json", columns)
    atlas = folder / "atlas" / _atlas_stem(settings)
    atlas.parent.mkdir()
    _write_image(brain.labels, brain.affine, Path(f"{atlas}.nii.gz"))
    roi_table(settings.n_rois).to_csv(f"{atlas}.tsv", sep="\t", index=False)


def _write_scan(
    settings: FmriSimulation,
    data: FmriData,
    brain: Volume,
    motion: Motion,
    stem: Path,
    rng: np.random.Generator,
) -> None:
    volumes = scan(data.bold[0], brain, motion, settings.repetition_time, rng)
    confounds(volumes, brain, motion).to_csv(
        f"{stem}_desc-confounds_timeseries.tsv",
        sep="\t", index=False, na_rep="n/a", float_format="%.6g",
    )  # fmt: skip
    bold = f"{stem}_space-{SPACE}_desc-preproc_bold"
    _write_image(volumes, brain.affine, Path(f"{bold}.nii.gz"), settings.repetition_time)
    _write_json(
        Path(f"{bold}.json"),
        {
            "RepetitionTime": settings.repetition_time,
            "TaskName": settings.task,
            "StartTime": 0.0,
            "SkullStripped": True,
        },
    )
    mask = Path(f"{stem}_space-{SPACE}_desc-brain_mask.nii.gz")
    _write_image(brain.brain.astype(np.uint8), brain.affine, mask)


def _write_image(
    values: np.ndarray, affine: np.ndarray, path: Path, repetition_time: float | None = None
) -> None:
    """Write integers as they are, and real values as scaled 16-bit integers."""
    import nibabel as nib

    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, code="mni")
    image.set_qform(affine, code="mni")
    if values.dtype.kind == "f":
        image.set_data_dtype(np.int16)
        image.header.set_slope_inter(_SCALE, 0)
    if repetition_time is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], repetition_time))
    nib.save(image, path)


def _write_series(settings: FmriSimulation, data: FmriData, stem: Path) -> None:
    path = f"{stem}{_series_suffix(settings)}"
    series = pd.DataFrame(data.bold[0], columns=data.population.rois["name"])
    series.to_csv(f"{path}.tsv", sep="\t", index=False, float_format="%.6g")
    _write_json(
        Path(f"{path}.json"),
        {
            "RepetitionTime": settings.repetition_time,
            "TaskName": settings.task,
            "SegmentationName": f"Sim{settings.n_rois}",
        },
    )


def _events(settings: FmriSimulation) -> pd.DataFrame:
    onset = block_onsets(settings)
    return pd.DataFrame(
        {"onset": onset, "duration": settings.block_duration, "trial_type": "block"}
    )


def _truth(settings: FmriSimulation, data: FmriData) -> xr.Dataset:
    shared = data.population
    return xr.Dataset(
        {
            "bold": (("time", "roi"), data.bold[0], {"unit": "sd of a network factor"}),
            "state": ("time", data.states[0]),
            "regressor": ("time", data.regressor),
            "network": ("roi", shared.networks),
            "subnetwork": ("roi", shared.subnetworks),
            "loading": (("roi", "factor"), data.loadings[0]),
            "sign": (("hidden_state", "roi"), shared.signs),
            "covariance": (("hidden_state", "factor", "factor_"), shared.covariances),
            "delay": ("roi", shared.delays, {"unit": "s"}),
            "edge_pattern": ("roi", shared.edge_pattern),
        },
        coords={
            "time": ("time", data.times, {"unit": "s"}),
            "roi": shared.rois["name"].to_numpy(object),
            "factor": np.array(NETWORKS, dtype=object),
        },
        attrs={"noise_sd": shared.noise_sd, "repetition_time": settings.repetition_time},
    )


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
