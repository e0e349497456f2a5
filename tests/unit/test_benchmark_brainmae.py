"""What the BrainMAE benchmark times: real steps, counted operations, one batch for both sides."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from neuropipe import benchmarks
from neuropipe.benchmarks import brainmae, table
from neuropipe.benchmarks.brainmae import Case, embed_runs, train_step
from neuropipe.benchmarks.peak import operations, products

TINY = Case(batch=2, width=16, n_rois=12, n_segments=4, n_points=8)


def by_hand(case):
    """Operations of a step's large products: forward, and twice that backward."""
    tokens, d, n = case.batch * case.n_segments * case.n_rois, case.width, case.n_rois
    block = tokens * (4 * d**2 + 2 * n * d + 8 * d**2)
    head = tokens * (4 * d**2 + 2 * d * case.n_points)
    entry = 2 * tokens * case.n_points * d
    readout = 2 * tokens * d**2
    return 3 * (2 * block + head + entry + readout) - entry  # nobody asks for the input's gradient


@pytest.mark.parametrize("case", [Case(batch=1), Case(batch=2, n_rois=40, n_points=8)])
def test_operations_of_a_step_are_those_counted_by_hand(case):
    found = operations(partial(train_step, case, "ours"))
    # What remains are the layers over segments and the attention between ROI embeddings.
    assert 1 <= found / by_hand(case) < 1.04


def test_products_do_as_many_operations_as_asked():
    for count in (3 * 10**7, 2 * 1024**3, 5 * 10**9):
        assert operations(partial(products, count)) == pytest.approx(count, abs=2 * 1024**2)


@pytest.mark.parametrize("side", ["ours", "peer"])
def test_a_step_trains(side):
    case = replace(TINY, n_points=10)
    losses = [train_step(case, side) for _ in range(25)]
    assert losses[-1] < 0.95 * losses[0]


def test_both_sides_get_the_same_batch():
    (_, _, ours), (_, _, theirs) = (brainmae._trained(TINY, side) for side in ("ours", "peer"))
    assert torch.equal(ours.segments.x, theirs.segments.x)
    assert torch.equal(ours.hidden, theirs.hidden)
    assert ours.segments.present.all()
    assert (ours.hidden.sum(-1) == round(0.4 * TINY.n_rois)).all()


@pytest.mark.parametrize("side", ["ours", "peer"])
def test_embedding_tells_runs_apart_and_leaves_training_as_it_was(side):
    found = embed_runs(TINY, side)
    assert found.shape == (2, 16)
    assert np.abs(found[0] - found[1]).max() > 1e-4
    np.testing.assert_array_equal(found, embed_runs(TINY, side))
    assert brainmae._trained(TINY, side)[0].model.training


def test_rows_tell_share_of_peak_and_speed(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    # What is sent to a fresh process is sent; measuring there has a test of its own.
    monkeypatch.setattr(table, "peak_memory", lambda function: len(pickle.dumps(function)))
    rows = brainmae.run(repeats=1, case=TINY)
    assert [row.task.split(":")[0].split(",")[0] for row in rows] == [
        "training step", "training step", "embedding"
    ]  # fmt: skip
    assert f"{1 / rows[0].ratio:.0%} of the peak" in rows[0].task
    assert f"{8 / rows[1].ours:.0f} : {8 / rows[1].theirs:.0f} segments/s" in rows[1].task
    assert np.isnan(rows[0].ours_peak)
    assert rows[1].ours_peak > 0
    assert rows[1].theirs_peak > 0
    monkeypatch.setattr(brainmae, "run", lambda repeats: rows)
    benchmarks.benchmark("brainmae")
    assert "plain MAE" in capsys.readouterr().out


def test_agreement_of_devices_is_told_with_the_time():
    row = brainmae._agreement(TINY, "cpu", repeats=1)
    assert "at most 0e+00 sd apart" in row.task
    assert row.peer == "the same on the CPU"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_embeddings_of_the_cpu():
    there = embed_runs(replace(TINY, device="cuda", precision="32"), "ours")
    np.testing.assert_allclose(there, embed_runs(TINY, "ours"), rtol=1e-3, atol=1e-3)
