"""Fixtures shared by tests of BrainMAE."""

from __future__ import annotations

import pytest

from tests.unit.brainmae.result_builders import Study, make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A dataset of ten subjects with its pretrained models; do not change it."""
    return make_study(tmp_path_factory.mktemp("brainmae-study"))
