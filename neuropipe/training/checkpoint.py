"""The checkpoint that a killed training resumes from: one file, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from neuropipe.errors import one_line
from neuropipe.training.launch import launched
from neuropipe.training.settings import OptimisationSettings
from neuropipe.training.task import TrainingTask

NAME = "last.ckpt"
#: Where our own state lies in Lightning's checkpoint.
SECTION = "neuropipe"
_FORMAT = 1
#: Settings that change neither the numbers nor the files of a training.
_FREE = {"tensorboard"}


def training_key(
    task: TrainingTask, settings: OptimisationSettings, seed: int, monitor: str | None
) -> str:
    """Hash all that a training's course depends on.

    Settings, seed, the number to watch, the task's own fingerprint, the names and shapes of its
    parameters, and the number of processes.
    """
    facts = {
        "format": _FORMAT,
        "settings": settings.model_dump(mode="json", exclude=_FREE),
        "seed": seed,
        "monitor": monitor,
        "task": type(task).__qualname__,
        "fingerprint": task.fingerprint(),
        "weights": [(name, list(value.shape)) for name, value in task.state_dict().items()],
        "processes": launched().world_size,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read_checkpoint(scratch: Path, key: str) -> dict[str, Any] | None:
    """Read the checkpoint of a training.

    Parameters
    ----------
    scratch : Path
        Its folder.
    key : str
        From `training_key`.

    Returns
    -------
    dict or None
        None where there is none, where it is another training's, or, with a warning, where it is
        damaged.
    """
    path = scratch / NAME
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load compares no checksums
        if damaged is not None:
            raise ValueError(f"{damaged} has a wrong checksum")
        found = torch.load(path, map_location="cpu", weights_only=True)
        matches = found[SECTION]["key"] == key
    except Exception as error:  # any damage at all means starting anew
        warnings.warn(
            f"{path} is damaged and ignored, training starts anew ({one_line(error, 120)})",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return dict(found) if matches else None


def clear(scratch: Path) -> None:
    """Remove the checkpoints in a folder and below, and folders that hold nothing else."""
    below = sorted(path for path in scratch.rglob("*") if path.is_dir())
    for folder in (*reversed(below), scratch):
        for name in (NAME, _partial(NAME)):
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _partial(name: str) -> str:
    """Name of a file while it is written; always the same, so that no litter gathers."""
    return f".{name}.partial"


class AtomicCheckpoint(CheckpointIO):
    """Writes a checkpoint beside its place and renames it (Lightning's own goes through /tmp)."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write, flush to disk, rename."""
        del storage_options
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(_partial(place.name))
        with partial.open("wb") as stream:
            torch.save(checkpoint, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(place)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read tensors and plain values, nothing that could run."""
        del weights_only
        return dict(torch.load(path, map_location=map_location or "cpu", weights_only=True))

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)
