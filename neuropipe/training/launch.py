"""How this process was started: alone, by torchrun, or by srun as one of several."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from neuropipe.training.errors import DeviceError


@dataclass(frozen=True)
class Launch:
    """Place of this process among those that train together.

    Parameters
    ----------
    kind : {"single", "torchrun", "slurm"}
        Who started it.
    rank, local_rank : int
        Its number among all processes, and among those of its node; 0 is the one that writes.
    world_size, nodes : int
        Number of processes and of nodes.
    """

    kind: Literal["single", "torchrun", "slurm"] = "single"
    rank: int = 0
    local_rank: int = 0
    world_size: int = 1
    nodes: int = 1

    @property
    def per_node(self) -> int:
        """Number of processes of a node."""
        return self.world_size // self.nodes


def launched() -> Launch:
    """Read the launcher's environment variables.

    Several processes are only assumed where a launcher that starts them is seen: ``torchrun``, or
    a step of ``srun`` with more than one task. A batch script that merely owns several tasks
    (``SLURM_NTASKS``) trains alone instead of waiting for processes that nobody starts.
    """
    found = os.environ
    if "TORCHELASTIC_RUN_ID" in found:
        world = int(found["WORLD_SIZE"])
        return Launch(
            kind="torchrun",
            rank=int(found["RANK"]),
            local_rank=int(found["LOCAL_RANK"]),
            world_size=world,
            nodes=world // int(found.get("LOCAL_WORLD_SIZE", world)),
        )
    if int(found.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return Launch(
            kind="slurm",
            rank=int(found["SLURM_PROCID"]),
            local_rank=int(found["SLURM_LOCALID"]),
            world_size=int(found["SLURM_STEP_NUM_TASKS"]),
            nodes=int(found.get("SLURM_STEP_NUM_NODES", "1")),
        )
    return Launch()


def is_main() -> bool:
    """Tell whether this process is the one that writes results."""
    return launched().rank == 0


def cluster_environment(launch: Launch) -> Any:
    """Give Lightning's plugin for a launcher, so that it guesses nothing from other variables.

    Raises
    ------
    DeviceError
        If srun was not told how many processes a node has.
    """
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    if launch.kind == "torchrun":
        return TorchElasticEnvironment()
    if launch.kind == "slurm":
        if "SLURM_NTASKS_PER_NODE" not in os.environ:  # Lightning insists
            raise DeviceError(
                f"srun started {launch.world_size} processes without --ntasks-per-node",
                "the same number of processes on every node",
                f"start them with --ntasks-per-node={launch.per_node}",
            )
        # Requeuing would write Lightning's own checkpoints; ours are there already.
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()
