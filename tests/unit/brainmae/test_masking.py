"""What is hidden, and what it costs to get it wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from neuropipe.brainmae.masking import draw_hidden, reconstruction_loss, squared_errors
from tests.unit.brainmae.builders import random_segments


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def nothing_hidden(x):
    return torch.zeros(x.shape[:3], dtype=torch.bool)


# Drawing


@given(
    ratios=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    n_segments=st.integers(1, 8),
    n_rois=st.integers(1, 40),
    seed=st.integers(0, 99),
)
@settings(max_examples=80)
def test_every_segment_hides_exactly_its_share(ratios, n_segments, n_rois, seed):
    hidden = draw_hidden(torch.tensor(ratios), n_segments, n_rois, seeded(seed))
    assert hidden.shape == (len(ratios), n_segments, n_rois)
    for run, ratio in zip(hidden, torch.tensor(ratios), strict=True):
        assert (run.sum(-1) == int(np.round(np.float32(ratio) * np.float32(n_rois)))).all()


@pytest.mark.parametrize(("ratio", "all_hidden"), [(0.0, False), (1.0, True)])
def test_nothing_and_everything(ratio, all_hidden):
    hidden = draw_hidden(torch.full((3,), ratio), 4, 7, seeded())
    assert bool(hidden.all()) is all_hidden
    assert bool(hidden.any()) is all_hidden


def test_the_same_seed_hides_the_same():
    draws = [draw_hidden(torch.full((2,), 0.5), 5, 9, seeded(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_segments_and_runs_are_drawn_independently_and_rois_alike():
    hidden = draw_hidden(torch.full((2,), 0.3), 20_000, 10, seeded()).numpy()
    counts = hidden.sum(axis=(0, 1))
    assert chisquare(counts).pvalue > 0.001
    for one, other in [(hidden[0, :-1], hidden[0, 1:]), (hidden[0], hidden[1])]:
        pairs = np.histogram2d(one[:, 3], other[:, 3], bins=2)[0]
        assert chi2_contingency(pairs).pvalue > 0.001


# Loss


def naive_loss(x, predicted, hidden, present, weight):
    """Means over lists of errors."""
    masked, visible = [], []
    for place in np.ndindex(*hidden.shape):
        if present[place]:
            error = float(((x[place] - predicted[place]) ** 2).mean())
            (masked if hidden[place] else visible).append(error)
    if not masked or not visible:
        return np.mean(masked or visible) if masked or visible else 0.0
    return weight * np.mean(masked) + (1 - weight) * np.mean(visible)


@given(
    ratio=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    absent=st.sampled_from([0.0, 0.3, 1.0]),
    weight=st.sampled_from([0.0, 0.5, 0.75, 1.0]),
    seed=st.integers(0, 999),
)
@settings(max_examples=80)
def test_loss_weighs_the_means_over_what_is_hidden_and_what_is_not(ratio, absent, weight, seed):
    x = random_segments(2, 3, 10, 4, seed).x
    predicted = random_segments(2, 3, 10, 4, seed + 1000).x.requires_grad_()
    hidden = draw_hidden(torch.full((2,), ratio), 3, 10, seeded(seed))
    present = torch.rand(2, 3, 10, generator=seeded(seed)) >= absent
    loss, parts = reconstruction_loss(x, predicted, hidden, present, weight)
    expected = naive_loss(x, predicted.detach(), hidden, present, weight)
    assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-7)
    loss.backward()
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~present] == 0).all()
    assert parts["n_masked"] == (hidden & present).sum()
    assert parts["n_visible"] == (~hidden & present).sum()
    assert not any(part.requires_grad for part in parts.values())


def test_a_term_without_entries_leaves_its_weight_to_the_other():
    x = random_segments(1, 2, 5, 4).x
    present = torch.ones(1, 2, 5, dtype=torch.bool)
    for hidden, name in [(nothing_hidden(x), "mse_visible"), (~nothing_hidden(x), "mse_masked")]:
        for weight in (0.0, 0.75, 1.0):
            loss, parts = reconstruction_loss(x, torch.zeros_like(x), hidden, present, weight)
            assert loss == parts[name] > 0
            other = {"mse_visible", "mse_masked"} - {name}
            assert parts[other.pop()] == 0


def test_each_term_has_its_own_count():
    x = torch.zeros(1, 1, 10, 2)
    predicted = torch.ones_like(x)
    hidden = nothing_hidden(x)
    hidden[..., :1] = True
    predicted[hidden] = 3.0
    loss, parts = reconstruction_loss(x, predicted, hidden, ~nothing_hidden(x), 0.75)
    assert parts["mse_masked"] == 9
    assert parts["mse_visible"] == 1
    assert loss == 0.75 * 9 + 0.25 * 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype):
    x = random_segments(2, 4, 8, 8).x
    predicted = (300 * x).to(dtype)  # squares overflow float16
    hidden = draw_hidden(torch.full((2,), 0.5), 4, 8, seeded())
    present = ~nothing_hidden(x)
    loss, _ = reconstruction_loss(x.to(dtype), predicted, hidden, present, 0.75)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(squared_errors(x.to(dtype), predicted, hidden)).all()


def test_squared_errors_add_up_the_points_of_the_chosen_entries_of_each_run():
    x, predicted = random_segments(3, 2, 4, 5).x, random_segments(3, 2, 4, 5, 1).x
    entries = draw_hidden(torch.full((3,), 0.5), 2, 4, seeded())
    found = squared_errors(x, predicted, entries)
    for run in range(3):
        expected = ((x[run] - predicted[run])[entries[run]] ** 2).sum()
        assert torch.allclose(found[run], expected)
