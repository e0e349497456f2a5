"""Training learns, stops, averages, accumulates and complains as it should."""

from __future__ import annotations

import csv
import math
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW

from neuropipe.errors import MissingExtraError
from neuropipe.training.errors import TrainingError
from neuropipe.training.settings import OptimisationSettings
from neuropipe.training.trainer import train
from tests.unit.training.tasks import Tiny, quick, same, weights


def test_it_learns_and_tells_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    task, handler = Tiny(dropout=0.0), signal.getsignal(signal.SIGTERM)
    before = task.validate()["fit"]
    scratch, log = tmp_path / "scratch", tmp_path / "log"
    settings = quick(max_steps=405, steps_per_epoch=50, batch_size=32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = train(task, settings, seed=0, monitor="fit", scratch=scratch, log=log)
    assert capfd.readouterr() == ("", "")
    assert before < -1
    assert run.best is not None
    assert run.best > -0.1
    assert run.best == max(row["fit"] for row in run.history) == task.validate()["fit"]
    assert [row["step"] for row in run.history] == [*range(50, 401, 50), 405]
    assert (run.steps, run.stopped_early, run.resumed, run.rank) == (405, False, 0, 0)
    assert run.device == "cpu, 1 thread"
    assert not task.training
    assert signal.getsignal(signal.SIGTERM) is handler
    with (log / "metrics.csv").open() as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert rows == run.history
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert found == ["log/metrics.csv", "scratch/last.ckpt"]


def test_nothing_is_written_without_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(tmp_path)
    train(Tiny(), quick(max_steps=20), seed=0, monitor=None, scratch=None)
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]


def test_the_seed_decides() -> None:
    ends = []
    for seed in (1, 1, 2):
        task = Tiny()
        train(task, quick(max_steps=20), seed=seed, monitor=None, scratch=None)
        ends.append(weights(task))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


class Worsening(Tiny):
    """A task whose validations have a given course."""

    course = (0.0, 1.0, 5.0, 4.0, 3.0, 2.0, 9.0)

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, Tensor]] = []

    def validate(self) -> dict[str, float]:
        self.seen.append(weights(self))
        return {"fit": self.course[len(self.seen) - 1]}


def test_early_stopping_restores_the_best_weights() -> None:
    task = Worsening()
    run = train(task, quick(patience=3, max_steps=70), seed=0, monitor="fit", scratch=None)
    assert run.stopped_early
    assert run.steps == 60
    assert run.best == 5.0
    assert same(weights(task), task.seen[2])
    assert not same(task.seen[2], task.seen[5])


def test_no_patience_means_all_steps() -> None:
    task = Worsening()
    run = train(task, quick(patience=0, max_steps=70), seed=0, monitor="fit", scratch=None)
    assert not run.stopped_early
    assert run.best == 9.0
    assert run.steps == 70


def test_nan_is_no_improvement_but_only_nan_is_an_error() -> None:
    class Undefined(Worsening):
        course = (float("nan"), 1.0, float("nan"))

    task = Undefined()
    run = train(task, quick(max_steps=30), seed=0, monitor="fit", scratch=None)
    assert run.best == 1.0
    assert same(weights(task), task.seen[1])
    task.course, task.seen = (float("nan"),) * 3, []
    with pytest.raises(TrainingError, match="NaN or infinite at every validation"):
        train(task, quick(max_steps=30), seed=0, monitor="fit", scratch=None)


def test_an_unknown_number_to_watch_is_named() -> None:
    with pytest.raises(TrainingError, match="accuracy, is not among fit"):
        train(Tiny(), quick(), seed=0, monitor="accuracy", scratch=None)


