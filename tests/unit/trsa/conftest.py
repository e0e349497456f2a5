"""Fits of planted subjects, made once a session: each takes a second."""

from __future__ import annotations

import pytest

from neuropipe.trsa.fit import Representations, fit_subject
from neuropipe.trsa.fit_group import GroupRepresentations, fit_group
from neuropipe.trsa.rdms import concatenate
from tests.unit.trsa.subjects import Planted, items_of, plant, settings


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Three subjects who see the same 24 images, without noise."""
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def fits(planted: Planted) -> list[Representations]:
    """Their representations."""
    return [fit_subject([one], settings(), (), planted.folder)[0] for one in planted.recordings]


@pytest.fixture(scope="session")
def group(fits: list[Representations]) -> GroupRepresentations:
    """All three together."""
    parts = [items_of(one, f"{k + 1:02d}") for k, one in enumerate(fits)]
    first = fits[0]
    return fit_group(concatenate(parts), first.responses.conditions, first.models, settings())
