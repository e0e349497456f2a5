"""Settings of functional connectivity, of one recording and of a dataset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from neuropipe.settings import Settings

Kind = Literal["correlation", "partial", "tangent"]
#: Name among `confounds` that stands for head movement, read from the recordings' own confounds.
MOTION = "mean_framewise_displacement"


class ConnectivitySettings(Settings):
    """Static functional connectivity (FC) and what can be predicted from it."""

    # One recording
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
    # A dataset
    kinds: tuple[Kind, ...] = Field(
        default=("correlation", "partial", "tangent"),
        min_length=1,
        description="FC from which the targets are predicted",
    )
    targets: tuple[str, ...] = Field(
        default=(), description="columns of the participants table to predict: [diagnosis, age]"
    )
    target_types: dict[str, Literal["classification", "regression"]] = Field(
        default={},
        description="type of a target, where it is not what its values suggest: numbers with more "
        "than ten distinct values are regression, all else classification",
    )
    positive: dict[str, str] = Field(
        default={},
        description="positive class of a two-class target; default: the rarer one",
    )
    confounds: tuple[str, ...] = Field(
        default=(),
        description="participant columns that an extra row regresses out of the features within "
        f"folds: [age, sex]; {MOTION} stands for head movement where the recordings tell it",
    )
    group_column: str = Field(
        default="",
        description="participant column of what must stay together in a split, such as family_id",
    )
    classifiers: tuple[Literal["ridge", "logistic"], ...] = Field(
        default=("ridge",),
        min_length=1,
        description="ridge: least squares on +-1, penalty by leave-one-out; logistic: l2, penalty "
        "by inner folds, slow with permutations",
    )
    n_splits: int = Field(default=5, ge=2, le=50, description="folds of the cross-validation")
    seeds: tuple[int, ...] = Field(
        default=(0, 1, 2, 3, 4), min_length=1, description="one partition into folds a seed"
    )
    n_permutations: int = Field(
        default=200, ge=19, description="label permutations for chance and p values"
    )
    n_resamples: int = Field(
        default=2000, ge=200, description="bootstrap resamples of subjects for intervals"
    )
    min_subjects: int = Field(
        default=20,
        ge=10,
        description="with fewer subjects nothing is predicted: the numbers would mean nothing",
    )

    @field_validator("kinds", "targets", "confounds", "classifiers", "seeds")
    @classmethod
    def _unique(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) != len(values):
            raise ValueError("an entry stands twice")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> ConnectivitySettings:
        if self.min_units > self.max_units:
            raise ValueError("min_units is above max_units")
        unknown = sorted((set(self.target_types) | set(self.positive)) - set(self.targets))
        if unknown:
            raise ValueError(f"{unknown[0]} is described but is not among targets")
        return self
