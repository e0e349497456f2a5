"""Reading options, one model a modality; they stand under `read:` in the manifest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neuropipe.settings import Settings


class ReadSettings(Settings):
    """What every modality shares."""

    species: str | None = Field(
        default=None, description="binomial name, where the files do not say (Mus musculus)"
    )


class FmriReadSettings(ReadSettings):
    """BIDS NIfTI, fMRIPrep derivatives, or ROI time series."""

    format: Literal["auto", "nifti", "timeseries"] = "auto"


class CalciumReadSettings(ReadSettings):
    """NWB optical physiology or Suite2p folders."""

    format: Literal["auto", "nwb", "suite2p"] = "auto"


class SpikesReadSettings(ReadSettings):
    """NWB spiking units."""


class ImagesReadSettings(ReadSettings):
    """Images and the responses to them."""

    format: Literal["auto", "arrays", "algonauts"] = "auto"


READ_SETTINGS: dict[str, type[ReadSettings]] = {
    "fmri": FmriReadSettings,
    "calcium": CalciumReadSettings,
    "spikes": SpikesReadSettings,
    "images": ImagesReadSettings,
}
