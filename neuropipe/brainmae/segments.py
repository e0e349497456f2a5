"""Runs to segments on the device: crops, anti-aliased resampling, segments of fixed length.

Every run has its own repetition time. A segment of tau seconds becomes L points, so that one model
serves data of any repetition time.

Axis legend: b runs of a batch, w samples of a crop, k segments, l points of a segment, n ROIs,
p taps of the resampling filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Segments", "native_points", "native_segments", "resample", "segment_crops"]

_ENOUGH = 0.5  # share of a point's filter weight that must rest on measured samples


@dataclass(frozen=True)
class Segments:
    """Segments of some runs, ready for the model.

    Parameters
    ----------
    x : tensor of shape (b, k, n, l), float32
        Points in z units; 0 where nothing was measured.
    valid : tensor of bool of shape (b, k)
        Segments that lie within the run.
    present : tensor of bool of shape (b, k, n)
        ROIs that were measured throughout the segment.
    start : tensor of shape (b, k)
        Start of each segment in s, from the start of the crop.
    """

    x: Tensor
    valid: Tensor
    present: Tensor
    start: Tensor

    def pick(self, runs: slice, segments: slice = slice(None)) -> Segments:
        """Some of the runs and segments; the times stay as they are."""
        parts = (self.x, self.valid, self.present, self.start)
        return Segments(*(part[runs, segments] for part in parts))

    def to(self, device: torch.device) -> Segments:
        """The same on a device."""
        parts = (self.x, self.valid, self.present, self.start)
        return Segments(*(part.to(device) for part in parts))


def resample(series: Tensor, step: Tensor, times: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Read series at given times through a triangular filter.

    Parameters
    ----------
    series : tensor of shape (b, w, n)
        Samples at times 0, step, 2 step, ...; NaN is missing.
    step : tensor of shape (b,)
        In s.
    times : tensor of shape (b, m)
        In s.
    width : tensor of shape (b,)
        Half width of the filter in s, at least `step`. At `step` it interpolates linearly; wider
        it averages, which keeps what the new grid cannot hold from folding over.

    Returns
    -------
    values : tensor of shape (b, m, n)
        0 where nothing was measured.
    measured : tensor of shape (b, m, n)
        Share of the filter's weight that rests on measured samples, in [0, 1].
    """
    b, w, n = series.shape
    # The small shift keeps rounding from dropping the tap that lies at the very edge.
    first = torch.ceil((times - width[:, None]) / step[:, None] - 1e-4)
    n_taps = int(torch.ceil(2 * width / step + 1e-3).max().item())
    taps = first[:, :, None] + torch.arange(n_taps, device=series.device)
    distance = (taps * step[:, None, None] - times[:, :, None]).abs()
    weight = (1 - distance / width[:, None, None]).clamp_min(0)
    weight = weight / weight.sum(-1, keepdim=True)
    inside = (taps >= 0) & (taps <= w - 1)
    index = taps.clamp(0, w - 1).long().view(b, -1)
    rows = torch.arange(b, device=series.device)[:, None]
    read = series[rows, index].view(b, times.shape[1], n_taps, n)
    known = torch.isfinite(read) & inside[..., None]
    measured = torch.einsum("bmp,bmpn->bmn", weight, known.to(weight.dtype))
    total = torch.einsum("bmp,bmpn->bmn", weight, torch.where(known, read, 0.0).to(weight.dtype))
    return total / measured.clamp_min(1e-6), measured


def segment_crops(
    series: Tensor,
    step: Tensor,
    length: Tensor,
    *,
    n_segments: int,
    n_points: int,
    duration: float,
    slower: Tensor | None = None,
) -> Segments:
    """Cut crops into segments of equal duration and number of points.

    Parameters
    ----------
    series : tensor of shape (b, w, n)
        Crops, z-scored; NaN is missing, also beyond the end of a run.
    step : tensor of shape (b,)
        Repetition times in s.
    length : tensor of shape (b,)
        Seconds from the start of each crop to the end of its run.
    n_segments, n_points : int
        k and l.
    duration : float
        tau in s.
    slower : tensor of shape (b,), optional
        Repetition times in s that the crops are first resampled to (augmentation); a value not
        above `step` leaves its crop as it is.

    Returns
    -------
    Segments
    """
    if slower is not None:
        series, step = _slowed(series, step, torch.maximum(slower, step))
    device = series.device
    starts = torch.arange(n_segments, device=device) * duration
    spacing = duration / n_points
    points = (torch.arange(n_points, device=device) + 0.5) * spacing
    # Samples stand for the middle of their repetition: point 0.5 of the crop is sample 0.
    times = (starts[:, None] + points).view(1, -1) - step[:, None] / 2
    values, measured = resample(series, step, times, step.clamp_min(spacing))
    b, _, n = values.shape
    shape = (b, n_segments, n_points, n)
    present = (measured.view(shape) >= _ENOUGH).all(dim=2)
    valid = starts + duration <= length[:, None] + 1e-3
    present = present & valid[..., None]
    x = values.view(shape).transpose(2, 3) * present[..., None]
    return Segments(x.contiguous(), valid, present, starts.expand(b, n_segments))


def _slowed(series: Tensor, step: Tensor, slower: Tensor) -> tuple[Tensor, Tensor]:
    """Resample crops to longer repetition times, each its own."""
    n_out = int(torch.ceil(series.shape[1] * step / slower).max().item())
    index = torch.arange(n_out, device=series.device)
    times = (index + 0.5) * slower[:, None] - step[:, None] / 2
    values, measured = resample(series, step, times, slower)
    return torch.where(measured < _ENOUGH, torch.nan, values), slower


def native_points(duration: float, step: float) -> int:
    """Samples of a segment that is not resampled: round(tau / TR), at least two.

    Parameters
    ----------
    duration, step : float
        tau and TR in s; TR counts to four decimals.
    """
    return max(2, round(duration / round(step, 4)))


def native_segments(
    series: Tensor, step: Tensor, length: Tensor, *, n_segments: int, duration: float
) -> Segments:
    """Cut crops of one repetition time into segments of round(tau / TR) samples, end to end.

    Parameters
    ----------
    series, step, length, n_segments, duration
        As in `segment_crops`; all entries of `step` are the same.

    Returns
    -------
    Segments
        No two share a sample: what is hidden in one cannot be read off the next.
    """
    time = float(step[0])
    n_points = native_points(duration, time)
    first = torch.arange(n_segments, device=series.device) * n_points
    starts = first * time
    index = (first[:, None] + torch.arange(n_points, device=series.device)).view(-1)
    index = index.clamp_max(series.shape[1] - 1)
    b, _, n = series.shape
    read = series[:, index].view(b, n_segments, n_points, n).transpose(2, 3)
    valid = (first + n_points) * time <= length[:, None] + 1e-3
    present = torch.isfinite(read).all(-1) & valid[..., None]
    x = torch.where(present[..., None], read, 0.0)
    return Segments(x.contiguous(), valid, present, starts.expand(len(series), n_segments))
