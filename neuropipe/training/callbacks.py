"""What happens at the end of every epoch, and the averaging of weights."""

from __future__ import annotations

import csv
import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from neuropipe.atomic import atomic_file
from neuropipe.training.checkpoint import NAME, SECTION
from neuropipe.training.task import TrainingTask

METRICS = "metrics.csv"
#: Largest share of the time that checkpoints may take: a large one is not written every epoch.
_SHARE = 0.05


class Recorder(Callback):
    """Keeps the history and the best weights; writes the log and the checkpoint.

    Parameters
    ----------
    key : str
        Of the training, from `neuropipe.training.checkpoint.training_key`.
    monitor : str, optional
        The number, larger is better, by which the best weights are kept.
    scratch : Path, optional
        Folder of the checkpoint.
    log : Path, optional
        Folder of ``metrics.csv``.
    """

    def __init__(
        self, key: str, monitor: str | None, scratch: Path | None, log: Path | None
    ) -> None:
        self.key, self.monitor, self.scratch, self.log_folder = key, monitor, scratch, log
        self.history: list[dict[str, float]] = []
        self.best: float | None = None
        self.best_state: dict[str, Tensor] = {}
        self.finished = self.stopped_early = False
        self.seconds = 0.0
        self._started = time.monotonic()
        self._saved, self._saving = -math.inf, 0.0
        self._sigterm = signal.getsignal(signal.SIGTERM)

    def state(self) -> dict[str, Any]:
        """What a resumed training needs to know, as plain values and tensors."""
        return {
            "key": self.key,
            "history": self.history,
            "best": self.best,
            "best_state": self.best_state,
            "finished": self.finished,
            "stopped_early": self.stopped_early,
            "seconds": self.elapsed(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the state of a checkpoint."""
        self.history, self.best = list(state["history"]), state["best"]
        self.best_state, self.seconds = dict(state["best_state"]), state["seconds"]
        self.finished, self.stopped_early = state["finished"], state["stopped_early"]
        self._started = time.monotonic()

    def elapsed(self) -> float:
        """Time spent on this training in s, that of interrupted runs included."""
        return self.seconds + time.monotonic() - self._started

    # Lightning's hooks

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Undo Lightning's handler, after which a terminated process would leave with status 0."""
        del trainer, pl_module
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._sigterm)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights when they are the best so far (averaged ones, where they are)."""
        del trainer
        assert isinstance(pl_module, TrainingTask)
        value = pl_module.validated.get(self.monitor or "", math.nan)
        if math.isfinite(value) and (self.best is None or value > self.best):
            self.best = value
            state = pl_module.state_dict()
            self.best_state = {name: w.detach().cpu().clone() for name, w in state.items()}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row to the history, write log and checkpoint."""
        assert isinstance(pl_module, TrainingTask)
        self._add_row(trainer, pl_module)
        settings = pl_module.optimisation
        self.stopped_early = trainer.should_stop and trainer.global_step < settings.max_steps
        self.finished = trainer.should_stop or trainer.global_step >= settings.max_steps
        if self.log_folder is not None and trainer.is_global_zero:
            write_history(self.log_folder / METRICS, self.history)
        if self.scratch is not None and trainer.strategy.broadcast(self._due()):
            before = time.monotonic()
            trainer.save_checkpoint(self.scratch / NAME, weights_only=False)
            self._saved = time.monotonic()
            self._saving = self._saved - before

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put our state into Lightning's checkpoint."""
        del trainer, pl_module
        checkpoint[SECTION] = self.state()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take our state out of Lightning's checkpoint."""
        del trainer, pl_module
        self.restore(checkpoint[SECTION])

    def _due(self) -> bool:
        """Tell whether it is time for a checkpoint: always, unless writing takes too long."""
        since = time.monotonic() - self._saved
        return self.finished or since * _SHARE >= self._saving

    def _add_row(self, trainer: pl.Trainer, task: TrainingTask) -> None:
        """Describe the epoch that ends."""
        means = task.ledger.means()
        if trainer.world_size > 1:
            values = torch.tensor([means[name] for name in sorted(means)], device=task.device)
            shared = trainer.strategy.reduce(values, reduce_op="mean")
            assert isinstance(shared, Tensor)
            means = dict(zip(sorted(means), shared.tolist(), strict=True))
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            **means,
            **task.validated,
            "seconds": round(self.elapsed(), 3),
        }
        self.history.append(row)
        for logger in trainer.loggers:
            logger.log_metrics(row, step=trainer.global_step)


class Averaging(WeightAveraging):
    """Exponential moving average of the weights, on the device that trains.

    Parameters
    ----------
    decay : float
        Of the average, a step.
    """

    def __init__(self, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        super().__init__(use_buffers=False, multi_avg_fn=average)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Name the device: Lightning has not moved the network yet and would stay on the CPU."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:  # on a GPU, reading the count would stall every step
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write one row an epoch as CSV; the columns are all that any row has."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    with atomic_file(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(history)
