"""A tiny simulated dataset with its pretrained models, for tests of what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.brainmae.data import Runs, read_runs
from neuropipe.brainmae.learn import learn
from neuropipe.brainmae.names import model_names
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.store import Stored, write_store
from neuropipe.recording import Recording, signals_array
from tests.unit.brainmae.builders import series, tiny
from tests.unit.connectivity.builders import unit_table

N_SUBJECTS = 10
FAST = {
    "n_splits": 2, "min_subjects": 10, "min_rois": 6, "n_permutations": 19, "n_resamples": 200,
    "targets": ["group"], "validation_share": 0, "ratios": [0.25, 0.5],
    "pretraining": {"max_steps": 12, "steps_per_epoch": 12},
    "reconstruction_baselines": ["mean", "AR", "Wiener"],
}  # fmt: skip
#: Columns of `series` that make left and right partners, and networks in turn, alike.
_PAIRED = [0, 2, 1, 3, 4, 6, 5, 7]


def settings_of(**changes: object) -> BrainmaeSettings:
    return tiny(**{**FAST, **changes})


def recording(subject: str, run: str, seed: int, n_times: int = 120) -> Recording:
    """Eight ROIs of two networks; the first ROI of subject 01 is missing."""
    units = unit_table(4)
    x = series(n_times, seed=seed)[:, _PAIRED]
    if subject == "01":
        x[:, 0] = np.nan
    events = pd.DataFrame(
        {"onset": [15.0, 45.0, 75.0], "duration": 15.0, "trial_type": ["face", "house", "face"]},
        index=pd.Index(["0", "1", "2"], dtype=object, name="event"),
    )
    return Recording(
        dataset="toy",
        recording=f"sub-{subject}_run-{run}",
        subject=subject,
        run=run,
        modality="fmri",
        units=units,
        signals=signals_array(x, 1.0, units.index),
        events=events if subject != "02" else None,
        participant={"group": "ab"[int(subject) % 2], "age": 20.0 + int(subject)},
        attrs={"parcellation": "atlas"},
    )


def recordings() -> list[Recording]:
    """Ten subjects; the first one has two runs."""
    found = [recording(f"{k:02d}", "1", k) for k in range(N_SUBJECTS)]
    return [found[0], recording("00", "2", 99), *found[1:]]


def runs_of(
    found: Sequence[Recording],
    settings: BrainmaeSettings,
    folder: Path,
    units: Sequence[str] | None = None,
) -> Runs:
    folder.mkdir(parents=True, exist_ok=True)
    return read_runs(lambda: iter(found), settings, folder, units=units)


@dataclass(frozen=True)
class Study:
    """A dataset, its models and predictions; not to be changed."""

    folder: Path
    recordings: list[Recording]
    runs: Runs
    settings: BrainmaeSettings
    stores: list[Stored]
    predictions: list[Path]

    @property
    def final(self) -> Stored:
        return self.store("final")

    def store(self, name: str) -> Stored:
        return next(store for store in self.stores if store.name == name)

    def one(self, number: int, folder: Path) -> Runs:
        """The run of one recording on the ROIs of the models, as a command reads it."""
        units = self.final.card["units"]
        return runs_of([self.recordings[number]], self.settings, folder, units)


def make_study(folder: Path) -> Study:
    """Pretrain the models of the dataset, and write predictions that are as good as chance."""
    settings, found = settings_of(), recordings()
    runs = runs_of(found, settings, folder / "runs")
    stores = []
    for name in model_names(settings, [run.subject for run in runs.runs]):
        place = folder / "models" / name
        place.mkdir(parents=True)
        made = learn(runs, "toy", name, settings)
        write_store(place, made.model, made.card, made.scores, made.arrays)
        stores.append(Stored(place))
    decisions = np.random.default_rng(0).standard_normal((1, N_SUBJECTS))
    predicted = xr.Dataset({"full": (("seed", "subject"), decisions)}, attrs={"target": "group"})
    predicted.to_netcdf(folder / "group.nc", engine="h5netcdf")
    return Study(folder, found, runs, settings, stores, [folder / "group.nc"])
