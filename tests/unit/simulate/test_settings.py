"""Settings of the generators: what is impossible is refused, what is allowed works."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neuropipe.simulate.pictures import CATEGORIES, SIDE
from neuropipe.simulate.settings import (
    SIMULATIONS,
    CalciumSimulation,
    FmriSimulation,
    GraphSimulation,
)
from neuropipe.simulate.settings_base import Simulation
from neuropipe.simulate.settings_stimuli import (
    _N_CATEGORIES,
    _N_REGIONS,
    _PIXEL_VALUES,
    _TOKEN_VALUES,
    RepresentationsSimulation,
    SpikesSimulation,
    VisionSimulation,
)
from neuropipe.simulate.vision import GRID, N_FEATURES
from neuropipe.simulate.visual_regions import N_LATENTS, REGIONS

MODELS = [*SIMULATIONS.values(), GraphSimulation]


@pytest.mark.parametrize("model", MODELS)
def test_every_option_is_described_and_defaults_are_allowed(model):
    made = model()
    for name, field in model.model_fields.items():
        assert field.description, name
    assert model(**made.model_dump()) == made


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": 0.5}, {"seeds": 1}])
def test_seeds_and_names_of_options_are_checked(model, wrong):
    with pytest.raises(ValidationError):
        model(**wrong)


@pytest.mark.parametrize(
    ("model", "wrong", "message"),
    [
        (FmriSimulation, {"y_dyn": "order", "n_states": 2}, "three or more"),
        (FmriSimulation, {"motion_spikes": 17, "duration": 20}, "more head jerks"),
        (FmriSimulation, {"dwell": (1.0, 5.0)}, "at least 2 s"),
        (FmriSimulation, {"block_duration": 0.05}, "block_duration"),
        (FmriSimulation, {"n_blocks": 4, "block_duration": 30, "duration": 239}, "do not fit"),
        (CalciumSimulation, {"design": "hub", "homologues": 0.5}, "no left/right pairs"),
        (CalciumSimulation, {"decay": 0.5}, "rises slower"),
        (CalciumSimulation, {"gain": (0.0, 1.0)}, "positive numbers"),
        (GraphSimulation, {"degree": 100}, "does not hold"),
        (GraphSimulation, {"max_degree": 125}, "does not hold"),
        (SpikesSimulation, {"place_share": 0.31}, "must not exceed 1"),
        (SpikesSimulation, {"frame_rate": 7.0}, "whole milliseconds"),
        (SpikesSimulation, {"duration": 30, "film_duration": 29.5}, "at least one gap"),
    ],
)
def test_impossible_combinations_are_named(model, wrong, message):
    with pytest.raises(ValidationError, match=message):
        model(**wrong)


@pytest.mark.parametrize(
    ("model", "huge"),
    [
        (FmriSimulation, {"n_subjects": 10_000, "duration": 7200, "repetition_time": 0.3}),
        (CalciumSimulation, {"n_animals": 200, "n_neurons": 2000, "duration": 7200}),
        (SpikesSimulation, {"n_subjects": 500, "n_units": 1000, "duration": 7200}),
        (SpikesSimulation, {"n_films": 20, "film_duration": 120, "frame_rate": 100,
                            "frame_height": 128, "frame_width": 256, "duration": 300}),
        (VisionSimulation, {"n_sessions": 100, "n_images": 20_000, "n_repeats": 20,
                            "units_per_roi": 2000}),
        (VisionSimulation, {"n_sessions": 100, "n_images": 20_000, "n_repeats": 1,
                            "units_per_roi": 1}),
        (RepresentationsSimulation, {"n_subjects": 200, "images_per_category": 100}),
        (RepresentationsSimulation, {"n_subjects": 20, "images_per_category": 100,
                                     "n_repeats": 100, "units_per_region": 2000}),
    ],
)  # fmt: skip
def test_absurd_sizes_are_refused(model, huge):
    with pytest.raises(ValidationError, match="values in all"):
        model(**huge)


def test_two_billion_values_are_the_most():
    Simulation().refuse_absurd(2e9)
    with pytest.raises(ValueError, match="more than"):
        Simulation().refuse_absurd(2e9 + 1)


def test_an_image_holds_as_many_values_as_its_tokens():
    assert _TOKEN_VALUES == GRID**2 * N_FEATURES
    assert _PIXEL_VALUES == SIDE**2 * 3
    assert (len(CATEGORIES), len(REGIONS)) == (_N_CATEGORIES, _N_REGIONS)


@pytest.mark.parametrize(
    "wrong",
    [{"images_per_category": 5}, {"images_per_category": 2}, {"units_per_region": N_LATENTS},
     {"ceiling": 1.0}, {"individuality": 1.1}],
)  # fmt: skip
def test_impossible_representations_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        RepresentationsSimulation(**wrong)


@settings(deadline=None)
@given(st.integers(70, 2000), st.sampled_from([0.3, 0.72, 0.8, 1.0, 1.6, 2.0, 3.0]))
def test_whole_volumes_are_counted_whole(n_volumes, step):
    duration = n_volumes * step
    made = FmriSimulation(duration=duration, repetition_time=step)
    assert made.n_volumes == n_volumes
    half = FmriSimulation(duration=duration - step / 2, repetition_time=step)
    assert half.n_volumes == n_volumes - 1


@settings(deadline=None)
@given(st.integers(300, 4000), st.sampled_from([0.7, 1.0, 3.0, 4.0, 10.0]))
def test_whole_samples_are_counted_whole(n_samples, rate):
    made = CalciumSimulation(duration=n_samples / rate, sampling_rate=rate)
    assert made.n_samples == n_samples


def test_tasks_are_named_by_their_blocks():
    assert FmriSimulation().task == "rest"
    assert FmriSimulation(n_blocks=2).task == "blocks"
