"""Write simulated vision data as laboratories share them: folders of images beside responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.simulate.processes import stream
from neuropipe.simulate.rendering import render
from neuropipe.simulate.settings_stimuli import VisionSimulation
from neuropipe.simulate.truth import FOLDER, write_summary, write_truth
from neuropipe.simulate.vision import VisionData, simulate_vision, token_code

_SESSION, _CODE = 0, 1  # purposes of the random streams


def recordings(settings: VisionSimulation) -> list[str]:
    """Names of all recordings: ``session-01``, ``session-02``..."""
    return [f"session-{session + 1:02d}" for session in range(settings.n_sessions)]


def write(settings: VisionSimulation, folder: Path) -> None:
    """Write a folder a session, with the truth beside them.

    ``session-01/images/image0001.png``..., ``session-01/responses_trials.npy`` (units x images x
    repeats), ``session-01/units.tsv`` (unit, region); ``truth/session-01.nc`` and the token
    features in ``truth/session-01_features.npy``.

    Parameters
    ----------
    settings : VisionSimulation
    folder : Path
        An existing folder.
    """
    code = token_code(stream(settings.seed, _CODE))
    facts: dict[str, Any] = {"ceiling": settings.ceiling, "recordings": {}}
    for session, recording in enumerate(recordings(settings)):
        data = simulate_vision(
            settings.n_images,
            stream(settings.seed, _SESSION, session),
            n_repeats=settings.n_repeats,
            units_per_roi=settings.units_per_roi,
            ceiling=settings.ceiling,
            noise=settings.noise,
            background=settings.background,
            code=code,
        )
        (folder / recording / "images").mkdir(parents=True)
        _write_images(render(data.scenes.features, code), folder / recording / "images")
        trials = data.responses.transpose(2, 1, 0)
        np.save(folder / recording / "responses_trials.npy", np.ascontiguousarray(trials))
        _unit_table(data).to_csv(folder / recording / "units.tsv", sep="\t", index=False)
        write_truth(folder, recording, truth(data))
        # Half precision halves the file; its rounding is a thousandth of the noise.
        features = data.scenes.features.astype(np.float16)
        np.save(folder / FOLDER / f"{recording}_features.npy", features)
        facts["recordings"][recording] = {
            "n_units": len(data.voxels.rois),
            "noise_sd": round(data.noise_sd, 6),
        }
    write_summary(folder, "vision", settings, facts)


def truth(data: VisionData) -> xr.Dataset:
    """Bundle what is true of a session.

    Parameters
    ----------
    data : VisionData

    Returns
    -------
    xarray.Dataset
        ``signal`` (noise-free responses), where each object is (``cells``), what it shows
        (``content``), which category each unit reads (-1: the static area), the weights, the
        receptive field and the token code.
    """
    scenes, voxels = data.scenes, data.voxels
    return xr.Dataset(
        {
            "signal": (("image", "unit"), data.signal.astype(np.float32)),
            "cells": (("image", "category"), scenes.cells.astype(np.int16)),
            "content": (("image", "category", "exemplar"), scenes.content.astype(np.float32)),
            "region": ("unit", voxels.rois.astype(object)),
            "reads": ("unit", voxels.category.astype(np.int8)),
            "weights": (("unit", "exemplar"), voxels.weights),
            "field": ("token", voxels.field),
            "category_code": (("category", "feature"), data.code.categories),
            "exemplar_code": (("exemplar", "feature"), data.code.exemplars),
        },
        attrs={"noise_sd": data.noise_sd},
    )


def _unit_table(data: VisionData) -> pd.DataFrame:
    """Unit names and regions, one row a unit."""
    regions = data.voxels.rois
    names = [f"unit{index + 1:03d}" for index in range(len(regions))]
    return pd.DataFrame({"unit": names, "region": regions})


def _write_images(images: np.ndarray, folder: Path) -> None:
    from PIL import Image

    digits = max(4, len(str(len(images))))
    for index, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"image{index + 1:0{digits}d}.png")
