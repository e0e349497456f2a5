"""Kill a training at many moments, really, and finish each; started as its own process by a test.

usage: python -m tests.unit.training.killed FOLDER

Every training runs in a fork of this process, which has imported everything and computed nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from neuropipe.training.checkpoint import AtomicCheckpoint
from neuropipe.training.settings import OptimisationSettings
from neuropipe.training.trainer import train
from tests.unit.training.tasks import Tiny, quick

#: The first: dropout, averaged weights, accumulation, a short last epoch. The second stops early.
SETTINGS = {
    "averaged": quick(max_steps=45, ema=0.8, accumulate=2),
    "patient": quick(max_steps=200, patience=2, min_delta=0.05, learning_rate=3e-2),
}
#: What is killed when: in a step, within a validation, while the n-th checkpoint is written.
MOMENTS: dict[str, tuple[str, int]] = {
    "before_any": ("draw", 3), "first_of_epoch": ("draw", 10), "within_epoch": ("draw", 27),
    "validating": ("validate", 2), "saving": ("save", 2), "last_step": ("draw", 44),
}  # fmt: skip


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Fragile(Tiny):
    """A task that is killed at a moment."""

    moment: tuple[str, int] = ("never", 0)
    validations = 0

    def draw(self, step: int, size: int, generator: torch.Generator) -> Any:
        if self.moment == ("draw", step):
            die()
        return super().draw(step, size, generator)

    def validate(self) -> dict[str, float]:
        self.validations += 1
        if self.moment == ("validate", self.validations):
            die()
        return super().validate()


def half_written(n: int) -> Callable[..., None]:
    """A way to write checkpoints that is killed when half of the n-th is on disk."""
    write, calls = AtomicCheckpoint.save_checkpoint, []

    def save(self: AtomicCheckpoint, checkpoint: dict[str, Any], path: Any, **_: Any) -> None:
        calls.append(path)
        if len(calls) == n:
            place = Path(path)
            content = place.read_bytes()
            place.with_name(f".{place.name}.partial").write_bytes(content[: len(content) // 2])
            die()
        write(self, checkpoint, path)

    return save


def run(folder: Path, settings: OptimisationSettings, moment: tuple[str, int] = ("", 0)) -> None:
    """Train in this process, and write the weights down if it gets that far."""
    task = Fragile()
    task.moment = moment
    if moment[0] == "save":
        AtomicCheckpoint.save_checkpoint = half_written(moment[1])  # type: ignore[method-assign]
    done = train(task, settings, seed=2, monitor="fit", scratch=folder / "scratch")
    rows = [[row["step"], row["train_loss"], row["fit"]] for row in done.history]
    facts = [done.best, done.steps, done.stopped_early]
    weights = dict(task.state_dict())
    weights["history"] = torch.tensor(rows, dtype=torch.float64)
    weights["facts"] = torch.tensor(facts, dtype=torch.float64)
    save_file(weights, folder / "end.safetensors")
    (folder / "resumed.txt").write_text(str(done.resumed))


def forked(call: Callable[[], None], kill_after: float | None = None) -> int:
    """Run in a child process; returns its exit status, -9 when it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            call()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(root: Path) -> None:
    for kind, settings in SETTINGS.items():
        for name, moment in {"undisturbed": ("", 0), **MOMENTS}.items():
            folder = root / kind / name
            folder.mkdir(parents=True)
            if name != "undisturbed":
                status = forked(lambda f=folder, s=settings, m=moment: run(f, s, m))
                assert status in (-signal.SIGKILL, 0), (kind, name, status)
                (folder / "status.txt").write_text(str(status))
            assert forked(lambda f=folder, s=settings: run(f, s)) == 0, (kind, name)
        folder = root / kind / "many_times"  # at moments that nobody chose
        folder.mkdir()
        for wait in (0.2, 0.35, 0.5):
            forked(lambda f=folder, s=settings: run(f, s), kill_after=wait)
        assert forked(lambda f=folder, s=settings: run(f, s)) == 0, (kind, "many_times")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
