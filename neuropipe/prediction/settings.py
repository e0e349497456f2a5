"""Settings of the prediction of participants' labels: targets, folds, nulls and intervals."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from neuropipe.settings import Settings, distinct

Kind = Literal["correlation", "partial", "tangent"]
#: Name among `confounds` that stands for head movement, read from the recordings' own confounds.
MOTION = "mean_framewise_displacement"


class PredictionSettings(Settings):
    """What is predicted of the participants, and how it is tested."""

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

    @field_validator("targets", "confounds", "classifiers", "seeds")
    @classmethod
    def _distinct_entries(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        return distinct(values)

    @model_validator(mode="after")
    def _described_targets(self) -> PredictionSettings:
        unknown = sorted((set(self.target_types) | set(self.positive)) - set(self.targets))
        if unknown:
            raise ValueError(f"{unknown[0]} is described but is not among targets")
        return self
