"""Labels from runs: a linear head on pooled features, then all weights fine-tuned.

The head starts at the ridge solution on the features of the model as it is; then head and body are
trained together (linear probing before fine-tuning: Kumar et al. 2022, arXiv:2202.10054).

Axis legend: r runs, b runs of a batch, f features, c outputs.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.features import Block, BlockScale, run_blocks
from neuropipe.brainmae.inference import parts_of
from neuropipe.brainmae.masking import draw_hidden
from neuropipe.brainmae.model import BrainMAE, Encoded
from neuropipe.brainmae.pretraining import Crops, parameter_groups
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.training.task import TrainingTask
from neuropipe.training.trainer import train

__all__ = ["FinetuneTask", "Labelled", "LinearHead", "finetune", "label_decisions"]

_PENALTIES = np.logspace(-4, 4, 17)


@dataclass(frozen=True)
class Labelled:
    """What shall be told of runs.

    Parameters
    ----------
    values : array of shape (n_runs,)
        Class numbers 0, 1, ..., or numbers in the target's unit.
    n_classes : int
        0 for regression.
    """

    values: np.ndarray
    n_classes: int

    @property
    def n_outputs(self) -> int:
        """One number, or one decision value a class."""
        return max(self.n_classes, 1)

    def only(self, chosen: Sequence[int] | np.ndarray) -> Labelled:
        """The labels of some runs."""
        return Labelled(np.asarray(self.values)[np.asarray(chosen, dtype=int)], self.n_classes)


class LinearHead(nn.Module):
    """Scaled features to decision values, started at ridge regression.

    Which blocks it looks at, and the penalty, are those of the smallest leave-one-out error among
    the training runs.

    Parameters
    ----------
    features : mapping of str to array of shape (n_runs, f)
        Blocks of the training runs.
    names : sequence of str
        Blocks to use.
    targets : array of shape (n_runs, c)
        +-1 for classes, standardised numbers.
    weights : array of shape (n_runs,)
        Of the runs in the ridge regression.
    """

    mean: Tensor
    factor: Tensor

    def __init__(
        self,
        features: dict[Block, np.ndarray],
        names: Sequence[Block],
        targets: np.ndarray,
        weights: np.ndarray,
    ) -> None:
        super().__init__()
        scale = BlockScale(features, names)
        self.names = scale.names
        x = scale(features).astype(np.float64)
        ridge, kept = _best_ridge(x, scale.block, targets, weights)
        self.register_buffer("mean", torch.from_numpy(scale.mean))
        self.register_buffer("factor", torch.from_numpy(scale.factor * kept).float())
        self.linear = nn.Linear(x.shape[1], targets.shape[1])
        with torch.no_grad():
            coefficients = np.atleast_2d(ridge.coef_)
            self.linear.weight.copy_(torch.from_numpy(coefficients).float())
            self.linear.bias.copy_(torch.from_numpy(np.atleast_1d(ridge.intercept_)).float())

    def forward(self, blocks: dict[Block, Tensor]) -> Tensor:
        """Map blocks of shape (b, f) to (b, c)."""
        joined = torch.cat([blocks[name] for name in self.names], dim=1)
        out: Tensor = self.linear((joined - self.mean) * self.factor)
        return out


def _best_ridge(
    x: np.ndarray, block: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Ridge regression on the best of all choices of blocks, and which features those are."""
    from sklearn.linear_model import RidgeCV

    best: tuple[Any, np.ndarray] | None = None
    for chosen in product((False, True), repeat=int(block.max()) + 1):
        kept = np.array(chosen)[block]
        if not kept.any():
            continue
        ridge = RidgeCV(_PENALTIES).fit(x * kept, targets, sample_weight=weights)
        if best is None or ridge.best_score_ >= best[0].best_score_:
            best = ridge, kept
    assert best is not None
    return best


@dataclass(frozen=True)
class Batch:
    """Crops of some runs, what is hidden of them, and their labels."""

    segments: Segments
    hidden: Tensor
    values: Tensor


