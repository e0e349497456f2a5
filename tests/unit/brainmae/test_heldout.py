"""Left-out runs are scored on the same hidden entries for every predictor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from neuropipe.brainmae.heldout import OURS, heldout_scores, model_prediction, stacked
from neuropipe.brainmae.imputation import evaluation_masks
from neuropipe.brainmae.inference import fill_in
from tests.unit.brainmae.builders import cohort, network, tiny

SETTINGS = tiny(ratios=[0.25, 0.5], reconstruction_baselines=["mean", "ridge", "Wiener"])
TRAINING, LEFT_OUT = cohort(6), cohort(3, 100, first_seed=50)


class Knowing(nn.Module):
    """Gives back what it is told to, hidden or not."""

    def __init__(self, answers: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answers = iter(answers)

    def forward(self, x, given, valid, start):
        return next(self.answers)[None, : x.shape[1]]


@pytest.fixture(scope="module")
def scored():
    return heldout_scores(network(), TRAINING, LEFT_OUT, SETTINGS, 0)


def test_one_row_a_predictor_ratio_and_run(scored):
    table, _ = scored
    assert len(table) == 4 * 2 * 3
    assert set(table["predictor"]) == {"mean", "ridge", "Wiener", OURS}
    assert set(table["recording"]) == {run.recording for run in LEFT_OUT.runs}
    owner = {run.recording: run.subject for run in LEFT_OUT.runs}
    assert table["subject"].tolist() == [owner[name] for name in table["recording"]]


def test_everybody_is_scored_on_the_same_entries(scored):
    table, _ = scored
    for _, rows in table.groupby(["ratio", "recording"]):
        assert rows["sst"].nunique() == 1
        assert rows["n_hidden"].nunique() == 1
    mean = table[table["predictor"] == "mean"]
    assert mean["r2"].to_numpy() == pytest.approx(0, abs=1e-9)


def test_the_model_is_scored_as_by_hand(scored):
    table, _ = scored
    test = stacked(LEFT_OUT, SETTINGS)
    present = test.present.numpy()
    hidden = ~evaluation_masks(*present.shape, 0.5, 0) & present
    predicted = model_prediction(network(), test, torch.from_numpy(hidden), 6)
    x = test.x.numpy()
    rows = table[(table["predictor"] == OURS) & (table["ratio"] == 0.5)]
    for i, r2 in enumerate(rows["r2"]):
        error = (x[i][hidden[i]] - predicted[i][hidden[i]]) ** 2
        assert r2 == pytest.approx(1 - error.sum() / (x[i][hidden[i]] ** 2).sum(), abs=1e-3)


def test_who_knows_the_answer_is_right(scored):
    x = stacked(LEFT_OUT, SETTINGS).x
    knowing, zero = (Knowing(torch.cat([scale * x] * 2)) for scale in (1, 0))  # of two ratios
    table, _ = heldout_scores(knowing, TRAINING, LEFT_OUT, SETTINGS, 0, [("zero", zero)])
    r2 = table.groupby("predictor")["r2"]
    assert r2.min()[OURS] == pytest.approx(1)
    assert r2.mean()["zero"] == pytest.approx(0, abs=1e-3)


def test_the_filter_that_is_kept_is_the_one_that_was_scored(scored):
    table, wiener = scored
    test = stacked(LEFT_OUT, SETTINGS)
    present, x = test.present.numpy(), test.x.numpy()
    mask = evaluation_masks(*present.shape, 0.5, 0)
    predicted = wiener.predict(x, mask & present)
    hidden = ~mask & present
    sse = ((x - predicted)[hidden] ** 2).sum()
    rows = table[(table["predictor"] == "Wiener") & (table["ratio"] == 0.5)]
    assert rows["sse"].sum() == pytest.approx(sse, rel=1e-4)


def test_shorter_runs_are_padded_with_nothing():
    mixed = cohort(2, 100)
    short = cohort(1, 47, first_seed=9)
    both = replace(
        mixed,
        series=np.concatenate([mixed.series, short.series]),
        start=np.array([0, 100, 200]),
        runs=[*mixed.runs, replace(short.runs[0], recording="short")],
    )
    found = stacked(both, SETTINGS)
    assert found.x.shape[1] == 6
    assert found.valid.sum(dim=1).tolist() == [6, 6, 3]
    assert not found.present[2, 3:].any()
    assert (found.x[2, 3:] == 0).all()
    alone = stacked(short, SETTINGS)
    assert torch.equal(found.x[2, :3], alone.x[0])


def test_runs_are_filled_in_one_by_one():
    test = stacked(LEFT_OUT, SETTINGS)
    hidden = ~torch.from_numpy(evaluation_masks(*test.present.shape, 0.5, 0)) & test.present
    model = network()
    one_by_one = model_prediction(model, test, hidden, 4)
    together = fill_in(model, test, hidden, 4).numpy()
    assert one_by_one == pytest.approx(together, abs=1e-4)
