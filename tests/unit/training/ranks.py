"""Started by torchrun: train together, and write down what each process drew and ended with.

usage: torchrun ranks.py FOLDER [STEP]    at STEP, process 1 is killed
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from neuropipe.training.launch import launched
from neuropipe.training.trainer import train
from tests.unit.training.tasks import Tiny, quick


class Fragile(Tiny):
    """A task whose second process is killed at a step."""

    killed_at = int(sys.argv[2]) if len(sys.argv) > 2 else -1

    def draw(self, step: int, size: int, generator: torch.Generator) -> Any:
        if step == self.killed_at and launched().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(step, size, generator)


folder, rank = Path(sys.argv[1]), launched().rank
task = Fragile(seed=rank)  # the first process's weights are taken
settings = quick(max_steps=30, accumulate=2)
run = train(task, settings, seed=4, monitor="fit", scratch=folder / "scratch", log=folder / "log")
tensors = {f"weights.{name}": value for name, value in task.state_dict().items()}
tensors |= {f"drawn.{i}": value for i, value in enumerate(task.drawn)}
save_file(tensors, folder / f"rank{rank}.safetensors")
(folder / f"rank{rank}.txt").write_text(f"{run.resumed} {run.steps} {run.best} {run.device}")
