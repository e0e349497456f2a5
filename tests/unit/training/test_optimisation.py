"""Schedule, random numbers and parameter groups by their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neuropipe.training.optimisation import (
    decay_groups,
    optimizer_groups,
    rate_scale,
    seed_layers,
    step_seeds,
    total_norm,
)


def test_schedule_values() -> None:
    rates = [rate_scale(step, 100, 0.1) for step in range(101)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert rates[100] == 0.0


@given(st.integers(1, 500), st.floats(0, 1))
def test_schedule_rises_then_falls(max_steps: int, warmup: float) -> None:
    rates = np.array([rate_scale(step, max_steps, warmup) for step in range(max_steps + 3)])
    rising = round(warmup * max_steps)
    assert (np.diff(rates[:rising]) > 0).all()
    assert (np.diff(rates[rising:]) <= 0).all()
    assert rates.max() == 1.0
    assert (rates[:max_steps] > 0).all()
    assert (rates[max_steps:] == 0).all()


@given(st.lists(st.tuples(*[st.integers(0, 2**40)] * 4), min_size=2, max_size=20, unique=True))
def test_places_have_their_own_seeds(places: list[tuple[int, int, int, int]]) -> None:
    seeds = [seed for place in places for seed in step_seeds(*place)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert step_seeds(*places[0]) == step_seeds(*places[0])


def test_layers_are_seeded() -> None:
    cpu = torch.device("cpu")
    seed_layers(cpu, 5)
    first = torch.rand(3)
    torch.rand(1)
    seed_layers(cpu, 5)
    assert torch.equal(torch.rand(3), first)


class Net(nn.Module):
    """A bit of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 4, 8))
        self.token = nn.Parameter(torch.zeros(8))
        self.linear = nn.Linear(8, 8)
        self.norm = nn.LayerNorm((4, 8))
        self.table_bias = nn.Parameter(torch.zeros(4, 4))
        self.frozen = nn.Parameter(torch.zeros(3, 3), requires_grad=False)


def test_no_decay_for_biases_norms_and_vectors() -> None:
    net = Net()
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    decayed, free = decay_groups(net)
    assert [names[id(p)] for p in decayed["params"]] == ["position", "linear.weight"]
    assert "weight_decay" not in decayed
    assert free["weight_decay"] == 0.0
    assert {names[id(p)] for p in free["params"]} == {
        "token", "table_bias", "linear.bias", "norm.weight", "norm.bias",
    }  # fmt: skip


def test_a_module_of_biases_has_one_group() -> None:
    assert len(decay_groups(nn.LayerNorm(3))) == 1


def test_lr_scale_becomes_a_rate() -> None:
    given_groups = [{"params": [], "lr_scale": 0.1}, {"params": [], "weight_decay": 0.0}]
    groups = optimizer_groups(given_groups, 2.0)
    assert groups == [{"params": [], "lr": 0.2}, {"params": [], "weight_decay": 0.0, "lr": 2.0}]
    assert given_groups[0]["lr_scale"] == 0.1


@pytest.mark.parametrize(("clip", "left"), [(1.0, 1.0), (10.0, 5.0), (0.0, 5.0)])
def test_norm_before_clipping(clip: float, left: float) -> None:
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(3)]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert float(total_norm(parameters, clip)) == 5.0
    assert parameters[0].grad is not None
    assert parameters[1].grad is not None
    after = math.hypot(float(parameters[0].grad), float(parameters[1].grad))
    assert after == pytest.approx(left, rel=1e-5)
