"""What a trained model says of whole runs: reconstructions, states, embeddings, attention.

Runs longer than the model's context are read in windows of K segments; the last one ends with the
run, so that every segment is seen with as much context as the run has.

Axis legend: k segments of the run, n ROIs, l points, d width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.segments import Segments

__all__ = ["RunEmbedding", "embed", "fill_in", "run_features", "windows"]


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
    """

    run: np.ndarray
    states: np.ndarray
    latents: np.ndarray
    attention: np.ndarray


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


def _parts(segments: Segments, size: int) -> Iterator[tuple[Segments, slice, slice]]:
    for where, new in windows(segments.x.shape[1], size):
        start = segments.start[:, where]
        yield (
            Segments(
                segments.x[:, where],
                segments.valid[:, where],
                segments.present[:, where],
                start - start[:, :1],
            ),
            where,
            new,
        )


@torch.no_grad()
def fill_in(model: BrainMAE, segments: Segments, hidden: Tensor, size: int) -> Tensor:
    """Reconstruct runs of which some ROIs are hidden.

    Parameters
    ----------
    model : BrainMAE
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
    for part, where, new in _parts(segments, size):
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
    runs, weights = [], []
    for part, where, new in _parts(segments, size):
        encoded = model.encode(part.x, part.present, part.valid, part.start)
        states[where][new] = encoded.states[0, new].float().cpu().numpy()
        latents[where][new] = encoded.segments[0, new].float().cpu().numpy()
        flow = model.temporal.rollout(encoded.states, part.valid, part.start)
        n_new = new.stop - new.start
        attention[where][new] = flow[0, new].float().cpu().numpy()
        runs.append(encoded.run[0].float().cpu().numpy())
        weights.append(n_new)
    total = attention.sum()
    return RunEmbedding(
        run=np.average(runs, axis=0, weights=weights),
        states=states,
        latents=latents,
        attention=attention / total if total > 0 else attention,
    )


def run_features(found: RunEmbedding) -> np.ndarray:
    """Features of a run for linear probes on frozen weights.

    Parameters
    ----------
    found : RunEmbedding

    Returns
    -------
    array of shape (6 d,)
        The run's token; of the segments' states mean, standard deviation and root mean square
        step from one to the next (how much and how fast the run changes); of the latent states
        mean and standard deviation.
    """
    steps = np.diff(found.states, axis=0)
    return np.concatenate(
        [
            found.run,
            found.states.mean(axis=0),
            found.states.std(axis=0),
            np.sqrt((steps**2).mean(axis=0)) if len(steps) else np.zeros_like(found.run),
            found.latents.mean(axis=0),
            found.latents.std(axis=0),
        ]
    ).astype(np.float32)
