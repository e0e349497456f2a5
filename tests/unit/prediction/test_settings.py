"""What is to be predicted contradicts itself nowhere, or is refused before anything is computed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from neuropipe.prediction.settings import MOTION, PredictionSettings


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"targets": ("age", "age")}, "stands twice"),
        ({"confounds": ("age", "age")}, "stands twice"),
        ({"classifiers": ("ridge", "ridge")}, "stands twice"),
        ({"seeds": (1, 1)}, "stands twice"),
        ({"seeds": ()}, "seeds"),
        ({"positive": {"sex": "F"}}, "sex is described"),
        ({"targets": ("age",), "target_types": {"iq": "regression"}}, "iq is described"),
        ({"n_permutations": 5}, "n_permutations"),
        ({"min_subjects": 3}, "min_subjects"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_contradictions_are_refused(values, word):
    with pytest.raises(ValidationError, match=word):
        PredictionSettings(**values)


def test_every_setting_is_described():
    for name, field in PredictionSettings.model_fields.items():
        assert field.description, name
    assert MOTION in PredictionSettings.model_fields["confounds"].description
