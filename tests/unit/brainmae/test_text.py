"""Methods texts say what was done under the settings, and cite it."""

from __future__ import annotations

import re

import pytest

from neuropipe.brainmae.features import BLOCKS
from neuropipe.brainmae.group_fit import fit_group
from neuropipe.brainmae.names import LABEL_MODELS
from neuropipe.brainmae.reconstruction import default_predictors
from neuropipe.brainmae.recording_fit import fit_recording
from neuropipe.brainmae.text import (
    _BLOCKS,
    _LEARNT,
    _PREDICTORS,
    _TRAINED,
    _VARIANTS,
    REFERENCES,
    group_methods,
    recording_methods,
)
from neuropipe.results import cited
from tests.unit.brainmae.result_builders import settings_of


@pytest.fixture(scope="module")
def of_run(study, tmp_path_factory):
    runs = study.one(3, tmp_path_factory.mktemp("text"))
    return runs, fit_recording(runs, study.final, study.stores, study.settings)


@pytest.fixture(scope="module")
def of_group(study):
    return fit_group(study.runs, "toy", study.stores, study.predictions, study.settings)


def test_a_run_s_text_names_what_was_used(study, of_run):
    runs, fit = of_run
    text = recording_methods(runs, fit, study.final.card, study.settings)
    for words in (
        "8 ROIs was z-scored over its run", "segments of 15 s (8 points each",
        "0 to 80 % of the ROIs", "at most 12 steps of 4 crops", "120 s, 8 segments",
        "all 10 subjects", "25 and 50 % of the ROIs", "the training mean, an autoregressive",
        "static graph", "Half of the crops were negated.",
    ):  # fmt: skip
        assert words in text, words
    assert list(cited(text, REFERENCES))[:3] == ["Yang2024", "He2022", "Loshchilov2019"]
    assert "  " not in text


@pytest.mark.parametrize(
    ("change", "said", "unsaid"),
    [
        ({"model": {"variant": "ag"}}, "adaptive graph", "Its weights"),
        ({"taken_from": "hcp"}, "taken over from dataset hcp", ""),
        ({"scaler": {"kind": "dataset"}}, "deviation of the training runs", "over its run"),
        ({"segments": {"native_tr": True}}, "their samples as they are", "anti-aliasing"),
        ({"mask": {"low": 0.5, "high": 0.5}}, "In training, 50 % of", "0 to"),
        ({"mask": {"sign_flips": False}}, "in crops of up to 6 segments.", "negated"),
        ({"optimisation": {"accumulate": 3}}, "12 steps of 12 crops", ""),
    ],
)
def test_the_card_tells_how_the_model_was_made(study, of_run, change, said, unsaid):
    runs, fit = of_run
    card = dict(study.final.card)
    for key, value in change.items():
        card[key] = {**card[key], **value} if isinstance(value, dict) else value
    text = recording_methods(runs, fit, card, study.settings)
    assert said in text
    assert not unsaid or unsaid not in text


def test_a_dataset_s_text_says_which_models_speak(study, of_group):
    text = group_methods(of_group, study.final.card, study.settings)
    for words in (
        "each of 2 folds of subjects, redrawn for 1 seed;", "comes from models that had not seen",
        "Finn2015", "ROIs dealt out at random", "group of 10 subjects were predicted",
        "brought to the same variance", "Kumar2022", "Bengio2004",
    ):  # fmt: skip
        assert words in text, words
    assert "were not scaled" not in text
    assert "scratch" not in text  # not trained here
    assert set(cited(text, REFERENCES)) <= set(REFERENCES)


def test_every_choice_has_its_words():
    settings = settings_of()
    fields = type(settings).model_fields
    variants = type(settings.model).model_fields["variant"].annotation.__args__
    assert set(_VARIANTS) == set(variants)
    assert set(_PREDICTORS) == {predictor.name for predictor in default_predictors()}
    assert set(_BLOCKS) == set(BLOCKS)
    assert set(_TRAINED) == set(LABEL_MODELS)
    choices = fields["baselines"].annotation.__args__[0].__args__
    assert set(choices) == {"correlation", "tangent"} | set(_LEARNT) | (
        set(_TRAINED) - {"full", "scratch"}
    )
    for words in (_VARIANTS | _PREDICTORS | _LEARNT | _TRAINED).values():
        assert set(re.findall(r"\[(\w+)\]", words)) <= set(REFERENCES)
