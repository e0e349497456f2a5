"""Files and folders that appear whole or not at all.

A path has one writer at a time: whoever starts to write removes what a killed predecessor left.
"""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neuropipe.errors import InputError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` and rename it to `path` on success.

    Parameters
    ----------
    path : Path
        The file to appear; its folder is made when missing. An older file stays until the rename.

    Yields
    ------
    Path
        Where to write. It is removed when the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in filter(Path.is_file, _leftovers(path, path.suffix)):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, mark: str | None = None) -> Iterator[Path]:
    """Give a temporary folder beside `path` that replaces `path` on success.

    Parameters
    ----------
    path : Path
        The folder to appear; an older one is replaced.
    mark : str, optional
        A file, relative to the folder, that an older one must hold unless it is empty: so that a
        slip (``--output ~``) never deletes anything else.

    Yields
    ------
    Path
        Where to write. It is removed when the block raises.

    Raises
    ------
    InputError
        If an older folder without that file stands there.
    """
    if mark is not None and _holds_others(path, mark):
        raise InputError(
            f"{path} is a folder with other files in it (no {mark})",
            "a new folder, or an older one of the same kind",
            "choose another output, or remove that folder",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in _leftovers(path):
        shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _leftovers(path: Path, suffix: str = "") -> list[Path]:
    """List temporary files or folders beside `path`, named as `tempfile` names them."""
    pattern = f".{glob.escape(path.name)}.{'[a-z0-9_]' * 8}{glob.escape(suffix)}"
    return list(path.parent.glob(pattern))


def _holds_others(path: Path, mark: str) -> bool:
    """Tell whether a folder has content, hidden files aside, but not the mark."""
    if not path.is_dir() or (path / mark).is_file():
        return False
    return any(not found.name.startswith(".") for found in path.iterdir())


def _umask() -> int:
    """Tell the process's file mode mask (reading it means setting it for a moment)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
