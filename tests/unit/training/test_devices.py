"""Devices are chosen, described and measured; launchers are recognised."""

from __future__ import annotations

import pytest
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from neuropipe.training.devices import (
    autocast,
    device_words,
    matmul_peak,
    pick_device,
    set_threads,
    uses_bf16,
)
from neuropipe.training.errors import DeviceError
from neuropipe.training.launch import Launch, cluster_environment, is_main, launched

CPU = torch.device("cpu")
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "1", "RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
}  # fmt: skip
SRUN = {
    "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "5", "SLURM_LOCALID": "1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {**TORCHRUN, **SRUN, "SLURM_NTASKS_PER_NODE": ""}:
        monkeypatch.delenv(name, raising=False)


def pretend(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 0)
    assert pick_device() == pick_device("cpu") == CPU
    with pytest.raises(DeviceError, match="set device: cpu or auto"):
        pick_device("gpu")


def test_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 2)
    assert pick_device("cpu") == CPU
    device = pick_device("auto")
    assert device == torch.device("cuda", 0)
    assert uses_bf16(device)
    assert not uses_bf16(device, "32")
    assert device_words(device) == "NVIDIA H200, bf16"
    assert device_words(device, "32") == "NVIDIA H200"


def test_each_process_has_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    pretend(monkeypatch, 2)
    assert pick_device("gpu") == torch.device("cuda", 1)
    assert device_words(pick_device()) == "4 x NVIDIA H200, bf16"
    pretend(monkeypatch, 1)
    with pytest.raises(DeviceError, match=r"2 processes on this node see 1 GPU"):
        pick_device("auto")


def test_threads_are_set_and_told() -> None:
    before = torch.get_num_threads()
    try:
        assert set_threads(1) == 1
        assert set_threads(0) == 1
        assert device_words(CPU) == "cpu, 1 thread"
        assert set_threads(2) == 2
        assert device_words(CPU, "bf16") == "cpu, 2 threads, bf16"
    finally:
        torch.set_num_threads(before)


def test_autocast_follows_the_precision() -> None:
    left = torch.ones(2, 2)
    for precision, dtype in (("auto", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(CPU, precision):  # type: ignore[arg-type]
            assert (left @ left).dtype == dtype
    assert (left @ left).dtype == torch.float32


def test_peak_is_measured() -> None:
    peak = matmul_peak(CPU, seconds=0.05, size=128)
    assert 1e6 < peak < 1e15


def test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched() == Launch()
    assert is_main()
    # a batch script that owns tasks, but whose own step has one
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert launched() == Launch()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert launched() == Launch()
    assert isinstance(cluster_environment(launched()), LightningEnvironment)


def test_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    launch = launched()
    assert launch == Launch("torchrun", rank=3, local_rank=1, world_size=4, nodes=2)
    assert launch.per_node == 2
    assert not is_main()
    assert isinstance(cluster_environment(launch), TorchElasticEnvironment)


def test_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SRUN.items():
        monkeypatch.setenv(name, value)
    launch = launched()
    assert launch == Launch("slurm", rank=5, local_rank=1, world_size=8, nodes=2)
    with pytest.raises(DeviceError, match="--ntasks-per-node=4"):
        cluster_environment(launch)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "4")
    environment = cluster_environment(launch)
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue
