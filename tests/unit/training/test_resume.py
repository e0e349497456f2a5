"""An interrupted training goes on exactly, whenever it was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from neuropipe.training.checkpoint import NAME, clear, training_key
from neuropipe.training.settings import OptimisationSettings
from neuropipe.training.trainer import TrainingRun, train
from tests.unit.training.killed import MOMENTS
from tests.unit.training.tasks import Tiny, quick, same, weights

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.unit.training.killed", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["averaged", "patient"])
@pytest.mark.parametrize("moment", [*MOMENTS, "many_times"])
def test_a_killed_training_ends_as_an_undisturbed_one(moment: str, kind: str, killed: Path) -> None:
    wanted = load_file(killed / kind / "undisturbed" / "end.safetensors")
    found = load_file(killed / kind / moment / "end.safetensors")
    assert same(found, wanted)
    resumed = int((killed / kind / moment / "resumed.txt").read_text())
    if moment in ("within_epoch", "saving"):
        assert resumed in (10, 20)
        assert (killed / kind / moment / "status.txt").read_text() == "-9"
    left = {path.name for path in (killed / kind / moment / "scratch").iterdir()}
    assert left == {NAME}


class Interrupted(Tiny):
    """A task that fails at a step."""

    fails_at, name = -1, "same"

    def draw(self, step: int, size: int, generator: torch.Generator) -> Any:
        if step == self.fails_at:
            raise RuntimeError("interrupted")
        return super().draw(step, size, generator)

    def fingerprint(self) -> str:
        return self.name


def interrupted(scratch: Path, at: int = 25) -> None:
    task = Interrupted()
    task.fails_at = at
    with pytest.raises(RuntimeError, match="interrupted"):
        train(task, quick(max_steps=40), seed=1, monitor="fit", scratch=scratch)
    assert (scratch / NAME).is_file()


def again(
    scratch: Path, settings: OptimisationSettings | None = None, name: str = "same", seed: int = 1
) -> tuple[Interrupted, TrainingRun]:
    task = Interrupted()
    task.name = name
    used = settings or quick(max_steps=40)
    return task, train(task, used, seed=seed, monitor="fit", scratch=scratch)


def test_resume_without_a_number_to_watch(tmp_path: Path) -> None:
    wanted, task = Interrupted(), Interrupted()
    train(wanted, quick(max_steps=30), seed=1, monitor=None, scratch=None)
    task.fails_at = 25
    with pytest.raises(RuntimeError, match="interrupted"):
        train(task, quick(max_steps=30), seed=1, monitor=None, scratch=tmp_path)
    task = Interrupted()
    run = train(task, quick(max_steps=30), seed=1, monitor=None, scratch=tmp_path)
    assert run.resumed > 0
    assert run.best is None
    assert same(weights(task), weights(wanted))


@pytest.mark.parametrize(
    "other", [{"settings": quick(max_steps=50)}, {"name": "other"}, {"seed": 2}]
)
def test_a_checkpoint_of_another_training_is_ignored_and_replaced(
    other: dict[str, Any], tmp_path: Path
) -> None:
    interrupted(tmp_path / "scratch")
    task, run = again(tmp_path / "scratch", **other)
    wanted, _ = again(tmp_path / "fresh", **other)
    assert run.resumed == 0
    assert same(weights(task), weights(wanted))
    assert again(tmp_path / "scratch", **other)[1].resumed == run.steps


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
def test_a_damaged_checkpoint_is_ignored_with_a_warning(damage: str, tmp_path: Path) -> None:
    interrupted(tmp_path)
    path = tmp_path / NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(
        {"cut": bytes(content[:-200]), "flipped": bytes(content), "text": b"x" * 99, "empty": b""}[
            damage
        ]
    )
    with pytest.warns(RuntimeWarning, match="damaged and ignored"):
        _, run = again(tmp_path)
    assert run.resumed == 0
    assert run.steps == 40


def test_a_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    first, run = again(tmp_path)
    task, second = again(tmp_path)
    assert second.resumed == second.steps == run.steps
    assert not task.drawn
    assert second.history == run.history
    assert second.best == run.best
    assert same(weights(task), weights(first))


def test_time_of_both_parts_is_counted(tmp_path: Path) -> None:
    interrupted(tmp_path)
    _, run = again(tmp_path)
    seconds = [row["seconds"] for row in run.history]
    assert seconds == sorted(seconds)
    assert run.seconds >= seconds[-1]


def test_clear_removes_only_the_checkpoint(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    again(scratch)
    (scratch / f".{NAME}.partial").touch()
    (scratch / "other").touch()
    clear(scratch)
    assert [path.name for path in scratch.iterdir()] == ["other"]
    (scratch / "other").unlink()
    clear(scratch)
    assert not scratch.exists()
    clear(scratch)


def test_the_key_holds_what_matters_and_no_more() -> None:
    task = Tiny()
    key = training_key(task, quick(), 1, "fit")
    assert key == training_key(Tiny(seed=3), quick(tensorboard=True), 1, "fit")
    others = [
        training_key(task, quick(learning_rate=0.1), 1, "fit"),
        training_key(task, quick(), 2, "fit"),
        training_key(task, quick(), 1, None),
        training_key(Tiny(7), quick(), 1, "fit"),
    ]
    assert len({key, *others}) == 5


def test_all_checkpoints_below_a_folder_are_cleared(tmp_path):
    for place in ("a", "b/c"):
        (tmp_path / "scratch" / place).mkdir(parents=True)
        (tmp_path / "scratch" / place / NAME).write_text("x")
    (tmp_path / "scratch" / "b" / "mine").write_text("kept")
    clear(tmp_path / "scratch")
    assert [p.name for p in (tmp_path / "scratch").rglob("*") if p.is_file()] == ["mine"]
    assert not (tmp_path / "scratch" / "a").exists()
    clear(tmp_path / "nothing")
