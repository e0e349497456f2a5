"""Settings of topological representational similarity analysis."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neuropipe.settings import Settings

Measure = Literal[
    "crossnobis", "mahalanobis", "euclidean", "correlation", "poisson", "crossvalidated poisson"
]
Comparison = Literal[
    "rho-a", "spearman", "corr", "cosine", "tau-a", "tau-b", "corr_cov", "cosine_cov"
]


class ResponseSettings(Settings):
    """Which responses make up the pattern of a condition."""

    condition: str = Field(
        default="trial_type",
        description="column of the events whose entries are the conditions; recordings of images "
        "have one condition a stimulus",
    )
    exclude: tuple[str, ...] = Field(
        default=("rest", "baseline", "fixation", "n/a"),
        description="entries of that column that are no condition",
    )
    window: tuple[float, float] | None = Field(
        default=None,
        description="s after an event's onset between which spikes are counted, or traces "
        "averaged; default: the whole event",
    )
    baseline: float = Field(
        default=0.0, ge=0, le=60,
        description="s before an event's onset whose mean is subtracted; 0 for none (spikes, "
        "calcium)",
    )  # fmt: skip
    bin_width: float | None = Field(
        default=None, gt=0,
        description="s; cut longer events (films, runs on a track) into stretches of this length, "
        "each a condition of its own",
    )  # fmt: skip
    time_step: float | None = Field(
        default=None, gt=0,
        description="s; RDMs also in successive windows of this length within `window` (spikes, "
        "calcium)",
    )  # fmt: skip
    n_folds: int = Field(
        default=6, ge=2, le=100,
        description="folds for crossvalidation that the trials of a single run are parted into, in "
        "the order of time; several runs are folds themselves",
    )  # fmt: skip
    hrf: Literal["glover", "spm", "glover + derivative"] = Field(
        default="glover", description="hemodynamic response of the GLM (fmri)"
    )
    high_pass: float = Field(
        default=0.01, ge=0, le=0.1, description="Hz; cut-off of the GLM's cosine drifts (fmri)"
    )
    noise_model: Literal["ar1", "ols"] = Field(
        default="ar1", description="autocorrelation of the GLM's residuals (fmri)"
    )
    confounds: tuple[str, ...] = Field(
        default=(),
        description="confounds of the recording that join the GLM, such as trans_x (fmri)",
    )


class TopologySettings(Settings):
    """Geo-topological transforms and persistent homology."""

    step: float = Field(
        default=0.05, ge=0.01, le=0.5, description="step of the grid of thresholds l < u"
    )
    n_cells: int = Field(
        default=10, ge=1, le=100,
        description="cells of the grid that are drawn for each category of thresholds",
    )  # fmt: skip
    max_dimension: int = Field(
        default=1, ge=0, le=2, description="highest dimension of the homology; 2 takes much longer"
    )
    max_points: int = Field(
        default=100, ge=10, le=1000,
        description="conditions that persistent homology looks at; more are thinned by a draw from "
        "their names, for the cost grows with the third power",
    )  # fmt: skip
    n_null: int = Field(
        default=99, ge=19, le=9999,
        description="Gaussian clouds of the same covariance that persistence is compared with",
    )  # fmt: skip


class TrsaSettings(Settings):
    """Geometry and topology of representations: RDMs, models, identification."""

    responses: ResponseSettings = Field(
        default_factory=ResponseSettings, description="from events to patterns"
    )
    topology: TopologySettings = Field(
        default_factory=TopologySettings, description="thresholds and persistent homology"
    )
    measure: Measure = Field(
        default="crossnobis",
        description="dissimilarity of patterns; crossvalidated ones need two folds: where there is "
        "one, mahalanobis or euclidean takes their place and the section says so",
    )
    shrinkage: Literal["diagonal", "identity"] | float = Field(
        default="diagonal",
        description="of the noise covariance: towards its diagonal (Schaefer & Strimmer 2005), "
        "towards one variance (Ledoit & Wolf 2004), or a share in [0, 1]",
    )
    comparison: Comparison = Field(
        default="rho-a", description="how RDMs are compared with models and with each other"
    )
    region: str = Field(
        default="auto",
        description="column of the unit table whose entries are regions with RDMs of their own; "
        "auto: region, else network; none: all units together",
    )
    searchlight: float | None = Field(
        default=None, gt=0,
        description="m; radius of neighbourhoods about every unit with a position that get RDMs "
        "of their own (0.009 is usual for fMRI); null for none",
    )  # fmt: skip
    min_units: int = Field(default=5, ge=2, description="fewer units of a region are left out")
    min_conditions: int = Field(
        default=4, ge=3, description="a recording with fewer conditions is refused"
    )
    max_conditions: int = Field(
        default=400, ge=4,
        description="more conditions than this are thinned by a draw from their names",
    )  # fmt: skip
    nuisances: tuple[str, ...] = Field(
        default=("pixels", "colour", "Gabor energy"),
        description="models that explain nothing of interest: what the others explain beyond them "
        "is shown beside each score",
    )
    circular: dict[str, float] = Field(
        default_factory=dict,
        description="columns of the table of conditions that come round, with their period, such "
        "as {angle: 360}; their models take the shorter way",
    )
    models: tuple[str, ...] = Field(
        default=(),
        description="files of model RDMs to compare with, relative to the manifest (matrix with "
        "names, npy, mat, or result.nc of this analysis)",
    )
    new: Literal["subjects", "conditions", "both"] = Field(
        default="both",
        description="what the comparison of models over subjects is to hold for: new subjects, new "
        "conditions, or both; one subject allows new conditions only",
    )
    n_bootstrap: int = Field(
        default=1000, ge=50, description="draws of conditions (and subjects) with replacement"
    )
    n_permutations: int = Field(
        default=999, ge=99, description="permutations of the conditions of a model"
    )
    alpha: float = Field(default=0.05, gt=0, lt=1, description="level of the tests")
    seed: int = Field(default=0, ge=0, description="of all random draws")

    @model_validator(mode="after")
    def _limits(self) -> TrsaSettings:
        if isinstance(self.shrinkage, float) and not 0 <= self.shrinkage <= 1:
            raise ValueError("shrinkage is a share in [0, 1]")
        if self.min_conditions > self.max_conditions:
            raise ValueError("min_conditions is above max_conditions")
        window = self.responses.window
        if window is not None and window[0] >= window[1]:
            raise ValueError("window is two times in s, the first before the second")
        if self.responses.time_step is not None and window is None:
            raise ValueError("time_step needs a window")
        return self
