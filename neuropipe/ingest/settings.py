"""Reading options, one model a modality; they stand under `read:` in the manifest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from neuropipe.names import PATTERN
from neuropipe.settings import Settings


class ReadSettings(Settings):
    """What every modality shares."""

    species: str | None = Field(
        default=None, description="binomial name, where the files do not say (Mus musculus)"
    )


class FmriReadSettings(ReadSettings):
    """BIDS NIfTI, fMRIPrep derivatives, or ROI time series.

    Paths are relative to the dataset's root and may hold ``{subject}``, ``{session}``, ``{task}``
    and ``{run}``. Without any cleaning option the extracted series are kept as they are.
    """

    format: Literal["auto", "nifti", "timeseries"] = Field(
        default="auto", description="nifti: BIDS images; timeseries: tables of ROI means"
    )
    # Which files
    folder: str | None = Field(
        default=None, description="folder whose data are read, such as derivatives/fmriprep"
    )
    space: str | None = Field(
        default=None,
        description="space-<label> to read; for files without that entity, the space they are in",
    )
    desc: str | None = Field(
        default="preproc",
        description="desc-<label> of derivatives, read instead of raw images where present;"
        " null reads raw images",
    )
    select: dict[str, str] = Field(
        default={}, description="further entities that a file must have: {acq: mb, seg: Schaefer}"
    )
    repetition_time: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="s, where no sidecar says it; overrules an image header",
    )
    dummy_scans: int = Field(
        default=0, ge=0, le=100, description="volumes left out at the start (steady state)"
    )
    # What a unit is
    units: Literal["auto", "parcellation", "mask", "grid"] = Field(
        default="auto",
        description="regions, single voxels, or cubes of voxels; auto takes a parcellation or atlas"
        " if one is set, else the voxels of a mask if one is set, else a grid",
    )
    parcellation: str | None = Field(
        default=None, description="path of a 3-D image of labels, or a 4-D one of region weights"
    )
    labels: str | None = Field(
        default=None,
        description="path of its table (index, name, optional hemisphere, network, region);"
        " default: the .tsv of the same name",
    )
    atlas: str | None = Field(
        default=None,
        description="atlas by name: schaefer-<n>-<7|17>, aal, harvard-oxford,"
        " destrieux, basc-<n>, msdl, difumo-<n>",
    )
    atlas_folder: str | None = Field(
        default=None, description="where `neuropipe atlas` put it; default: the user's cache"
    )
    mask: str | None = Field(
        default=None, description="path of a brain mask; default: the derivative's own, if any"
    )
    grid_edge: int = Field(default=4, ge=1, le=64, description="edge of a grid's cube, in voxels")
    max_units: int = Field(
        default=20_000, ge=1, description="more units than this are refused (voxels of a brain)"
    )
    homologues: Literal["auto", "alternating", "none"] = Field(
        default="auto",
        description="left/right partners: by name, by position (2k left, 2k+1 right), or none",
    )
    # Cleaning
    smoothing_fwhm: float | None = Field(
        default=None, gt=0, le=50, description="mm; Gaussian smoothing of the images"
    )
    detrend: bool = Field(default=False, description="remove a linear trend")
    standardize: Literal[False, "zscore_sample", "psc"] = Field(
        default=False, description="z-scores, or percent signal change"
    )
    high_pass: float | None = Field(default=None, gt=0, description="Hz, Butterworth order 5")
    low_pass: float | None = Field(default=None, gt=0, description="Hz, Butterworth order 5")
    confounds: list[str] = Field(
        default=[],
        description="columns of the confounds table to regress out, or motion,"
        " motion-{basic,derivatives,power2}, wm_csf, global_signal, high_pass, compcor",
    )
    fd_threshold: float | None = Field(
        default=None, gt=0, description="mm; volumes with more framewise displacement become NaN"
    )
    # ROI time series
    orientation: Literal["auto", "time_by_unit", "unit_by_time"] = Field(
        default="auto",
        description="axes of arrays without a header; auto is time_by_unit, and refuses an array"
        " with more units than times. Files with a header have one column a unit",
    )
    key: str | None = Field(
        default=None, description="name of the array in .npz and .mat; default: the only one"
    )
    unit_table: str | None = Field(
        default=None,
        description="path of a table of the units (name, optional hemisphere, network)",
    )
    max_missing: float = Field(
        default=0.2, ge=0, lt=1, description="largest share of missing times in one unit"
    )


class NwbReadSettings(ReadSettings):
    """What both kinds of NWB recordings share."""

    trial_type: str | None = Field(
        default=None,
        description="column of the interval tables that becomes trial_type; by default the first "
        "of trial_type, condition, stimulus_name that a table has, otherwise the table's name",
    )
    behavior: list[str] | None = Field(
        default=None,
        description="behavioural series to read, by their own name or that of a container; by "
        "default all of at most 16 columns and 20 million values; [] reads none",
    )
    event_series: list[str] | None = Field(
        default=None,
        description="series of event codes to read as events, by name; by default those of a file "
        "without interval tables; [] reads none",
    )
    filters: dict[str, tuple[float | None, float | None]] = Field(
        default={},
        description="[low, high], inclusive, by numeric column of the unit table; null is no bound",
    )
    wiring: list[str] = Field(
        default=[],
        description="tables of anatomical wiring, as paths relative to the dataset's root",
    )


class CalciumReadSettings(NwbReadSettings):
    """NWB optical physiology or Suite2p folders."""

    format: Literal["auto", "nwb", "suite2p"] = Field(
        default="auto", description="format of the files; auto tells it from their names"
    )
    series: str | None = Field(
        default=None,
        description="NWB response series or container to read, by name; by default dF/F, otherwise "
        "fluorescence (deconvolved traces only by name)",
    )
    unit_names: str | None = Field(
        default=None,
        description="column of the ROI table with the neurons' names; by default the first text "
        "column of the usual ones (neuron_name, NeuroPAL_ID, label, ...)",
    )
    homologues: Literal["auto", "alternating", "none"] = Field(
        default="auto",
        description="how left and right partners are found: by name, by alternating order, or not",
    )
    dff: Literal["auto", "never"] = Field(
        default="auto", description="auto turns raw fluorescence into dF/F; never keeps it"
    )
    baseline_window: float = Field(
        default=60.0, gt=0, description="window of the running baseline F0, in s"
    )
    baseline_percentile: float = Field(
        default=10.0, ge=0, le=100, description="percentile of the window that is F0, 0 to 100"
    )
    neuropil_factor: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="share of the neuropil subtracted from raw fluorescence, 0 to 1 (Chen et al. "
        "2013); 0 subtracts none",
    )
    traces: Literal["fluorescence", "deconvolved"] = Field(
        default="fluorescence", description="which traces of a Suite2p folder: F or spks"
    )
    cell_probability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Suite2p: least probability of being a cell, 0 to 1; default: its own verdict",
    )
    sampling_rate: float | None = Field(
        default=None, gt=0, description="Suite2p: rate in Hz, where ops.npy cannot be read"
    )


class SpikesReadSettings(NwbReadSettings):
    """NWB spiking units."""

    quality: list[str] | None = Field(
        default=None,
        description="labels to keep of the column quality, KSLabel or group; by default all units",
    )
    min_rate: float | None = Field(
        default=None, ge=0, description="least mean firing rate in Hz; by default none"
    )
    max_isi_violations: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="largest share of intervals below the refractory period, 0 to 1; default none",
    )
    refractory_period: float = Field(
        default=0.0015, gt=0, lt=0.1, description="for max_isi_violations, in s"
    )
    sort_spikes: bool = Field(
        default=False, description="sort spike times that are out of order instead of refusing them"
    )
    shift_to_zero: bool = Field(
        default=False,
        description="shift spikes, events and behaviour so that the earliest spike falls on 0 s",
    )
    electrode_unit: Literal["auto", "um", "mm", "m"] = Field(
        default="auto",
        description="length unit of the electrode positions; auto judges by their size",
    )


class ImagesReadSettings(ReadSettings):
    """Images and the responses to them."""

    format: Literal["auto", "arrays", "algonauts"] = Field(
        default="auto", description="layout of the files; auto tells it from their names"
    )
    images: str = Field(
        default="images",
        pattern=f"^{PATTERN}$",
        description="name of the folder of images in a session",
    )
    responses: str | None = Field(
        default=None,
        description="name of the response file beside it; by default responses_trials, responses "
        "or responses_mean with .npy, .mat, .h5 or .hdf5, in that order",
    )
    variable: str | None = Field(
        default=None, description="array inside a .mat or HDF5 file that holds several"
    )
    axes: str = Field(
        default="unit,stimulus,repeat",
        description="order of the response array's axes: unit, stimulus and, for trials, repeat",
    )
    response_unit: str = Field(
        default="", description="what a response is measured in, such as spikes/s"
    )
    subjects: dict[str, str] = Field(
        default={}, description="subject by session folder, where the path does not name it"
    )
    regions: list[str] | None = Field(
        default=None,
        description="Algonauts: vertices of these areas only (V1v, FFA-1...); by default all",
    )

    @field_validator("axes")
    @classmethod
    def _known_axes(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        if sorted(names) not in (["repeat", "stimulus", "unit"], ["stimulus", "unit"]):
            raise ValueError("unit, stimulus and perhaps repeat, each once, with commas")
        return ",".join(names)


READ_SETTINGS: dict[str, type[ReadSettings]] = {
    "fmri": FmriReadSettings,
    "calcium": CalciumReadSettings,
    "spikes": SpikesReadSettings,
    "images": ImagesReadSettings,
}
