"""Masked autoencoding as a training task."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuropipe.brainmae.data import Runs, cut, segment_seconds
from neuropipe.brainmae.inference import fill_in
from neuropipe.brainmae.masking import draw_hidden, reconstruction_loss, squared_errors
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.training.optimisation import decay_groups
from neuropipe.training.task import TrainingTask

__all__ = ["MONITOR", "Batch", "Crops", "PretrainTask", "parameter_groups"]

MONITOR = "masked_r2"
_VALIDATED = (0.2, 0.5, 0.8)  # shares of hidden ROIs at which early stopping looks


@dataclass(frozen=True)
class Batch:
    """Crops of some runs, and the ROIs that are hidden in them.

    Parameters
    ----------
    segments : Segments
    hidden : tensor of bool of shape (b, k, n)
    """

    segments: Segments
    hidden: Tensor


class Crops:
    """Random crops of runs, cut into segments on a device.

    Parameters
    ----------
    runs : Runs
    settings : BrainmaeSettings
    """

    def __init__(self, runs: Runs, settings: BrainmaeSettings) -> None:
        self.runs, self.settings = runs, settings
        length = segment_seconds(settings.segments, float(runs.steps.max()))
        self.duration = settings.segments.n_segments * length
        # A crop may start at any sample from which it, or the whole run, still fits.
        last = [run.n_samples - int(np.ceil(self.duration / run.step)) for run in runs.runs]
        self.n_starts = torch.tensor([max(0, n) + 1 for n in last])

    def draw(
        self, chosen: Tensor, generator: torch.Generator, device: torch.device, *, augment: bool
    ) -> Segments:
        """Cut a random crop of each chosen run.

        Parameters
        ----------
        chosen : tensor of int of shape (b,)
        generator : torch.Generator
        device : torch.device
        augment : bool
            Whether `tr_augmentation` applies.
        """
        b = len(chosen)
        first = (torch.rand(b, generator=generator) * self.n_starts[chosen]).long()
        series, step, left = self.runs.crops(chosen.tolist(), first.tolist(), self.duration)
        of_segments = self.settings.segments
        slower = None
        if augment and of_segments.tr_augmentation is not None:
            low, high = of_segments.tr_augmentation
            slower = low + (high - low) * torch.rand(b, generator=generator)
            slower = slower.to(device)
        return cut(
            series.to(device, non_blocking=True),
            step.to(device),
            left.to(device),
            of_segments,
            n_segments=of_segments.n_segments,
            slower=slower,
        )


class PretrainTask(TrainingTask):
    """Reconstruct hidden ROIs of random crops.

    Parameters
    ----------
    model : BrainMAE
    runs : Runs
        Of the training subjects.
    settings : BrainmaeSettings
    validation : Runs, optional
        Of other subjects, on whom training is stopped early.
    """

    def __init__(
        self,
        model: BrainMAE,
        runs: Runs,
        settings: BrainmaeSettings,
        validation: Runs | None = None,
    ) -> None:
        super().__init__()
        self.model, self.settings = model, settings
        self.crops = Crops(runs, settings)
        self.validation = validation

    def draw(self, step: int, size: int, generator: torch.Generator) -> Batch:
        """Random crops of random runs; each run with its own share of hidden ROIs."""
        del step
        runs, mask = self.crops.runs, self.settings.mask
        chosen = torch.randint(len(runs.runs), (size,), generator=generator)
        segments = self.crops.draw(chosen, generator, self.device, augment=True)
        if mask.sign_flips:
            sign = 1.0 - 2.0 * torch.randint(2, (size, 1, 1, 1), generator=generator)
            segments = replace(segments, x=segments.x * sign.to(self.device))
        ratio = mask.low + (mask.high - mask.low) * torch.rand(size, generator=generator)
        if self.settings.model.variant == "ae":
            ratio = torch.zeros(size)
        hidden = draw_hidden(ratio, segments.x.shape[1], runs.n_rois, generator)
        return Batch(segments, hidden.to(self.device))

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted error of hidden and visible ROIs."""
        segments = batch.segments
        given = segments.present & ~batch.hidden
        predicted = self.model(segments.x, given, segments.valid, segments.start)
        return reconstruction_loss(
            segments.x, predicted, batch.hidden, segments.present, self.settings.mask.weight
        )

    def validate(self) -> dict[str, float]:
        """Masked R2 of the validation runs at each share of hidden ROIs, and its mean."""
        if self.validation is None:
            return {}
        of_segments, size = self.settings.segments, self.settings.segments.n_segments
        found = {}
        for ratio in _VALIDATED:
            generator = torch.Generator().manual_seed(0)
            error = total = 0.0
            for i in range(len(self.validation.runs)):
                segments = self.validation.segments(i, of_segments)
                segments = segments.to(self.device)
                shape = segments.present.shape
                hidden = draw_hidden(torch.tensor([ratio]), shape[1], shape[2], generator)
                scored = hidden.to(self.device) & segments.present
                predicted = fill_in(self.model, segments, hidden.to(self.device), size)
                error += float(squared_errors(segments.x, predicted, scored).sum())
                total += float(squared_errors(segments.x, torch.zeros(()), scored).sum())
            found[f"{MONITOR}_{ratio:g}"] = 1 - error / max(total, 1e-12)
        return {MONITOR: float(np.mean(list(found.values()))), **found}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """ROI embeddings learn faster and do not decay."""
        return parameter_groups(self.model, self.settings.embedding_lr_scale)

    def fingerprint(self) -> str:
        """The runs with their means and spreads, some of their samples, and the settings."""
        runs = self.crops.runs
        facts = [
            self.settings.model_dump_json(exclude={"pretraining", "finetuning"}),
            *(f"{run.owner} {run.recording} {run.n_samples} {run.step}" for run in runs.runs),
            *map(str, runs.units.index),
        ]
        digest = hashlib.sha256("\n".join(facts).encode())
        for run in runs.runs:
            digest.update(run.mean.tobytes() + run.sd.tobytes())
        digest.update(runs.series[:: max(1, len(runs.series) // 64)].tobytes())
        return digest.hexdigest()


def parameter_groups(model: BrainMAE, embedding_scale: float) -> list[dict[str, Any]]:
    """AdamW's groups of a model: ROI embeddings without decay, faster than the rest.

    Parameters
    ----------
    model : BrainMAE
    embedding_scale : float
        Learning rate of the embeddings over that of the body.
    """
    embedding = [p for name, p in model.named_parameters() if name == "embedding"]
    groups = []
    for group in decay_groups(model):
        rest = [p for p in group["params"] if not any(p is e for e in embedding)]
        groups.append({**group, "params": rest})
    if embedding:
        groups.append({"params": embedding, "weight_decay": 0.0, "lr_scale": embedding_scale})
    return groups
