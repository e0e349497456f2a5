"""Settings that contradict themselves are refused before anything is computed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.prediction.settings import MOTION


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"targets": ("age", "age")}, "stands twice"),
        ({"seeds": (1, 1)}, "stands twice"),
        ({"kinds": ("tangent", "tangent")}, "stands twice"),
        ({"kinds": ()}, "kinds"),
        ({"min_units": 20, "max_units": 10}, "above max_units"),
        ({"positive": {"sex": "F"}}, "sex is described"),
        ({"targets": ("age",), "target_types": {"iq": "regression"}}, "iq is described"),
        ({"n_permutations": 5}, "n_permutations"),
        ({"max_missing": 1.0}, "max_missing"),
        ({"min_subjects": 3}, "min_subjects"),
        ({"shrinkage": "oas"}, "shrinkage"),
        ({"seeds": ()}, "seeds"),
        ({"kinds": ("covariance",)}, "kinds"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_contradictions_are_refused(values, word):
    with pytest.raises(ValidationError, match=word):
        ConnectivitySettings(**values)


def test_every_setting_is_described():
    for name, field in ConnectivitySettings.model_fields.items():
        assert field.description, name
    assert MOTION in ConnectivitySettings.model_fields["confounds"].description


def test_defaults_survive_json():
    settings = ConnectivitySettings(targets=("age",), target_types={"age": "regression"})
    assert ConnectivitySettings.model_validate_json(settings.model_dump_json()) == settings


def test_what_is_predicted_stands_after_how_matrices_are_made():
    names = list(ConnectivitySettings.model_fields)
    assert names[0] == "shrinkage"
    assert names[names.index("kinds") + 1] == "targets"
    assert names[-1] == "min_subjects"
