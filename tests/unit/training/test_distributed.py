"""Two processes on the CPU train one network, started by torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

ROOT = Path(__file__).parents[3]


def torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "tests.unit.training.ranks", str(folder), *arguments,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def read(folder: Path, rank: int, what: str) -> dict[str, Tensor]:
    state = load_file(folder / f"rank{rank}.safetensors")
    return {k.removeprefix(f"{what}."): v for k, v in state.items() if k.startswith(what)}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    done = torchrun(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return folder


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_processes_draw_their_own_batches_and_end_with_the_same_weights(together: Path) -> None:
    first, second = (read(together, rank, "weights") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    drawn = [value for rank in range(2) for value in read(together, rank, "drawn").values()]
    assert len(drawn) == 2 * 30 * 2
    assert len({value.numpy().tobytes() for value in drawn}) == len(drawn)
    told = [(together / f"rank{rank}.txt").read_text() for rank in range(2)]
    assert told[0] == told[1]
    assert told[0].startswith("0 30 ")
    assert told[0].endswith("2 x cpu, 1 thread")
    rows = (together / "log" / "metrics.csv").read_text().splitlines()
    assert len(rows) == 4
    assert {path.name for path in (together / "scratch").iterdir()} == {"last.ckpt"}


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_lost_process_ends_all_and_the_next_start_goes_on(together: Path, tmp_path: Path) -> None:
    done = torchrun(tmp_path, "25")
    assert done.returncode != 0
    assert not (tmp_path / "rank0.txt").exists()
    done = torchrun(tmp_path)
    assert done.returncode == 0, done.stderr
    assert int((tmp_path / "rank0.txt").read_text().split()[0]) in (10, 20)
    wanted, found = (read(folder, 0, "weights") for folder in (together, tmp_path))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