class FinetuneTask(TrainingTask):
    """Tell labels from random crops.

    Parameters
    ----------
    model : BrainMAE
        Copied: the one that is given keeps its weights.
    runs : Runs
        Of the training subjects.
    labels : Labelled
        Of those runs.
    settings : BrainmaeSettings

    Notes
    -----
    Classes weigh the same; numbers are standardised by the training runs. In training a share of
    the ROIs, up to `finetune_mask`, is hidden from each crop.
    """

    def __init__(
        self, model: BrainMAE, runs: Runs, labels: Labelled, settings: BrainmaeSettings
    ) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).eval()
        for unused in (self.model.head, self.model.temporal.decoder):
            unused.requires_grad_(requires_grad=False)
        self.model.temporal.decoder_norm.requires_grad_(requires_grad=False)
        self.settings, self.labels = settings, labels
        self.crops = Crops(runs, settings)
        self.centre, self.spread = 0.0, 1.0
        if labels.n_classes:
            code = labels.values.astype(int)
            share = np.bincount(code, minlength=labels.n_classes) / len(code)
            of_class = 1 / (labels.n_classes * np.maximum(share, 1e-12))
            targets = 2.0 * np.eye(labels.n_classes)[code] - 1
            weights = of_class[code]
            self.values = torch.tensor(code)
        else:
            self.centre, self.spread = float(np.mean(labels.values)), float(np.std(labels.values))
            targets = ((labels.values - self.centre) / (self.spread or 1.0))[:, None]
            of_class, weights = np.ones(1), np.ones(len(targets))
            self.values = torch.tensor(targets[:, 0], dtype=torch.float32)
        self.register_buffer("class_weights", torch.tensor(of_class, dtype=torch.float32))
        self.head = LinearHead(self.blocks_of(runs), settings.pool, targets, weights)

    @torch.no_grad()
    def blocks_of(self, runs: Runs) -> dict[Block, np.ndarray]:
        """Features of every run: means over its windows, for the start of the head."""
        found = [_window_blocks(self, runs, i) for i in range(len(runs.runs))]
        return {
            name: np.stack([np.average(blocks[name], axis=0, weights=w) for blocks, w in found])
            for name in self.settings.pool
        }

    def draw(self, step: int, size: int, generator: torch.Generator) -> Batch:
        """Random crops of random runs."""
        del step
        runs = self.crops.runs
        chosen = torch.randint(len(runs.runs), (size,), generator=generator)
        segments = self.crops.draw(chosen, generator, self.device, augment=True)
        ratio = self.settings.finetune_mask * torch.rand(size, generator=generator)
        hidden = draw_hidden(ratio, segments.x.shape[1], runs.n_rois, generator)
        return Batch(segments, hidden.to(self.device), self.values[chosen].to(self.device))

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of classes, squared error of standardised numbers."""
        segments = batch.segments
        given = segments.present & ~batch.hidden
        encoded = self.model.encode(segments.x, given, segments.valid, segments.start)
        out = self.head(_blocks(encoded, segments)).float()
        if self.labels.n_classes:
            assert isinstance(self.class_weights, Tensor)
            return functional.cross_entropy(out, batch.values, weight=self.class_weights), {}
        return (out[:, 0] - batch.values).square().mean(), {}

    def validate(self) -> dict[str, float]:
        """Nothing: labelled subjects are too few to stop early on some of them."""
        return {}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The body as in pretraining; the head learns `head_lr_scale` times as fast."""
        body = parameter_groups(self.model, self.settings.embedding_lr_scale)
        head = {"params": list(self.head.parameters()), "lr_scale": self.settings.head_lr_scale}
        return [*body, head]

    def fingerprint(self) -> str:
        """Runs with their means and spreads, labels, settings, and the weights at the start."""
        runs = self.crops.runs
        digest = hashlib.sha256(self.settings.model_dump_json().encode())
        digest.update(" ".join(f"{run.owner} {run.recording}" for run in runs.runs).encode())
        digest.update(np.ascontiguousarray(self.labels.values).tobytes())
        for run in runs.runs:
            digest.update(run.mean.tobytes() + run.sd.tobytes())
        for weights in self.state_dict().values():
            digest.update(weights.detach().cpu().numpy().tobytes())
        return digest.hexdigest()


def _blocks(encoded: Encoded, segments: Segments) -> dict[Block, Tensor]:
    return run_blocks(encoded.rois, encoded.run, segments.valid)


def _window_blocks(
    task: FinetuneTask, runs: Runs, i: int
) -> tuple[dict[Block, np.ndarray], list[int]]:
    """Features of every window of a run, and the segments that each adds."""
    of_segments = task.settings.segments
    segments = runs.segments(i, of_segments).to(task.device)
    parts, weights = [], []
    for part, _, new in parts_of(segments, of_segments.n_segments):
        encoded = task.model.encode(part.x, part.present, part.valid, part.start)
        parts.append(_blocks(encoded, part))
        weights.append(new.stop - new.start)
    names = task.settings.pool
    return {n: np.stack([p[n][0].cpu().numpy() for p in parts]) for n in names}, weights


def finetune(
    model: BrainMAE,
    runs: Runs,
    labels: Labelled,
    settings: BrainmaeSettings,
    *,
    seed: int,
    scratch: Path | None = None,
) -> FinetuneTask:
    """Train all weights and a new head to tell labels.

    Parameters
    ----------
    model : BrainMAE
        Pretrained, or of random weights (from scratch); it stays as it is.
    runs : Runs
        Of the training subjects.
    labels : Labelled
        Of those runs.
    settings : BrainmaeSettings
    seed : int
        Of crops and masks.
    scratch : Path, optional
        Where an interrupted training is kept.

    Returns
    -------
    FinetuneTask
        Trained, in evaluation mode; see `label_decisions`.
    """
    task = FinetuneTask(model, runs, labels, settings)
    train(task, settings.finetuning, seed=seed, monitor=None, scratch=scratch)
    return task


@torch.no_grad()
def label_decisions(task: FinetuneTask, runs: Runs) -> np.ndarray:
    """What a fine-tuned model says of whole runs.

    Parameters
    ----------
    task : FinetuneTask
        Trained.
    runs : Runs

    Returns
    -------
    array of shape (n_runs,) or (n_runs, n_classes)
        Difference of the two classes' decision values (positive: the second), those of more
        classes, or numbers in the target's unit; means over the windows of a run.
    """
    blocks = task.blocks_of(runs)
    tensors = {
        name: torch.from_numpy(block).float().to(task.device) for name, block in blocks.items()
    }
    out = task.head(tensors).float().cpu().numpy()
    if not task.labels.n_classes:
        return np.asarray(out[:, 0] * (task.spread or 1.0) + task.centre)
    return np.asarray(out[:, 1] - out[:, 0]) if task.labels.n_classes == 2 else out
