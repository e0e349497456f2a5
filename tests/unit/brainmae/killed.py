"""Kill a pretraining, really, and finish it; started as its own process by a test.

usage: python -m tests.unit.brainmae.killed FOLDER

Every training runs in a fork of this process, which has imported everything and computed nothing.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from neuropipe.brainmae.fit import pretrain
from neuropipe.brainmae.pretraining import PretrainTask
from tests.unit.brainmae.builders import cohort, tiny
from tests.unit.training.killed import die, forked

KILLED_AT = 16  # step, in the middle of the second of three epochs


def run(folder: Path, killed_at: int | None = None) -> None:
    """Train in this process, and write the weights down if it gets that far."""
    draw = PretrainTask.draw

    def fragile(self: PretrainTask, step: int, size: int, generator: torch.Generator) -> Any:
        if step == killed_at:
            die()
        return draw(self, step, size, generator)

    PretrainTask.draw = fragile  # type: ignore[method-assign]
    settings = tiny(model={"dropout": 0.1}, segments={"tr_augmentation": [0.7, 2.0]})
    done = pretrain(cohort(12), settings, seed=3, scratch=folder / "scratch")
    facts = torch.tensor([done.run.best, done.run.steps], dtype=torch.float64)
    save_file({**done.model.state_dict(), "facts": facts}, folder / "end.safetensors")
    (folder / "resumed.txt").write_text(str(done.run.resumed))


def main(root: Path) -> None:
    for name in ("undisturbed", "killed"):
        folder = root / name
        folder.mkdir()
        if name == "killed":
            status = forked(lambda f=folder: run(f, KILLED_AT))
            assert status == -signal.SIGKILL, status
            assert [path.name for path in folder.iterdir()] == ["scratch"]
        assert forked(lambda f=folder: run(f)) == 0, name


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
