"""What a trained model says of whole runs: reconstructions, states, embeddings, attention.

Runs longer than the model's context are read in windows of K segments; the last one ends with the
run, so that every segment is seen with as much context as the run has.

Axis legend: k segments of the run, n ROIs, l points, d width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from neuropipe.brainmae.features import Block, run_blocks
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.segments import Segments

__all__ = ["RunEmbedding", "embed", "fill_in", "parts_of", "windows"]


@dataclass(frozen=True)
class RunEmbedding:
    """A run as the encoder sees it.

    Parameters
    ----------
    run : array of shape (d,)
        State of the run's token, mean over windows.
    states : array of shape (k, d)
        Read-out of each segment alone.
    latents : array of shape (k, d)
        State of each segment in the context of its window.
    attention : array of shape (k,)
        Share of the run's token that flows from each segment (attention rollout); sums to 1.
    blocks : dict of str to array of shape (f,)
        Features of the run, see `neuropipe.brainmae.features.run_blocks`.
    """

    run: np.ndarray
    states: np.ndarray
    latents: np.ndarray
    attention: np.ndarray
    blocks: dict[Block, np.ndarray]


def windows(n_segments: int, size: int) -> list[tuple[slice, slice]]:
    """Cover a run with windows of the model's context.

    Parameters
    ----------
    n_segments : int
        Of the run.
    size : int
        K.

    Returns
    -------
    list of (slice, slice)
        The segments of a window, and those of them that no earlier window holds, as positions in
        the window.
    """
    found, done = [], 0
    while done < n_segments:
        first = max(0, min(done, n_segments - size))
        last = min(first + size, n_segments)
        found.append((slice(first, last), slice(done - first, last - first)))
        done = last
    return found


def parts_of(segments: Segments, size: int) -> Iterator[tuple[Segments, slice, slice]]:
    """Windows of runs, with `windows`' slices; time starts anew in each."""
    for where, new in windows(segments.x.shape[1], size):
        part = segments.pick(slice(None), where)
        yield replace(part, start=part.start - part.start[:, :1]), where, new


@torch.no_grad()
def fill_in(model: nn.Module, segments: Segments, hidden: Tensor, size: int) -> Tensor:
    """Reconstruct runs of which some ROIs are hidden.

    Parameters
    ----------
    model : BrainMAE or another network of the same call
        In evaluation mode.
    segments : Segments
        Of runs, on the model's device.
    hidden : tensor of bool of shape (b, k, n)
    size : int
        K, segments of a window.

    Returns
    -------
    tensor of shape (b, k, n, l)
    """
    out = torch.zeros_like(segments.x)
    for part, where, new in parts_of(segments, size):
        given = part.present & ~hidden[:, where]
        predicted = model(part.x, given, part.valid, part.start)
        out[:, where][:, new] = predicted[:, new].to(out.dtype)
    return out


@torch.no_grad()
def embed(model: BrainMAE, segments: Segments, size: int) -> RunEmbedding:
    """Embed one run with all its ROIs visible.

    Parameters
    ----------
    model : BrainMAE
        In evaluation mode.
    segments : Segments
        Of one run (b = 1), on the model's device.
    size : int
        K.
    """
    n, d = segments.x.shape[1], model.settings.width
    states, latents = (np.zeros((n, d), dtype=np.float32) for _ in range(2))
    attention = np.zeros(n)
    runs, weights, rois = [], [], []
    for part, where, new in parts_of(segments, size):
        encoded = model.encode(part.x, part.present, part.valid, part.start)
        states[where][new] = encoded.states[0, new].float().cpu().numpy()
        latents[where][new] = encoded.segments[0, new].float().cpu().numpy()
        flow = model.temporal.rollout(encoded.states, part.valid, part.start)
        n_new = new.stop - new.start
        attention[where][new] = flow[0, new].float().cpu().numpy()
        rois.append(encoded.rois[:, new].float())
        runs.append(encoded.run[0].float().cpu().numpy())
        weights.append(n_new)
    total = attention.sum()
    run = np.average(runs, axis=0, weights=weights)
    token = torch.from_numpy(run)[None].to(segments.x.device)
    blocks = run_blocks(torch.cat(rois, dim=1), token, segments.valid)
    return RunEmbedding(
        run=run,
        states=states,
        latents=latents,
        attention=attention / total if total > 0 else attention,
        blocks={name: block[0].cpu().numpy() for name, block in blocks.items()},
    )
