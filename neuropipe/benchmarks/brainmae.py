"""BrainMAE against the machine's matrix products and against a plain masked autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from neuropipe.benchmarks.peak import operations, products
from neuropipe.benchmarks.table import BenchmarkRow, compare
from neuropipe.brainmae.data import runs_of_arrays
from neuropipe.brainmae.inference import embed
from neuropipe.brainmae.masking import draw_hidden
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.peers.patch_mae import PatchMAE, PatchTask
from neuropipe.brainmae.pretraining import Batch, PretrainTask
from neuropipe.brainmae.settings import BrainmaeSettings, ModelSettings, SegmentSettings
from neuropipe.training.devices import autocast, device_words
from neuropipe.training.optimisation import total_norm
from neuropipe.training.settings import Precision

__all__ = ["Case", "run", "train_step"]

Side = Literal["ours", "peer"]
_RATIO = 0.4  # of hidden ROIs: the mean of the default range, the same in all runs
_PEER = "plain MAE, ROI x segment tokens"


@dataclass(frozen=True)
class Case:
    """What is timed.

    Parameters
    ----------
    batch : int
        Runs of a batch.
    width : int
        d; all other sizes of the networks are the defaults.
    n_rois, n_segments, n_points : int
    device : str
        As torch names it.
    precision : {"auto", "32", "bf16"}
        Of matrix products; auto: bfloat16 on a GPU that has it.
    """

    batch: int = 4
    width: int = ModelSettings().width
    n_rois: int = 100
    n_segments: int = SegmentSettings().n_segments
    n_points: int = SegmentSettings().n_points
    device: str = "cpu"
    precision: Precision = "auto"

    @property
    def words(self) -> str:
        """Sizes and device."""
        sizes = f"{self.batch} runs x {self.n_segments} segments x {self.n_rois} ROIs"
        where = device_words(torch.device(self.device), self.precision)
        return f"{sizes}, width {self.width}, {where}"


def run(repeats: int = 5, case: Case | None = None) -> list[BenchmarkRow]:
    """Time a step of training and the embedding of runs; on a GPU, too, where there is one.

    Parameters
    ----------
    repeats : int
        Pairs of timed calls.
    case : Case, optional
        On the CPU; four runs of the default settings and 100 ROIs.

    Returns
    -------
    list of BenchmarkRow
        A step (forward, backward, clipping, AdamW) against as many floating-point operations in
        products of large square matrices: 1 / ratio is the share of the peak that it reaches. The
        same step against the plain masked autoencoder of the same width and depth, on the same
        batch. Embeddings of whole runs against the mean state of its tokens.

    Notes
    -----
    All runs hide the same share of ROIs, at which the plain autoencoder's batch needs no filler.
    """
    rows = _rows(case or Case(), repeats)
    if torch.cuda.is_available():
        large = Case(batch=64, width=256, device="cuda")
        rows += _rows(large, repeats)
        rows.append(_agreement(Case(batch=16), "cuda", repeats))
    return rows


def _rows(case: Case, repeats: int) -> list[BenchmarkRow]:
    """Rows of one case."""
    step, peer_step = partial(train_step, case, "ours"), partial(train_step, case, "peer")
    embedding, peer_embedding = partial(embed_runs, case, "ours"), partial(embed_runs, case, "peer")
    count = operations(step)
    gemms = partial(products, count, case.device)
    n_segments = case.batch * case.n_segments
    of_peak = compare(
        f"training step, {count / 1e9:.2f} GFLOP: {case.words}",
        "the same FLOP as large matrix products",
        step,
        gemms,
        repeats=repeats,
        memory=False,
    )
    rows = [replace(of_peak, task=f"{of_peak.task}; {1 / of_peak.ratio:.0%} of the peak")]
    for task, ours, theirs in (
        ("training step", step, peer_step),
        ("embedding", embedding, peer_embedding),
    ):
        on_cpu = case.device == "cpu"
        row = compare(f"{task}: {case.words}", _PEER, ours, theirs, repeats=repeats, memory=on_cpu)
        if not on_cpu:
            row = replace(row, ours_peak=_device_peak(ours), theirs_peak=_device_peak(theirs))
        speed = f"{n_segments / row.ours:.0f} : {n_segments / row.theirs:.0f} segments/s"
        rows.append(replace(row, task=f"{row.task}; {speed}"))
    return rows


def train_step(case: Case, side: Side) -> float:
    """One step: loss, gradient, clipping, AdamW. Returns the loss."""
    task, optimizer, batch = _trained(case, side)
    with autocast(task.device, case.precision):
        loss, _ = task.loss(batch)
    loss.backward()  # type: ignore[no-untyped-call]
    total_norm(task.parameters(), task.optimisation.clip)
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


def embed_runs(case: Case, side: Side) -> np.ndarray:
    """Embed every run of the batch on its own, as inference does; shape (batch, d)."""
    task, _, batch = _trained(case, side)
    model: nn.Module = task.model.eval()
    found = []
    with torch.inference_mode(), autocast(task.device, case.precision):
        for i in range(case.batch):
            one = batch.segments.pick(slice(i, i + 1), slice(None))
            if isinstance(model, BrainMAE):
                found.append(embed(model, one, case.n_segments).run)
            elif isinstance(model, PatchMAE):
                found.append(model.features(one, case.n_segments)[0].cpu().numpy())
    model.train()
    return np.stack(found)


@lru_cache
def _trained(case: Case, side: Side) -> tuple[PretrainTask, torch.optim.Optimizer, Batch]:
    """Task, optimiser and batch of one side; both sides get the same batch."""
    settings = BrainmaeSettings(
        model=ModelSettings(width=case.width),
        segments=SegmentSettings(n_segments=case.n_segments, n_points=case.n_points),
    )
    length = int(case.n_segments * settings.segments.duration)
    rng = np.random.default_rng(0)
    series = [rng.standard_normal((length + 1, case.n_rois)) for _ in range(case.batch)]
    runs = runs_of_arrays(series, [1.0] * case.batch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = (settings.model, case.n_rois, case.n_points)
        task = (
            PretrainTask(BrainMAE(*sizes), runs, settings)
            if side == "ours"
            else PatchTask(PatchMAE(*sizes), runs, settings)
        ).to(case.device)
    task.prepare(settings.pretraining, seed=0, monitor=None)
    optimizer = task.configure_optimizers()["optimizer"]
    generator = torch.Generator().manual_seed(0)
    segments = task.crops.draw(torch.arange(case.batch), generator, task.device, augment=False)
    ratio = torch.full((case.batch,), _RATIO)
    hidden = draw_hidden(ratio, case.n_segments, case.n_rois, generator)
    return task, optimizer, Batch(segments, hidden.to(task.device))


def _device_peak(function: Callable[[], Any]) -> float:
    """Memory of the GPU in MB that a call adds at its peak."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    function()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def _agreement(case: Case, device: str, repeats: int) -> BenchmarkRow:
    """Embeddings in float32 on a device against those on the CPU, and how far they are apart."""
    there = partial(embed_runs, replace(case, device=device, precision="32"), "ours")
    here = partial(embed_runs, replace(case, precision="32"), "ours")
    one, other = there(), here()
    distance = np.abs(one - other).max() / other.std()
    words = replace(case, device=device, precision="32").words
    return compare(
        f"embedding, float32: {words}; at most {distance:.0e} sd apart",
        "the same on the CPU",
        there,
        here,
        repeats=repeats,
        memory=False,
    )
