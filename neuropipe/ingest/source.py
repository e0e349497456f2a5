"""The files of one recording, as a reader sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuropipe.errors import InputError, LockError
from neuropipe.fingerprint import sha256_path
from neuropipe.manifest import LockedRecording

_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class SourceFiles:
    """One locked recording and the folder its paths are relative to.

    Parameters
    ----------
    dataset : str
        Name in the manifest.
    root : Path
        Root of the dataset on this machine.
    locked : LockedRecording
        Its files by role.
    """

    dataset: str
    root: Path
    locked: LockedRecording

    def one(self, role: str) -> Path:
        """Path of the single file of a role.

        Raises
        ------
        InputError
            If there is none, or several.
        """
        found = self.locked.paths(role)
        if len(found) != 1:
            raise InputError(
                f"recording {self.locked.recording} has {len(found)} files of role {role!r}",
                "exactly one",
                f"run `neuropipe manifest lock {self.dataset}`",
            )
        return self.root / found[0]

    def many(self, role: str) -> list[Path]:
        """Paths of all files of a role, in the lock's order."""
        return [self.root / path for path in self.locked.paths(role)]

    def optional(self, role: str) -> Path | None:
        """Path of the file of a role, None where the recording has none."""
        return self.one(role) if self.locked.paths(role) else None

    def verify(self) -> list[dict[str, Any]]:
        """Check every file against the lock.

        Returns
        -------
        list of dict
            ``role``, ``path``, ``bytes`` and ``sha256`` of every file, for the recording.

        Raises
        ------
        InputError
            If a file is missing, empty, a broken link or a Git-LFS pointer.
        LockError
            If its bytes are not those of the lock.
        """
        sources = []
        for file in self.locked.files:
            path = self.root / file.path
            _check_present(path)
            digest = sha256_path(path)
            # An MD5 (some servers offer no more) was checked when the file was fetched.
            if file.sha256 and ":" not in file.sha256 and digest != file.sha256:
                raise LockError(
                    f"{path} has other bytes than its lock (sha256 {digest[:12]}...)",
                    f"sha256 {file.sha256[:12]}...",
                    f"restore the file or run `neuropipe manifest lock {self.dataset}`",
                )
            size = 0 if path.is_dir() else path.stat().st_size
            sources.append({"role": file.role, "path": file.path, "bytes": size, "sha256": digest})
        return sources


def _check_present(path: Path) -> None:
    try:
        missing = not path.exists()
    except OSError as error:  # a loop of links
        raise InputError(f"{path}: {error}", "a readable file", "mend the link") from error
    if missing:
        raise InputError(f"{path} is missing", "the file of the lock", "restore or fetch it")
    if path.is_dir():
        return
    if path.stat().st_size == 0:
        raise InputError(f"{path} has zero bytes", "a file with data", "fetch it again")
    with path.open("rb") as stream:
        if stream.read(len(_LFS)) == _LFS:
            raise InputError(
                f"{path} is a Git-LFS pointer", "the file itself", "run `git lfs pull` there"
            )
