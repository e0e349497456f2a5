"""The proofs on laziness pass, and can fail."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.stats.checks import failures
from neuropipe.trsa.geometry.proofs import laziness


def test_sweeps_pass_and_name_their_steps() -> None:
    rows = [*laziness._scale_and_rank(2), *laziness._aligned(2)]
    assert len(rows) == 3
    assert not failures(rows)
    assert "0.1: 0.9" in rows[0].detail


def test_large_weights_are_lazier_than_small_ones() -> None:
    small, large = (laziness.student_alignment(0, rank=20, norm=n) for n in (0.1, 3.0))
    assert small < large <= 1


def test_alignment_that_does_not_follow_is_found_out(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setattr(laziness, "student_alignment", lambda seed, **_: rng.random())
    rows = [*laziness._scale_and_rank(3), *laziness._aligned(3)]
    assert len(failures(rows)) == 3


def test_a_task_that_was_not_learnt_fails(monkeypatch) -> None:
    train = laziness.train_linear
    monkeypatch.setattr(laziness, "train_linear", lambda task: train(task, max_steps=3))
    assert np.isnan(laziness.student_alignment(0, rank=2, norm=0.3))
    assert len(failures(laziness._aligned(1))) == 1


def test_kernels_pass() -> None:
    rows = laziness._kernels()
    assert len(rows) == 3
    assert not failures(rows)


@pytest.mark.parametrize("forgotten", ["first", "second"])
def test_half_a_closed_form_is_found_out(monkeypatch, forgotten: str) -> None:
    closed = laziness.linear_ntk

    def half(first, second, inputs):
        parts = {"first": first, "second": second}
        parts[forgotten] = 0 * parts[forgotten]
        return closed(parts["first"], parts["second"], inputs)

    monkeypatch.setattr(laziness, "linear_ntk", half)
    assert any("closed form" in row.name for row in failures(laziness._kernels()))
