"""`neuropipe fetch`: the files of a lock, downloaded once and verified."""

from __future__ import annotations

import hashlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from neuropipe.errors import FetchError, LockError
from neuropipe.fingerprint import sha256_path
from neuropipe.ingest.nilearn_tree import NILEARN, fetch_nilearn
from neuropipe.ingest.transfer import download, part_of
from neuropipe.ingest.web import RETRIES, Retries, new_session
from neuropipe.manifest import LockedFile, read_lock
from neuropipe.names import check_relative

_CHUNK = 1 << 20
_LOCKS = ".locks"  # folder of the files that keep two processes off one download


def fetch_command(*, dataset: str, recording: str, lock: Path, root: Path) -> None:
    """Download the files of one recording that are not there yet, and verify all.

    Parameters
    ----------
    dataset, recording : str
        Names as in the manifest and the lock.
    lock : Path
        The dataset's lock table.
    root : Path
        Folder that the lock's paths are relative to.

    Raises
    ------
    LockError
        If the lock names no such recording.
    FetchError
        If a file cannot be had or is not the promised one.
    """
    locked = {found.recording: found for found in read_lock(lock, dataset)}
    if recording not in locked:
        raise LockError(
            f"{lock} names no recording {recording}",
            f"one of its {len(locked)} recordings",
            f"run `neuropipe manifest lock {dataset}`",
        )
    fetch_files(locked[recording].files, root)


def fetch_files(
    files: Sequence[LockedFile],
    root: Path,
    *,
    progress: bool = True,
    retries: Retries = RETRIES,
    n_connections: int = 4,
) -> None:
    """Bring files below `root`; those that are there with the right checksum stay untouched.

    Several processes may fetch the same files at once: each file is loaded by one of them.

    Parameters
    ----------
    files : sequence of LockedFile
        Files with address, size (0: not known) and checksum (``""``: whatever the server sends;
        then nothing but the size is verified).
    root : Path
    progress : bool
        Show a bar, where standard error is a terminal.
    retries : Retries
    n_connections : int
        Downloads at a time.

    Raises
    ------
    FetchError
        Naming the first file that cannot be had, or if the disk is too full for all.
    """
    wanted = {check_relative(file.path, "file to fetch"): file for file in files}
    missing = [file for file in wanted.values() if not is_intact(file, root)]
    made_here = [file for file in missing if file.uri.startswith(NILEARN)]
    if made_here:
        _fetch_with_nilearn(made_here, root)
    missing = [file for file in missing if not file.uri.startswith(NILEARN)]
    for file in missing:
        # A folder has no address of its own; its files stand in the lock beside it.
        if not file.uri and not (root / file.path).exists() and not _is_above(file, wanted):
            raise FetchError(
                f"{root / file.path} is missing and the lock gives no address for it",
                "a local file, or an address",
                "restore the file or lock the dataset again",
            )
    missing = [file for file in missing if file.uri]
    if missing:
        _check_space(missing, root)
        _download_all(missing, root, progress, retries, n_connections)


def is_intact(file: LockedFile, root: Path) -> bool:
    """Tell whether a file lies below `root` with the promised size and checksum.

    A file without any promised checksum counts as intact once it has the promised size.
    """
    path = root / file.path
    if not path.exists():
        return False
    if path.is_file() and file.bytes and path.stat().st_size != file.bytes:
        return False
    if not file.sha256:
        return bool(file.bytes) or not file.uri
    if file.sha256.startswith("md5:"):
        return _md5(path) == file.sha256.removeprefix("md5:")
    return sha256_path(path) == file.sha256


def _is_above(folder: LockedFile, wanted: dict[str, LockedFile]) -> bool:
    return any(path.startswith(f"{folder.path}/") for path in wanted)


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _check_space(files: Sequence[LockedFile], root: Path) -> None:
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    needed = sum(max(0, file.bytes - _there(part_of(root / file.path))) for file in files)
    if needed > free:
        raise FetchError(
            f"{there} has {free / 1e9:.1f} GB free",
            f"{needed / 1e9:.1f} GB for {len(files)} files",
            "make room, or link the resources folder to a larger disk",
        )


def _there(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _download_all(
    files: Sequence[LockedFile], root: Path, progress: bool, retries: Retries, n_connections: int
) -> None:
    stop = threading.Event()
    local = threading.local()

    def one(file: LockedFile, report: Callable[[int], None]) -> None:
        if stop.is_set():
            return
        if not hasattr(local, "session"):
            local.session = new_session(retries)
        with _alone(root, file.path):
            if is_intact(file, root):  # another process was faster
                return
            download(
                file.uri, root / file.path, session=local.session, size=file.bytes or None,
                checksum=file.sha256, retries=retries, progress=report, stop=stop,
            )  # fmt: skip

    pool = ThreadPoolExecutor(max_workers=max(1, min(n_connections, len(files))))
    try:
        with _bar(sum(file.bytes for file in files), progress) as reporter:
            futures = [pool.submit(one, file, reporter(file.path)) for file in files]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _alone(root: Path, path: str) -> Iterator[None]:
    """Keep other processes off one file while it is being downloaded."""
    from filelock import FileLock

    folder = root / _LOCKS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.lock")
        with lock:
            yield
    except PermissionError as error:
        raise FetchError(f"{error}", "a writable folder", f"correct {root}") from error


@contextmanager
def _bar(total: int, show: bool) -> Iterator[Callable[[str], Callable[[int], None]]]:
    """Give a function that makes one reporter a file; all feed one bar on a terminal."""
    if not (show and sys.stderr.isatty()):
        yield lambda _path: lambda _present: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total or None)
        present: dict[str, int] = {}

        def reporter(path: str) -> Callable[[int], None]:
            def report(n_bytes: int) -> None:
                bar.advance(task, n_bytes - present.get(path, 0))
                bar.update(task, description=path.rpartition("/")[2])
                present[path] = n_bytes

            return report

        yield reporter


def _fetch_with_nilearn(files: Sequence[LockedFile], root: Path) -> None:
    for uri in sorted({file.uri for file in files}):
        with _alone(root, uri):
            if not all(is_intact(file, root) for file in files if file.uri == uri):
                fetch_nilearn(uri, root)
    for file in files:
        if not is_intact(file, root):
            raise FetchError(
                f"{root / file.path} as nilearn brings it differs from the lock",
                f"sha256 {file.sha256[:12]}...",
                "the source has changed: run `neuropipe manifest lock` for this dataset",
            )
