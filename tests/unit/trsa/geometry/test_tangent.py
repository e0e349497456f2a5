"""Tangent kernels against autograd by hand, closed forms and expectations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neuropipe.errors import SettingsError
from neuropipe.trsa.geometry.laziness import tangent_kernel_alignment
from neuropipe.trsa.geometry.tangent import (
    choose_outputs,
    empirical_ntk,
    linear_ntk,
    projected_ntk,
)


def network(n_outputs: int = 4, seed: int = 0) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, n_outputs)).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    return net


def patterns(n: int = 6, seed: int = 1) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).standard_normal((n, 5)))


def by_hand(net: nn.Module, inputs: torch.Tensor, outputs) -> np.ndarray:
    total = np.zeros((len(inputs), len(inputs)))
    for output in outputs:
        rows = []
        for x in inputs:
            slopes = torch.autograd.grad(net(x[None])[0, output], list(net.parameters()))
            rows.append(torch.cat([s.ravel() for s in slopes]).numpy())
        total += np.array(rows) @ np.array(rows).T
    return total


def test_kernel_is_the_product_of_gradients() -> None:
    net, inputs = network(), patterns()
    np.testing.assert_allclose(empirical_ntk(net, inputs), by_hand(net, inputs, range(4)))


@pytest.mark.parametrize("memory", [1.0, 6 * 60 * 8 * 2.5, 1e12])
def test_little_memory_changes_nothing(memory: float) -> None:
    net, inputs = network(), patterns()
    found = empirical_ntk(net, inputs, memory=memory)
    np.testing.assert_allclose(found, by_hand(net, inputs, range(4)))


def test_some_outputs_are_scaled_up_to_all() -> None:
    net, inputs = network(), patterns()
    expected = by_hand(net, inputs, [0, 3]) * 2
    np.testing.assert_allclose(empirical_ntk(net, inputs, outputs=[0, 3]), expected)


def test_drawn_outputs_are_unbiased() -> None:
    net, inputs = network(), patterns()
    single = [empirical_ntk(net, inputs, outputs=[k]) for k in range(4)]
    np.testing.assert_allclose(np.mean(single, axis=0), empirical_ntk(net, inputs))


def test_frozen_weights_and_buffers_do_not_count() -> None:
    net, inputs = network(), patterns()
    for weight in net[0].parameters():
        weight.requires_grad_(False)
    hidden = net[1](net[0](inputs)).numpy()
    expected = 4 * (hidden @ hidden.T + 1)  # weights and bias of the readout
    np.testing.assert_allclose(empirical_ntk(net, inputs), expected)
    np.testing.assert_allclose(
        projected_ntk(net, inputs, n_projections=4000), expected, rtol=0.2, atol=1
    )


@given(seed=st.integers(0, 30))
def test_linear_networks_have_a_closed_form(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((7, 5)), rng.standard_normal((3, 7))
    net = nn.Sequential(nn.Linear(5, 7, bias=False), nn.Linear(7, 3, bias=False)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.as_tensor(first))
        net[1].weight.copy_(torch.as_tensor(second))
    inputs = patterns(seed=seed)
    closed = linear_ntk(first, second, inputs.numpy())
    np.testing.assert_allclose(empirical_ntk(net, inputs), closed, rtol=1e-9)


def test_projections_are_unbiased_and_converge() -> None:
    net, inputs = network(), patterns()
    exact = empirical_ntk(net, inputs)
    draws = np.array(
        [projected_ntk(net, inputs, n_projections=50, seed=seed) for seed in range(60)]
    )
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - exact) < 4.5 * error).all()
    few, many = (
        np.linalg.norm(projected_ntk(net, inputs, n_projections=n) - exact) for n in (30, 3000)
    )
    assert many < 0.4 * few


def test_projections_of_some_outputs() -> None:
    net, inputs = network(), patterns()
    exact = empirical_ntk(net, inputs, outputs=[1])
    found = projected_ntk(net, inputs, outputs=[1], n_projections=4000)
    assert tangent_kernel_alignment(found, exact) > 0.99
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(exact), rel=0.1)


def test_projections_do_not_depend_on_chunks_of_one_seed_in_shape_or_rank() -> None:
    net, inputs = network(n_outputs=1), patterns()
    found = projected_ntk(net, inputs, n_projections=3, chunk_size=2)
    values = np.linalg.eigvalsh(found)
    assert (values > -1e-9).all()
    assert (values > 1e-9 * values.max()).sum() <= 3


def test_single_precision_and_convolutions_work() -> None:
    net = nn.Sequential(nn.Conv1d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9, 2))
    inputs = patterns().float()[:, None]
    found = empirical_ntk(net, inputs)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(net, inputs, range(2)), rtol=1e-4)


def test_chosen_outputs_are_different_ones() -> None:
    chosen = choose_outputs(10, 4, np.random.default_rng(0))
    assert len(set(chosen)) == 4
    assert chosen.max() < 10
    with pytest.raises(SettingsError, match="11 of 10"):
        choose_outputs(10, 11, np.random.default_rng(0))
    with pytest.raises(SettingsError, match="outputs"):
        empirical_ntk(network(), patterns(), outputs=[4])
