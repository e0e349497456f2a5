"""Train while Python reports what is connected to, started and written; prints all of it.

usage: python -B -m tests.unit.training.watched FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def hook(event: str, details: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(details[2], int) and details[2] & _WRITING:
        print("open", details[0])
    elif event in ("os.mkdir", "os.rename", "os.remove"):
        print(event, details[0])
    elif event.startswith(("socket.connect", "socket.getaddrinfo", "subprocess", "os.exec")):
        print("AWAY", event, details)


if __name__ == "__main__":
    sys.addaudithook(hook)
    from neuropipe.training.trainer import train
    from tests.unit.training.tasks import Tiny, quick

    root = Path(sys.argv[1])
    settings = quick(max_steps=20, ema=0.9)
    train(Tiny(), settings, seed=0, monitor="fit", scratch=root / "scratch", log=root / "log")
