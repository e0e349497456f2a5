"""Write simulated representations as laboratories share them: a folder of images a subject."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial.distance import squareform

from neuropipe.simulate.pictures import (
    CATEGORIES,
    SIZES,
    Pictures,
    draw_pictures,
    render_pictures,
)
from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings_stimuli import RepresentationsSimulation
from neuropipe.simulate.truth import FOLDER, write_summary, write_truth
from neuropipe.simulate.visual_regions import (
    REGIONS,
    SubjectResponses,
    noise_free_rdm,
    shared_latents,
    simulate_subject,
)

_PICTURES, _LATENTS, _SUBJECT = 1, 2, 3  # purposes of the random streams


def recordings(settings: RepresentationsSimulation) -> list[str]:
    """Names of all recordings: ``sub-01``, ``sub-02``..."""
    digits = max(2, len(str(settings.n_subjects)))
    return [f"sub-{subject + 1:0{digits}d}" for subject in range(settings.n_subjects)]


def write(settings: RepresentationsSimulation, folder: Path) -> None:
    """Write a folder a subject, with the truth beside them.

    ``sub-01/images/fish-1.png``..., ``sub-01/stimuli.tsv`` (path, category, animate, size, angle),
    ``sub-01/responses_trials.npy`` (units x images x repeats), ``sub-01/units.tsv`` (unit, region);
    ``truth/sub-01.nc``, ``truth/stimuli.tsv`` with what was drawn besides, and the RDM that all
    subjects share in ``truth/early.tsv``, ``category.tsv``, ``ring.tsv`` and ``mixed.tsv``.

    Parameters
    ----------
    settings : RepresentationsSimulation
    folder : Path
        An existing folder.
    """
    pictures = draw_pictures(settings.images_per_category, stream(settings.seed, _PICTURES))
    pixels = render_pictures(pictures)
    latents = shared_latents(pictures, pixels, stream(settings.seed, _LATENTS))
    stimuli = stimulus_table(pictures)
    facts: dict[str, Any] = {"ceiling": settings.ceiling, "recordings": {}}
    for subject, recording in enumerate(recordings(settings)):
        data = simulate_subject(
            latents,
            stream(settings.seed, _SUBJECT, subject),
            n_repeats=settings.n_repeats,
            units_per_region=settings.units_per_region,
            ceiling=settings.ceiling,
            individuality=settings.individuality,
        )
        own = folder / recording
        (own / "images").mkdir(parents=True)
        _write_images(pixels, stimuli["path"].tolist(), own / "images")
        _write_table(stimuli, own / "stimuli.tsv")
        _write_table(_unit_table(settings.units_per_region), own / "units.tsv")
        trials = data.responses.transpose(0, 3, 2, 1)  # (g, u, i, r)
        np.save(own / "responses_trials.npy", trials.reshape(-1, *trials.shape[2:]))
        write_truth(folder, recording, truth(data, latents, stimuli))
        facts["recordings"][recording] = {
            "gain": dict(zip(REGIONS, data.gain.round(6), strict=True)),
            "noise_sd": dict(zip(REGIONS, data.noise_sd.round(6), strict=True)),
        }
    _write_shared(pictures, stimuli, latents, folder / FOLDER)
    write_summary(folder, "representations", settings, facts)


def stimulus_table(pictures: Pictures) -> pd.DataFrame:
    """List what the images show.

    Parameters
    ----------
    pictures : Pictures

    Returns
    -------
    pandas.DataFrame
        ``path`` within the folder of images, ``category``, ``animate`` and ``size`` as words,
        ``angle`` of the hue in degrees.
    """
    names = np.array(CATEGORIES)[pictures.category]
    seen = dict.fromkeys(CATEGORIES, 0)
    numbers = []
    for name in names:
        seen[name] += 1
        numbers.append(seen[name])
    digits = len(str(max(numbers)))
    return pd.DataFrame(
        {
            "path": [f"{n}-{k:0{digits}d}.png" for n, k in zip(names, numbers, strict=True)],
            "category": names,
            "animate": np.where(pictures.animate, "animate", "inanimate"),
            "size": np.array(SIZES)[pictures.size],
            "angle": pictures.angle,
        }
    )


def truth(
    data: SubjectResponses, latents: dict[str, NDArray[np.float64]], stimuli: pd.DataFrame
) -> xr.Dataset:
    """Bundle what is true of a subject.

    Parameters
    ----------
    data : SubjectResponses
    latents : dict of str to array of shape (n_images, n_latents)
        As all subjects share them.
    stimuli : pandas.DataFrame
        As of `stimulus_table`.

    Returns
    -------
    xarray.Dataset
        ``signal`` (noise-free responses, by region), its ``rdm`` (squared distance per unit),
        ``shared_rdm`` (the same of the latents: without the subject's own part, and at gain 1),
        ``latents``, ``gain`` and ``noise_sd``.
    """
    matrix = ("region", "stimulus", "other")
    return xr.Dataset(
        {
            "signal": (("region", "stimulus", "unit"), data.signal.astype(np.float32)),
            "rdm": (matrix, np.stack([squareform(noise_free_rdm(s)) for s in data.signal])),
            "shared_rdm": (
                matrix,
                np.stack([squareform(noise_free_rdm(latents[g])) for g in REGIONS]),
            ),
            "latents": (
                ("region", "stimulus", "dimension"),
                np.stack([latents[g] for g in REGIONS]),
            ),
            "gain": ("region", data.gain),
            "noise_sd": ("region", data.noise_sd),
        },
        coords={"region": list(REGIONS), "stimulus": _stems(stimuli), "other": _stems(stimuli)},
    )


def _write_shared(
    pictures: Pictures,
    stimuli: pd.DataFrame,
    latents: dict[str, NDArray[np.float64]],
    folder: Path,
) -> None:
    drawn = stimuli.assign(
        right=pictures.place[:, 0].round(3),
        down=pictures.place[:, 1].round(3),
        grating_orientation=np.rad2deg(pictures.orientation).round(3),
        grating_period=pictures.period,
    )
    _write_table(drawn, folder / "stimuli.tsv")
    names = _stems(stimuli)
    for region in REGIONS:
        rdm = squareform(noise_free_rdm(latents[region])).round(6)
        table = pd.DataFrame(rdm, index=pd.Index(names, name="stimulus"), columns=names)
        table.to_csv(folder / f"{region}.tsv", sep="\t", lineterminator="\n")


def _stems(stimuli: pd.DataFrame) -> list[str]:
    return [Path(path).stem for path in stimuli["path"]]


def _unit_table(units_per_region: int) -> pd.DataFrame:
    """Unit names and regions, one row a unit."""
    regions = np.repeat(REGIONS, units_per_region)
    digits = max(3, len(str(len(regions))))
    names = [f"unit{index + 1:0{digits}d}" for index in range(len(regions))]
    return pd.DataFrame({"unit": names, "region": regions})


def _write_table(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, sep="\t", index=False, lineterminator="\n")


def _write_images(pixels: NDArray[np.uint8], names: list[str], folder: Path) -> None:
    from PIL import Image

    for image, name in zip(pixels, names, strict=True):
        Image.fromarray(image).save(folder / name)
