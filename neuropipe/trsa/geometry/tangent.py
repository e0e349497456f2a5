"""Neural tangent kernels: exact, of some outputs, randomly projected, and in closed form.

Axes: n inputs, o outputs, q parameters. A kernel is summed over outputs:
K(x, x') = sum_o grad f_o(x) . grad f_o(x').
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.errors import SettingsError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["choose_outputs", "empirical_ntk", "linear_ntk", "projected_ntk"]


def choose_outputs(n_outputs: int, n_chosen: int, rng: np.random.Generator) -> np.ndarray:
    """Draw outputs to compute a tangent kernel from, ascending, without replacement."""
    if not 1 <= n_chosen <= n_outputs:
        raise SettingsError(f"{n_chosen} of {n_outputs} outputs", "1 to all", "choose fewer")
    return np.sort(rng.choice(n_outputs, n_chosen, replace=False))


def empirical_ntk(
    model: nn.Module,
    inputs: Tensor,
    *,
    outputs: Sequence[int] | np.ndarray | None = None,
    memory: float = 5e8,
) -> np.ndarray:
    """Tangent kernel of a network at its present weights.

    Parameters
    ----------
    model : torch.nn.Module
        From (n, ...) to (n, n_outputs); it must treat inputs one by one (no batch statistics).
    inputs : tensor of shape (n, ...)
    outputs : sequence of int, optional
        Outputs to sum over; the sum is scaled up to all outputs, so that outputs drawn at random
        give an unbiased kernel. All by default.
    memory : float
        Bytes of derivatives to hold at once, at least those of all inputs for one output and one
        parameter tensor.

    Returns
    -------
    array of shape (n, n)
        In the precision of the weights.

    Raises
    ------
    SettingsError
        If there is no such output.

    Notes
    -----
    Jacot et al. 2018, with `torch.func`. The kernel is a sum over outputs and over parameter
    tensors, so that derivatives are held for one tensor and a few outputs at a time.
    """
    import torch
    from torch.func import functional_call, jacrev, vmap

    weights, buffers = _state(model)
    chosen, scale = _chosen(model, inputs, outputs)
    kernel = torch.zeros(len(inputs), len(inputs), dtype=inputs.dtype, device=inputs.device)
    for name, weight in weights.items():
        one_output = len(inputs) * weight.numel() * weight.element_size()
        n_parts = -(-len(chosen) // max(1, int(memory // max(one_output, 1))))
        for part in torch.tensor_split(chosen, n_parts):

            def answer(own: Tensor, x: Tensor, name: str = name, part: Tensor = part) -> Tensor:
                state = {**weights, **buffers, name: own}
                found: Tensor = functional_call(model, state, (x[None],))[0, part]
                return found

            slopes = vmap(jacrev(answer), (None, 0))(weight, inputs)
            flat = slopes.reshape(len(inputs), -1)
            kernel += flat @ flat.T
    return np.asarray((kernel * scale).cpu().numpy())


def projected_ntk(
    model: nn.Module,
    inputs: Tensor,
    *,
    n_projections: int = 1000,
    outputs: Sequence[int] | np.ndarray | None = None,
    chunk_size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Tangent kernel from random directions in the space of the parameters.

    Parameters
    ----------
    model, inputs, outputs
        See `empirical_ntk`.
    n_projections : int
        Random directions; the relative error of an entry is about sqrt(1 / n_projections).
    chunk_size : int
        Directions that are followed at once.
    seed : int

    Returns
    -------
    array of shape (n, n)
        Unbiased, positive semi-definite, of rank n_projections * o at most.

    Notes
    -----
    K = E[(J v)(J v)'] for random signs v (Hutchinson 1990; Johnson & Lindenstrauss 1984). Products
    J v are forward derivatives: the Jacobian is never held, and memory does not grow with the
    number of outputs times parameters.
    """
    import torch
    from torch.func import functional_call, jvp, vmap

    weights, buffers = _state(model)
    chosen, scale = _chosen(model, inputs, outputs)
    generator = torch.Generator(device=inputs.device).manual_seed(seed)

    def answer(state: dict[str, Tensor]) -> Tensor:
        found: Tensor = functional_call(model, {**state, **buffers}, (inputs,))[:, chosen]
        return found

    def along(direction: dict[str, Tensor]) -> Tensor:
        change: Tensor = jvp(answer, (weights,), (direction,))[1]
        return change

    kernel = torch.zeros(len(inputs), len(inputs), dtype=inputs.dtype, device=inputs.device)
    for start in range(0, n_projections, chunk_size):
        n = min(chunk_size, n_projections - start)
        signs = {
            name: torch.randint(
                0, 2, (n, *w.shape), generator=generator, device=w.device, dtype=w.dtype
            )
            * 2
            - 1
            for name, w in weights.items()
        }
        change = vmap(along)(signs)  # direction, input, output
        flat = change.transpose(0, 1).reshape(len(inputs), -1)
        kernel += flat @ flat.T
    return np.asarray((kernel * (scale / n_projections)).cpu().numpy())


def linear_ntk(first: np.ndarray, second: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Tangent kernel of the two-layer linear network ``second @ first @ x``, in closed form.

    Parameters
    ----------
    first : array of shape (n_hidden, n_inputs)
    second : array of shape (n_outputs, n_hidden)
    inputs : array of shape (n, n_inputs)

    Returns
    -------
    array of shape (n, n)
        n_outputs X W1' W1 X' + ||W2||^2 X X', summed over outputs.
    """
    hidden = inputs @ first.T
    outer = len(second) * hidden @ hidden.T
    return np.asarray(outer + (second**2).sum() * inputs @ inputs.T)


def _state(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    weights = {name: w.detach() for name, w in model.named_parameters() if w.requires_grad}
    fixed = {name: w.detach() for name, w in model.named_parameters() if not w.requires_grad}
    return weights, {**fixed, **{name: b.detach() for name, b in model.named_buffers()}}


def _chosen(
    model: nn.Module, inputs: Tensor, outputs: Sequence[int] | np.ndarray | None
) -> tuple[Tensor, float]:
    import torch

    with torch.no_grad():
        n_outputs = int(model(inputs[:1]).shape[-1])
    places = np.arange(n_outputs) if outputs is None else np.asarray(outputs, dtype=int)
    if len(places) == 0 or places.min() < 0 or places.max() >= n_outputs:
        raise SettingsError(
            f"outputs {places.tolist()[:5]} of {n_outputs}", "numbers below that", "choose others"
        )
    return torch.as_tensor(places, device=inputs.device), n_outputs / len(places)
