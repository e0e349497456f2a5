"""Settings: what is refused, and that the defaults are what the documentation says."""

from __future__ import annotations

import json

import pytest

from neuropipe.brainmae.settings import (
    BrainmaeSettings,
    MaskSettings,
    ModelSettings,
    SegmentSettings,
)
from neuropipe.errors import SettingsError
from neuropipe.settings import parse_settings


def parse(**values):
    return parse_settings(BrainmaeSettings, json.dumps(values), "brainmae of toy")


def test_the_defaults_are_valid_and_survive_json():
    made = BrainmaeSettings()
    assert parse() == made
    assert parse(**json.loads(made.model_dump_json())) == made
    assert (made.segments.duration, made.segments.n_points, made.segments.n_segments) == (
        15, 16, 20,
    )  # fmt: skip
    assert (made.mask.low, made.mask.high, made.mask.weight) == (0, 0.8, 0.75)
    assert made.model.variant == "sg"
    assert not made.model.self_loops


@pytest.mark.parametrize("model", [BrainmaeSettings, ModelSettings, SegmentSettings, MaskSettings])
def test_every_setting_is_described(model):
    for name, field in model.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model": {"width": 20, "n_heads": 3}}, "width is no even multiple of n_heads"),
        ({"model": {"width": 15, "n_heads": 5}}, "width is no even multiple of n_heads"),
        ({"model": {"variant": "dg"}}, "model.variant"),
        ({"model": {"embedding_sd": 0}}, "model.embedding_sd"),
        ({"mask": {"low": 0.6, "high": 0.5}}, "low is above high"),
        ({"mask": {"high": 0, "weight": 1}}, "nothing is hidden"),
        ({"mask": {"high": 1}}, "mask.high"),
        ({"segments": {"n_segments": 1}}, "segments.n_segments"),
        ({"segments": {"tr_augmentation": [2.0, 0.7]}}, "tr_augmentation is no range"),
        ({"segments": {"tr_augmentation": [0, 1]}}, "tr_augmentation is no range"),
        ({"segments": {"tr_augmentation": [1, 20]}}, "tr_augmentation is no range"),
        ({"segments": {"tr_augmentation": [1, 2], "native_tr": True}}, "native_tr"),
        ({"segments": {"tr_augmentation": [1]}}, "segments.tr_augmentation"),
        ({"ratios": []}, "ratios"),
        ({"ratios": [0.2, 1.0]}, "ratios"),
        ({"ratios": [0.0]}, "ratios"),
        ({"ratios": [0.2, 0.2]}, "stands twice"),
        ({"pool": ["token", "token"]}, "stands twice"),
        ({"baselines": ["tangent", "tangent"]}, "stands twice"),
        ({"seeds": [1, 1]}, "stands twice"),
        ({"validation_share": 0.6}, "validation_share"),
        ({"min_rois": 40, "max_rois": 20}, "min_rois is above max_rois"),
        ({"breadth": 3}, "breadth"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(values, words):
    with pytest.raises(SettingsError, match="brainmae of toy") as error:
        parse(**values)
    assert words in str(error.value)


def test_what_makes_sense_is_taken():
    made = parse(
        model={"width": 24, "n_heads": 3, "readout": "pool"},
        mask={"low": 0.5, "high": 0.5, "weight": 1},
        segments={"tr_augmentation": [0.7, 2.0]},
        ratios=[0.1, 0.9],
    )
    assert made.segments.tr_augmentation == (0.7, 2.0)
    assert made.mask.low == made.mask.high
    with pytest.raises(ValueError, match="frozen"):
        made.mask.low = 0.1
