"""Train a task: Lightning's Trainer, set up the way every network here is trained."""

from __future__ import annotations

import importlib.util
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.strategies import DDPStrategy

from neuropipe.errors import MissingExtraError
from neuropipe.training.callbacks import Averaging, Recorder
from neuropipe.training.checkpoint import (
    NAME,
    AtomicCheckpoint,
    clear,
    read_checkpoint,
    training_key,
)
from neuropipe.training.devices import device_words, pick_device, set_threads, uses_bf16
from neuropipe.training.errors import TrainingError
from neuropipe.training.launch import Launch, cluster_environment, launched
from neuropipe.training.settings import OptimisationSettings
from neuropipe.training.task import TrainingTask

__all__ = ["TrainingRun", "clear", "train"]


@dataclass(frozen=True)
class TrainingRun:
    """How a training went.

    Parameters
    ----------
    steps : int
        Optimiser steps taken, those before an interruption included.
    stopped_early : bool
        Whether patience ended it before `max_steps`.
    best : float or None
        Best value of the number that was watched; its weights are in the task.
    history : list of dict
        One row an epoch: epoch, step, learning_rate, train_loss, other ``train_`` numbers,
        gradient_norm (before clipping), what `validate` gave, seconds since the start.
    seconds : float
        Time spent in s, that of interrupted runs included.
    device : str
        In words, for provenance.
    resumed : int
        The step from which it was resumed; 0: from the start.
    rank : int
        Number of this process; only rank 0 should write results.
    """

    steps: int
    stopped_early: bool
    best: float | None
    history: list[dict[str, float]]
    seconds: float
    device: str
    resumed: int = 0
    rank: int = 0


def train(
    task: TrainingTask,
    settings: OptimisationSettings,
    *,
    seed: int,
    monitor: str | None,
    scratch: Path | None,
    log: Path | None = None,
    progress: bool | None = None,
) -> TrainingRun:
    """Train a task's weights in place; the best ones, on the device, in evaluation mode, remain.

    Parameters
    ----------
    task : TrainingTask
    settings : OptimisationSettings
    seed : int
        Of all random numbers of the training. The initial weights are the caller's.
    monitor : str or None
        The number of `validate`, larger is better, by which training stops early and the best
        weights are kept; None: all steps, and the last weights.
    scratch : Path or None
        Folder of the checkpoint from which an interrupted training with the same settings, seed
        and fingerprint goes on, exactly. `clear` it once the weights are saved. None: no resume.
    log : Path, optional
        Folder for ``metrics.csv`` (and TensorBoard's files).
    progress : bool, optional
        Whether a bar is drawn on standard error; default: on a terminal.

    Raises
    ------
    TrainingError
        If a loss or gradient is not finite, or `monitor` is unknown or never finite.
    DeviceError
        If a GPU is asked for and there is none.

    Notes
    -----
    Started by ``torchrun`` or ``srun`` as several processes, they train together (DDP): each draws
    its own batch of `batch_size`, gradients are averaged, and only rank 0 writes.
    """
    set_threads(settings.threads)
    device, launch = pick_device(settings.device), launched()
    task.prepare(settings, seed, monitor)
    key = training_key(task, settings, seed, monitor)
    recorder = Recorder(key, monitor, scratch, log)
    found = read_checkpoint(scratch, key) if scratch is not None else None
    resumed = int(found["global_step"]) if found is not None else 0
    if found is not None and found["neuropipe"]["finished"]:
        recorder.restore(found["neuropipe"])
        task.load_state_dict(found["state_dict"])
    else:
        found_at = None if found is None or scratch is None else scratch / NAME
        _fit(task, recorder, device, launch, found_at, progress=progress)
    if monitor is not None:
        if recorder.best is None:
            raise TrainingError(
                f"{monitor} was NaN or infinite at every validation",
                "a finite number at one of them at least",
                "check the validation data, or lower learning_rate",
            )
        task.load_state_dict(recorder.best_state)
    task.to(device).eval()
    return TrainingRun(
        steps=int(recorder.history[-1]["step"]),
        stopped_early=recorder.stopped_early,
        best=recorder.best,
        history=recorder.history,
        seconds=recorder.elapsed(),
        device=device_words(device, settings.precision),
        resumed=resumed,
        rank=launch.rank,
    )


def _fit(
    task: TrainingTask,
    recorder: Recorder,
    device: torch.device,
    launch: Launch,
    checkpoint: Path | None,
    *,
    progress: bool | None,
) -> None:
    """Run Lightning's Trainer from the start or from a checkpoint."""
    settings, monitor = task.optimisation, recorder.monitor
    shown = (sys.stderr.isatty() if progress is None else progress) and launch.rank == 0
    callbacks: list[Callback] = [recorder]
    if settings.ema > 0:  # after the recorder, which copies weights while the average is in place
        callbacks.append(Averaging(settings.ema))
    if monitor is not None and settings.patience > 0:
        callbacks.append(
            EarlyStopping(
                monitor,
                mode="max",
                patience=settings.patience,
                min_delta=settings.min_delta,
                check_finite=False,
                check_on_train_epoch_end=False,
            )
        )
    if shown:
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    with _quiet(shown):
        trainer = pl.Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=launch.per_node,
            num_nodes=launch.nodes,
            strategy=_strategy(task, device, launch),
            precision="bf16-mixed" if uses_bf16(device, settings.precision) else "32-true",
            plugins=[cluster_environment(launch), AtomicCheckpoint()],
            max_epochs=-(-settings.max_steps // settings.steps_per_epoch),
            accumulate_grad_batches=settings.accumulate,
            reload_dataloaders_every_n_epochs=1,  # the last epoch may be shorter
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            inference_mode=False,
            callbacks=callbacks,
            logger=_tensorboard(settings, recorder.log_folder),
            enable_checkpointing=False,
            enable_progress_bar=shown,
            enable_model_summary=False,
            default_root_dir=recorder.scratch or tempfile.gettempdir(),
        )
        with _compiled(task, settings):
            task.train()
            trainer.fit(task, ckpt_path=checkpoint, weights_only=True)


def _strategy(task: TrainingTask, device: torch.device, launch: Launch) -> Any:
    """Choose how processes share the work."""
    if launch.world_size == 1:
        return "auto"
    return DDPStrategy(
        process_group_backend="nccl" if device.type == "cuda" else "gloo",
        find_unused_parameters=task.unused_parameters,
    )


def _tensorboard(settings: OptimisationSettings, log: Path | None) -> Any:
    """Give TensorBoard's logger where it is wanted."""
    if not settings.tensorboard or log is None:
        return False
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingExtraError(
            "tensorboard: true, but the package is not installed",
            "neuropipe with its extra tensorboard",
            "pip install 'neuropipe[tensorboard]', or set tensorboard: false",
        )
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(log, name="", version="tensorboard")


@contextmanager
def _compiled(task: TrainingTask, settings: OptimisationSettings) -> Iterator[None]:
    """Compile the modules that the loss calls; afterwards they are plain ones again."""
    modules = list(task.compiled_modules()) if settings.compile else []
    for module in modules:
        module.compile()
    try:
        yield
    finally:
        for module in modules:
            module._compiled_call_impl = None


@contextmanager
def _quiet(shown: bool) -> Iterator[None]:
    """Keep Lightning's information, tips and warnings to itself, unless somebody watches."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        if not shown:
            warnings.filterwarnings("ignore", module=r"lightning\.")
            for logger in loggers:
                logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
