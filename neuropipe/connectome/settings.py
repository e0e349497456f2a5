"""Settings of the dynamic connectome."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from neuropipe.settings import Settings, distinct


class UnitSettings(Settings):
    """Which units, frames and events of the recordings make up the tensor."""

    max_missing: float = Field(
        default=0.1, ge=0, lt=1,
        description="share of missing frames above which a unit counts as absent from a "
        "recording; shorter gaps are filled linearly",
    )  # fmt: skip
    min_presence: float = Field(
        default=0.3, ge=0, le=1,
        description="share of the recordings in which a unit must be present; rarer ones are left "
        "out",
    )  # fmt: skip
    merge_homologues: bool = Field(
        default=False,
        description="average each left/right pair to one unit, where the unit table names pairs",
    )
    min_units: int = Field(default=6, ge=4, description="fewer usable units than this are refused")
    max_units: int = Field(
        default=1000, ge=4,
        description="more units than this are thinned by a draw from their names, because pairs "
        "grow with the square",
    )  # fmt: skip
    min_samples: int = Field(
        default=50, ge=20, description="fewer common frames than this are refused"
    )
    clock: Literal["auto", "shared", "events", "own"] = Field(
        default="auto",
        description="time axis of the tensor. shared: frame t is the same moment in all "
        "recordings; events: windows about the events, put into one order; own: each recording "
        "has its own time course of every component (rest). auto: shared where all recordings "
        "have the same events at the same times, events where they have the same events in "
        "another order or at other times, else own",
    )
    window: tuple[float, float] | None = Field(
        default=None,
        description="s before and after an event's onset that make up its window (clock: events); "
        "default: from the onset to the shortest time until the next onset or the end",
    )

    @model_validator(mode="after")
    def _unit_limits(self) -> UnitSettings:
        if self.min_units > self.max_units:
            raise ValueError("min_units is above max_units")
        if self.window is not None and (min(self.window) < 0 or sum(self.window) <= 0):
            raise ValueError("window is two times in s, before and after, not both 0")
        return self


class AffinitySettings(Settings):
    """How traces become affinities: concurrent changes of two units in the same direction."""

    kind: Literal["geo", "prod", "min"] = Field(
        default="geo",
        description="geo: sqrt(|d_i d_j|), prod: d_i d_j, min: min(|d_i|, |d_j|), of the rates of "
        "change d and 0 where their signs differ; min needs the whole tensor in memory",
    )
    smoothing: float = Field(
        default=0.5,
        ge=0,
        le=60,
        description="s; SD of the Gaussian over time before the derivative",
    )
    noise_floor: float = Field(
        default=0.0, ge=0, le=5,
        description="SDs of the rate of change (robust) that are subtracted from its size",
    )  # fmt: skip
    cap: float | None = Field(
        default=0.995, gt=0.5, le=1,
        description="quantile of |rate of change| of a unit above which it is cut: single "
        "artefacts would own the fit; null for no cap",
    )  # fmt: skip
    affinity_smoothing: float = Field(
        default=1.0, ge=0, le=60, description="s; SD of the Gaussian over time of the affinities"
    )
    signed: bool = Field(
        default=False,
        description="also factorise opposite changes: every component then has a weight for "
        "coactive and one for antagonist pairs",
    )


class FactorizationSettings(Settings):
    """Non-negative tensor factorization and the choice of its rank."""

    rank: int | Literal["auto"] = Field(
        default="auto", description="number of components; auto: chosen among `ranks`"
    )
    ranks: tuple[int, ...] = Field(
        default=(2, 3, 4, 6, 8, 12, 16),
        min_length=1,
        description="candidates of rank: auto; they are tried upwards until two in a row predict "
        "held-out entries clearly worse than the best",
    )
    n_restarts: int = Field(
        default=10, ge=1, le=200, description="random starts; the one with the least error stays"
    )
    max_iterations: int = Field(default=500, ge=1, description="of one start")
    tolerance: float = Field(
        default=1e-6, gt=0, lt=1,
        description="relative change of the objective below which, five times in a row, it stops",
    )  # fmt: skip
    path: Literal["auto", "dense", "matrix-free"] = Field(
        default="auto",
        description="dense: the tensor in memory, fastest for few units; matrix-free: never forms "
        "it (geo and prod only); auto: dense while the tensor takes at most 1 GB",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="where it runs; auto: a GPU where there is one"
    )

    @field_validator("ranks")
    @classmethod
    def _ranks(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if min(values) < 1 or list(values) != sorted(values):
            raise ValueError("ranks are positive and ascending")
        distinct(values)
        return values

    @field_validator("rank")
    @classmethod
    def _rank(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("rank is at least 1")
        return value


class CommunitySettings(Settings):
    """Weighted stochastic block models."""

    degree_correction: Literal["held-out", "on", "off"] = Field(
        default="held-out",
        description="whether blocks allow for units of unequal degree; held-out: what predicts "
        "left-out edges better",
    )
    n_runs: int = Field(
        default=20, ge=1, le=500, description="agglomerative runs; the shortest description stays"
    )
    min_weight: float = Field(
        default=1e-3, ge=0, lt=1,
        description="edges below this share of the largest weight are dropped",
    )  # fmt: skip


class ConnectomeSettings(UnitSettings):
    """Dynamic functional connectome: affinities, tensor factorization, block models."""

    affinity: AffinitySettings = Field(
        default_factory=AffinitySettings, description="from traces to affinities"
    )
    factorization: FactorizationSettings = Field(
        default_factory=FactorizationSettings, description="of the affinity tensor"
    )
    communities: CommunitySettings = Field(
        default_factory=CommunitySettings, description="of the factorised affinities"
    )
    n_windows: int = Field(
        default=6, ge=1, le=100,
        description="equal stretches of time of which communities are read, beside those of events",
    )  # fmt: skip
    n_shifts: int = Field(
        default=19, ge=19, le=9999,
        description="refits on circularly shifted traces: the null of fit and communities",
    )  # fmt: skip
    n_bootstrap: int = Field(
        default=20, ge=0, le=1000,
        description="refits on animals drawn with replacement: stability of the motifs",
    )  # fmt: skip
    alpha: float = Field(default=0.05, gt=0, lt=1, description="level of the tests")
    wiring: tuple[str, ...] = Field(
        default=(),
        description="CSV files of a wiring diagram to compare motifs with, relative to the "
        "manifest: a matrix (first column and first row name units) or an edge list (pre, post, "
        "weight); several are summed",
    )
    seed: int = Field(default=0, ge=0, description="of all random draws")
