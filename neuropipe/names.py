"""Names that may become part of a path: datasets, recordings, subjects, units' tables.

A name that comes from a file or a table is hostile until checked: ``../x``, an absolute path or a
control character must never reach the file system.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from neuropipe.errors import InputError

PATTERN = r"[A-Za-z0-9][A-Za-z0-9_+-]*"
_NAME = re.compile(PATTERN)


def check_name(name: object, what: str) -> str:
    """Return `name` when it is safe as one part of a path.

    Parameters
    ----------
    name : object
        The name as read; only text is accepted.
    what : str
        What it names, for the error: ``"subject in participants.tsv"``.

    Raises
    ------
    InputError
        If it is not text of letters, digits, ``_``, ``+`` and ``-``, 1 to 100 characters, starting
        with a letter or digit.
    """
    if not isinstance(name, str) or len(name) > 100 or not _NAME.fullmatch(name):
        raise InputError(
            f"{what} is {name!r}",
            "letters, digits, '_', '+' or '-', starting with a letter or digit",
            "rename it",
        )
    return name


def check_relative(path: str, what: str) -> str:
    """Return `path` when it stays below the folder it is relative to.

    Raises
    ------
    InputError
        If it is absolute, empty, climbs with ``..`` or holds a control character or backslash.
    """
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith("/") or ".." in parts or "\\" in path
    if bad or not path.isprintable():
        raise InputError(
            f"{what} is {path!r}", "a relative path without '..'", "correct or remove that entry"
        )
    return path
