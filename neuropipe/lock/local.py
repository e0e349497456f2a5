"""Files on this machine: listing them in a fixed order and hashing them in parallel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from neuropipe.errors import InputError
from neuropipe.fingerprint import sha256_path
from neuropipe.names import check_relative

_MANY = 50  # files from which a progress bar is worth its space


def list_files(root: Path) -> list[str]:
    """List all files below a folder, or the one file that `root` is.

    Links are followed. Hidden files and folders (``.git``, ``.datalad``) are skipped.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of str
        Relative POSIX paths, sorted; the file's own name when `root` is a file.

    Raises
    ------
    InputError
        If `root` is missing or holds no file, a link is broken or leads back to a folder above
        it, a folder cannot be read, or a name holds a control character or backslash.
    """
    try:
        if root.is_file():
            return [check_relative(root.name, "file")]
        if not root.is_dir():
            raise InputError(
                f"{root} does not exist", "a folder or file", "correct the source's path"
            )
        found = sorted(_walk(root, "", (_identity(root),)))
    except OSError as error:
        raise InputError(
            f"{root}: {error}", "a readable folder", "correct its permissions"
        ) from error
    if not found:
        raise InputError(f"{root} holds no files", "recordings", "correct the source's path")
    return found


def size_of(path: Path) -> int:
    """Size of a file, or of all files below a folder, in bytes."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def hash_files(root: Path, paths: Iterable[str], *, progress: bool = True) -> dict[str, str]:
    """Hash files or folders below a root, several at a time.

    Parameters
    ----------
    root : Path
    paths : iterable of str
        Relative paths; each is hashed once.
    progress : bool
        Show a bar for many files, where standard error is a terminal.

    Returns
    -------
    dict of str to str
        SHA-256 by path.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    unique = sorted(set(paths))

    def one(path: str) -> str:
        try:
            return sha256_path(root / path)
        except OSError as error:
            raise InputError(f"{error}", "a readable file", "correct its permissions") from error

    # hashlib lets other threads run while it works on a block.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        hashes = pool.map(one, unique)
        if progress and len(unique) >= _MANY and sys.stderr.isatty():
            hashes = _with_bar(hashes, len(unique))
        return dict(zip(unique, hashes, strict=True))


def _with_bar(hashes: Iterable[str], total: int) -> Iterator[str]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(hashes, "hashing", total, console=console, transient=True)


def _walk(folder: Path, prefix: str, above: Sequence[tuple[int, int]]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.startswith("."):
                continue
            path = check_relative(prefix + entry.name, f"file in {folder}")
            here = folder / entry.name
            if entry.is_symlink() and not _exists(here):
                raise InputError(
                    f"{here} is a broken link",
                    "a link to a file",
                    "restore its target (`datalad get`, `git annex get`) or remove the link",
                )
            if not entry.is_dir():
                if entry.is_file():  # no socket, no pipe
                    yield path
                continue
            identity = _identity(here)
            if identity in above:
                raise InputError(
                    f"{here} is a link to a folder above it", "a tree without loops", "remove it"
                )
            yield from _walk(here, f"{path}/", (*above, identity))


def _exists(path: Path) -> bool:
    """Tell whether a link leads anywhere; a link to itself does not."""
    try:
        return path.exists()
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
