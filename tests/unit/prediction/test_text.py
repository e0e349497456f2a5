"""Methods of a prediction say what was done under its settings, and cite it."""

from __future__ import annotations

import pytest

from neuropipe.prediction.settings import PredictionSettings
from neuropipe.prediction.text import CONNECTOMES, PREDICTION_REFERENCES, prediction_methods
from neuropipe.results import cited


@pytest.mark.parametrize(
    ("settings", "kinds", "said", "unsaid"),
    [
        ({}, CONNECTOMES, ["Arsigny2007", "stratified"],
         ["Winkler2015", "logistic regression", "regresses", "Bengio2004"]),
        ({"group_column": "clan"}, CONNECTOMES, ["Winkler2015", "families (clan)"], []),
        ({"classifiers": ("ridge", "logistic")}, CONNECTOMES, ["inner-fold log loss"], []),
        ({}, ("correlation",), ["Fisher-z correlations"], ["Arsigny2007", "Ledoit2004"]),
        ({"confounds": ("age",)}, CONNECTOMES, ["Snoek2019", "regresses age"], []),
    ],
)  # fmt: skip
def test_prediction_methods_follow_the_settings(settings, kinds, said, unsaid):
    chosen = PredictionSettings(targets=("sex",), **settings)
    text = prediction_methods(chosen, 40, [CONNECTOMES[kind] for kind in kinds])
    assert all(word in text for word in said)
    assert not any(word in text for word in unsaid)
    assert set(cited(text, PREDICTION_REFERENCES)) <= set(PREDICTION_REFERENCES)


def test_models_that_were_not_trained_anew_are_named():
    chosen = PredictionSettings(targets=("sex",))
    text = prediction_methods(chosen, 40, ["embeddings"], ["Two networks", "a third"])
    assert "predicted from embeddings, by" in text
    assert "Two networks and a third could not be trained anew" in text
    assert "Bengio2004" in cited(text, PREDICTION_REFERENCES)
