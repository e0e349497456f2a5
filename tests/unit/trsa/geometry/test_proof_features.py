"""The proofs on bias between features pass, and can fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.stats.checks import failures
from neuropipe.trsa.geometry.proofs import features


@pytest.fixture(scope="module")
def learnt():
    return features.learnt_shares(0)


@pytest.fixture(scope="module")
def similarities():
    return features.hard_task_similarities(1)


def test_both_features_are_learnt_and_the_linear_one_takes_more(learnt) -> None:
    accuracies, shares = learnt
    assert accuracies.min() >= 0.99
    assert shares.names == ("linear", "XOR")
    assert shares.shares[0] > shares.shares[1] > 0
    assert "variance is not importance" in shares.caution


def test_silence_about_it_is_found_out(learnt, monkeypatch) -> None:
    accuracies, shares = learnt
    monkeypatch.setattr(
        features, "learnt_shares", lambda seed: (accuracies, replace(shares, caution=""))
    )
    assert [row.threshold for row in failures(features._learnt(1))] == [">= 1"]


def test_planted_shares_pass() -> None:
    assert not failures(features._planted(2))


def test_a_tilted_code_is_found_out(monkeypatch) -> None:
    plant = features.planted_shares
    monkeypatch.setattr(features, "planted_shares", lambda seed, shares: plant(seed, (0.55, 0.45)))
    bad = failures(features._planted(1))
    assert any("equal shares" in row.name for row in bad)
    assert any(".8 and .2" in row.name for row in bad)


def test_the_easy_task_looks_nearer_until_it_is_partialled_out(similarities) -> None:
    assert similarities["accuracy"] == 1
    assert similarities["both-easy"] > similarities["both-hard"]
    assert similarities["both-hard, partial"] > similarities["both-easy, partial"]
    assert similarities["hard-hard"] > similarities["hard-easy"]
    assert similarities["caution"] == 1


def test_the_other_direction_is_found_out(similarities, monkeypatch) -> None:
    names = ("easy", "hard")
    swapped = dict(similarities)
    for one, two in (names, names[::-1]):
        for end in ("", ", partial"):
            swapped[f"both-{one}{end}"] = similarities[f"both-{two}{end}"]
    swapped["caution"] = 0.0
    monkeypatch.setattr(features, "hard_task_similarities", lambda seed: swapped)
    assert len(failures(features._similarity(2))) == 3
    assert np.isfinite([row.measured for row in features._similarity(1)]).all()
