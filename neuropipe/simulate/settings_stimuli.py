"""Settings of the generators of spiking sessions, visual responses and representations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neuropipe.simulate.settings_base import Simulation

_N_AREAS = 5
_TOKEN_VALUES = 12 * 12 * 32  # features of one image
_N_CATEGORIES, _N_REGIONS = 4, 4
_PIXEL_VALUES = 96 * 96 * 3  # of one picture


class SpikesSimulation(Simulation):
    """Spiking sessions: a hub circuit whose units also see films, follow speed, or know places."""

    n_subjects: int = Field(default=1, ge=1, le=500, description="subjects, one session each")
    n_units: int = Field(default=48, ge=8, le=1000, description="units per session")
    duration: float = Field(default=330.0, ge=30.0, le=7200.0, description="s per session")
    mean_rate: float = Field(default=7.0, gt=0.1, le=30.0, description="mean rate of units, Hz")
    neuron: Literal["point process", "integrate and fire"] = Field(
        default="point process", description="how units turn input into spikes"
    )
    visual_share: float = Field(default=0.4, ge=0, le=1, description="units that see the films")
    place_share: float = Field(default=0.3, ge=0, le=1, description="units with a place field")
    speed_share: float = Field(default=0.3, ge=0, le=1, description="units that follow the speed")
    gain: float = Field(
        default=1.0,
        ge=0,
        le=1.5,
        description="factor on synaptic weights of 0.5 to 1.3 in log rate: 1 strong, 0.5 weak",
    )
    density: float = Field(default=0.05, ge=0, le=0.3, description="synapses per pair of units")
    n_hubs: int = Field(default=4, ge=0, le=50, description="units with many targets")
    hub_out_degree: float = Field(
        default=0.4, ge=0, le=1, description="share of units a hub drives"
    )
    common_input: float = Field(
        default=0.2, ge=0, le=1, description="amplitude of a 1-Hz cosine in all log rates"
    )
    speed_time_constant: float = Field(
        default=2.0, ge=0.2, le=60, description="of the latent behind the speed, s"
    )
    arena: float = Field(default=1.0, gt=0.1, le=10, description="side of the open field, m")
    n_films: int = Field(default=2, ge=1, le=20, description="different films, shown in turn")
    film_duration: float = Field(default=10.0, ge=1, le=120, description="of one film, s")
    gap: float = Field(default=1.0, ge=0, le=30, description="grey screen before each film, s")
    frame_rate: float = Field(default=20.0, ge=2, le=100, description="of the films, Hz")
    frame_height: int = Field(default=16, ge=8, le=128, description="pixels")
    frame_width: int = Field(default=28, ge=8, le=256, description="pixels")

    @model_validator(mode="after")
    def _consistent(self) -> SpikesSimulation:
        if self.visual_share + self.place_share + self.speed_share > 1 + 1e-9:
            raise ValueError("visual_share + place_share + speed_share must not exceed 1")
        if self.n_hubs > self.n_units:
            raise ValueError("n_hubs must not exceed n_units")
        if self.gap + self.film_duration > self.duration:
            raise ValueError("duration must hold at least one gap and film_duration")
        if not (1000 / self.frame_rate).is_integer():
            raise ValueError("frame_rate must give frames of whole milliseconds")
        n_frames = self.n_films * self.film_duration * self.frame_rate
        self.refuse_absurd(n_frames * self.frame_height * self.frame_width)
        self.refuse_absurd(self.n_subjects * self.n_units * self.duration * self.mean_rate)
        return self


class VisionSimulation(Simulation):
    """Images of known content and the responses of areas that route it."""

    n_sessions: int = Field(default=1, ge=1, le=100, description="sessions, each with own images")
    n_images: int = Field(default=200, ge=10, le=20_000, description="images per session")
    n_repeats: int = Field(default=3, ge=1, le=20, description="presentations of each image")
    units_per_roi: int = Field(
        default=24, ge=1, le=2000, description="units in each of the five areas"
    )
    ceiling: float = Field(
        default=0.6, gt=0.05, lt=1, description="noise ceiling (r^2) of the mean over repeats"
    )
    noise: float = Field(default=0.3, ge=0, le=3, description="sd of token noise, per feature")
    background: float = Field(
        default=0.3, ge=0, le=3, description="variance of content outside objects, per dimension"
    )

    @model_validator(mode="after")
    def _consistent(self) -> VisionSimulation:
        n_trials = self.n_sessions * self.n_images * self.n_repeats
        self.refuse_absurd(self.n_sessions * self.n_images * _TOKEN_VALUES)
        self.refuse_absurd(n_trials * _N_AREAS * self.units_per_roi)
        return self


class RepresentationsSimulation(Simulation):
    """Subjects who see the same pictures: four regions, each with another geometry and topology."""

    n_subjects: int = Field(default=4, ge=1, le=200, description="subjects, one recording each")
    images_per_category: int = Field(
        default=6, ge=4, le=100, multiple_of=2,
        description="images of each of 4 categories: equally spaced hues, half of them small",
    )  # fmt: skip
    n_repeats: int = Field(default=6, ge=1, le=100, description="presentations of each image")
    units_per_region: int = Field(
        default=20, ge=9, le=2000, description="units in each of the four regions"
    )
    ceiling: float = Field(
        default=0.85, gt=0.05, lt=1,
        description="noise ceiling (r^2) of the mean over repeats, for the mean unit of a region",
    )  # fmt: skip
    individuality: float = Field(
        default=0.1, ge=0, le=1, description="share of the signal that is a subject's own"
    )

    @model_validator(mode="after")
    def _consistent(self) -> RepresentationsSimulation:
        n_images = self.n_subjects * _N_CATEGORIES * self.images_per_category
        self.refuse_absurd(n_images * _PIXEL_VALUES)
        self.refuse_absurd(n_images * self.n_repeats * _N_REGIONS * self.units_per_region)
        return self