class Fixed(Tiny):
    """Draws rows of one table: two micro-batches of b are one batch of 2 b."""

    def draw(self, step: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        table = torch.randn(100, 32, len(self.truth), generator=torch.Generator().manual_seed(5))
        micro = sum(1 for x in self.drawn if x == step) if size < 32 else 0
        self.drawn.append(step)  # type: ignore[arg-type]
        x = table[step, size * micro : size * (micro + 1)]
        return x, x @ self.truth


def test_accumulating_two_micro_batches_is_one_of_twice_the_size() -> None:
    one, two = Fixed(dropout=0.0), Fixed(dropout=0.0)
    train(one, quick(max_steps=25, batch_size=32), seed=0, monitor=None, scratch=None)
    halves = quick(max_steps=25, batch_size=16, accumulate=2)
    run = train(two, halves, seed=0, monitor=None, scratch=None)
    assert run.steps == 25
    assert two.drawn == [step for step in range(25) for _ in range(2)]
    start = weights(Fixed(dropout=0.0))
    for name, value in weights(one).items():
        assert torch.allclose(weights(two)[name], value, atol=2e-5)
        assert not torch.allclose(start[name], value, atol=1e-2)


def test_a_plain_loop_gives_the_same_weights() -> None:
    settings = quick(max_steps=20, clip=0.5, weight_decay=0.3)
    wanted, task = Fixed(dropout=0.0), Fixed(dropout=0.0)
    train(task, settings, seed=0, monitor=None, scratch=None)
    optimizer = AdamW(wanted.parameter_groups(), betas=settings.betas, weight_decay=0.3)
    for step in range(20):
        rate = settings.learning_rate  # a warm-up of one step, then 19 of a cosine
        if step:
            rate *= 0.5 * (1 + math.cos(math.pi * (step - 1) / 19))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, _ = wanted.loss(wanted.draw(step, 16, torch.Generator()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(wanted.parameters(), 0.5)
        optimizer.step()
    for name, value in weights(wanted).items():
        assert torch.allclose(weights(task)[name], value, atol=1e-5)


class Diverging(Tiny):
    """A task whose loss or gradient breaks at a step."""

    breaks = "loss"

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        value, numbers = super().loss(batch)
        if self.global_step == 13:
            slope = (value * 0).sqrt()  # 0, with an infinite slope
            value = value * float("nan") if self.breaks == "loss" else value + slope
        return value, numbers


@pytest.mark.parametrize(("breaks", "named"), [("loss", "loss"), ("slope", "norm of the gradient")])
def test_what_is_not_finite_is_told_in_one_line(breaks: str, named: str, tmp_path: Path) -> None:
    task = Diverging()
    task.breaks = breaks
    with pytest.raises(TrainingError) as caught:
        train(task, quick(), seed=0, monitor="fit", scratch=tmp_path)
    line = str(caught.value)
    assert f"the {named} of step 13 is nan" in line
    assert "lower learning_rate" in line
    assert "\n" not in line


class Steps(Tiny):
    """Keeps the weights before each step."""

    def draw(self, step: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        self.path.append(weights(self))
        return super().draw(step, size, generator)


def test_averaged_weights_follow_their_definition() -> None:
    task = Steps()
    task.path = []
    run = train(task, quick(max_steps=20, ema=0.7), seed=0, monitor=None, scratch=None)
    plain = Steps()
    plain.path = []
    train(plain, quick(max_steps=20), seed=0, monitor=None, scratch=None)
    steps = [*plain.path[1:], weights(plain)]  # the weights after each step
    assert same(task.path[-1], plain.path[-1])
    average = steps[0]
    for after in steps[1:]:
        average = {name: 0.7 * average[name] + 0.3 * after[name] for name in average}
    for name, value in weights(task).items():
        assert torch.allclose(value, average[name], atol=1e-6)
    assert run.history[-1]["fit"] == pytest.approx(task.validate()["fit"], rel=1e-5)


def test_averaging_does_not_copy_the_data() -> None:
    from copy import deepcopy

    task = Tiny()
    twin = deepcopy(task)
    assert twin.held_out is task.held_out
    assert same(weights(twin), weights(task))
    twin.network[0].weight.data += 1
    assert not same(weights(twin), weights(task))


def test_groups_have_their_own_rates() -> None:
    class Slow(Tiny):
        def parameter_groups(self) -> list[dict[str, Any]]:
            first, *others = self.network
            return [
                {"params": list(first.parameters()), "lr_scale": 0.0},
                {"params": [p for layer in others for p in layer.parameters()]},
            ]

    task = Slow()
    start = weights(task)
    train(task, quick(max_steps=20), seed=0, monitor=None, scratch=None)
    moved = {name for name, value in weights(task).items() if not torch.equal(value, start[name])}
    assert moved == {name for name in start if not name.startswith("network.0.")}


def test_bf16_on_the_cpu_learns() -> None:
    seen = []

    class Watched(Tiny):
        def draw(self, step: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            x, y = super().draw(step, size, generator)
            seen.append((x @ self.truth).dtype)
            return x, y

        def loss(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
            seen.append(self.network(batch[0]).dtype)
            return super().loss(batch)

    task = Watched(dropout=0.0)
    run = train(task, quick(precision="bf16"), seed=0, monitor="fit", scratch=None)
    assert set(seen[::2]) == {torch.float32}  # data are made in full precision
    assert set(seen[1::2]) == {torch.bfloat16}
    assert all(value.dtype == torch.float32 for value in weights(task).values())
    assert run.history[-1]["fit"] > run.history[0]["fit"]
    assert run.device == "cpu, 1 thread, bf16"


def test_tensorboard_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"neuropipe\[tensorboard\]"):
        train(Tiny(), quick(tensorboard=True), seed=0, monitor=None, scratch=None, log=tmp_path)


def test_a_bar_is_drawn_on_request(capfd: pytest.CaptureFixture[str]) -> None:
    train(Tiny(), quick(max_steps=20), seed=0, monitor="fit", scratch=None, progress=True)
    assert capfd.readouterr().out == ""


def test_compiled_modules_are_plain_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fake(self: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        calls.append(type(self).__name__)
        self._compiled_call_impl = self._call_impl

    monkeypatch.setattr(torch.nn.Module, "compile", fake)
    task = Tiny()
    train(task, quick(max_steps=10, compile=True), seed=0, monitor=None, scratch=None)
    assert calls == ["Sequential"]
    assert task.network._compiled_call_impl is None


def test_settings_refuse_the_impossible() -> None:
    for wrong in ({"learning_rate": 0}, {"betas": (0.9, 1.0)}, {"ema": 1.0}, {"device": "tpu"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            OptimisationSettings.model_validate(wrong)


def test_termination_ends_the_process_at_once(tmp_path: Path) -> None:
    class Terminated(Tiny):
        def draw(self, step: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            if step == 12:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().draw(step, size, generator)

    def handler(*_: Any) -> None:
        raise InterruptedError("terminated")

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(InterruptedError):
            train(Terminated(), quick(), seed=0, monitor=None, scratch=tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
