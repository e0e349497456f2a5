"""Settings of functional connectivity, of one recording and of a dataset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from neuropipe.prediction.settings import Kind, PredictionSettings
from neuropipe.settings import Settings, distinct


class MatrixSettings(Settings):
    """Which matrices are computed, from which units and frames, and how they are tested."""

    shrinkage: Literal["ledoit-wolf", "none"] = Field(
        default="ledoit-wolf",
        description="how the covariance behind partial and tangent FC is regularised (Ledoit & "
        "Wolf 2004); plain correlation is never shrunk",
    )
    max_missing: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="share of missing frames above which a unit is left out; of the units that "
        "stay only frames without any missing value are used",
    )
    min_units: int = Field(default=3, ge=3, description="fewer usable units than this are refused")
    max_units: int = Field(
        default=1000,
        ge=3,
        description="more units than this (voxels, large fields of view) are thinned by a draw "
        "from their names, because pairs grow with the square",
    )
    min_samples: int = Field(
        default=50, ge=10, description="fewer usable frames than this are refused"
    )
    block_length: float = Field(
        default=30.0,
        gt=0,
        description="s; length of the time blocks left out in turn for the intervals, and smallest "
        "circular shift: longer than the autocorrelation of the signals",
    )
    n_shuffles: int = Field(
        default=1000, ge=99, description="label shuffles of the structure tests of a recording"
    )
    alpha: float = Field(
        default=0.05, gt=0, lt=1, description="level of those tests and of the edges' FDR"
    )
    kinds: tuple[Kind, ...] = Field(
        default=("correlation", "partial", "tangent"),
        min_length=1,
        description="FC from which the targets are predicted",
    )

    @field_validator("kinds")
    @classmethod
    def _distinct_kinds(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        return distinct(values)

    @model_validator(mode="after")
    def _unit_limits(self) -> MatrixSettings:
        if self.min_units > self.max_units:
            raise ValueError("min_units is above max_units")
        return self


# The fields of the last base come first in the generated configuration.
class ConnectivitySettings(PredictionSettings, MatrixSettings):
    """Static functional connectivity (FC) and what can be predicted from it."""
