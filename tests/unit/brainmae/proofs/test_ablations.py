"""The ablation table: arms, directions and how they are judged."""

from __future__ import annotations

import pytest

from neuropipe.brainmae.proofs import ablations
from neuropipe.brainmae.proofs.ablations import (
    ARMS,
    DIRECTIONS,
    ablation_checks,
    ablation_scores,
    checks,
)
from neuropipe.brainmae.proofs.cohorts import Plan, settings_of
from neuropipe.stats.checks import failures

PLAN = Plan(n_training=4, n_test=2, duration=180.0, n_rois=20, n_steps=1)


def test_every_arm_changes_what_its_name_says():
    plain = settings_of(1)
    changed = {
        name: {
            f"{section}.{field}"
            for section in ("model", "segments", "mask")
            for field, value in getattr(settings_of(1, **arm), section)
            if value != getattr(getattr(plain, section), field)
        }
        for name, arm in ARMS.items()
    }
    assert changed.pop("SG") == set()
    assert all(len(fields) == 1 for fields in changed.values())
    assert {name for pair in DIRECTIONS for name in pair} <= set(ARMS)


def test_every_arm_is_trained_once_a_seed_and_scored(monkeypatch):
    monkeypatch.setattr(
        ablations, "ARMS", {k: ARMS[k] for k in ("SG", "vanilla AE", "segments of 5 s")}
    )
    found = ablation_scores(PLAN, (0, 1))
    assert list(found) == ["SG", "vanilla AE", "segments of 5 s"]
    assert all(len(values) == 2 and values[0] != values[1] for values in found.values())
    assert found == ablation_scores(PLAN, (0, 1))


def test_directions_are_judged_by_the_mean_over_seeds(monkeypatch):
    scores = {name: [0.2, 0.2] for name in ARMS} | {"SG": [0.1, 0.4], "vanilla AE": [-2.0, -1.0]}
    monkeypatch.setattr(ablations, "ablation_scores", lambda plan, seeds: scores)
    rows = {row.name: row for row in ablation_checks(PLAN, (0, 1))}
    assert len(rows) == len(ARMS) + len(DIRECTIONS)
    assert rows["T8 masked R2: SG minus vanilla"].measured == pytest.approx(0.05)
    assert not failures(rows.values())
    scores["PosSG"] = [0.3, 0.3]
    (failed,) = failures(ablation_checks(PLAN, (0, 1)))
    assert failed.name == "T8 masked R2: SG minus PosSG"


def test_the_short_form_measures_nothing():
    assert checks() == []
