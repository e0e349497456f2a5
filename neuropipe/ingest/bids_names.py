"""BIDS file names: entities, dataset roots and the inheritance principle, on paths alone.

Nothing here touches a file. Paths are POSIX, relative to the root of the whole tree, which may hold
several BIDS datasets: the raw one and derivatives such as ``derivatives/fmriprep``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from neuropipe.errors import InputError, SettingsError
from neuropipe.names import check_name, check_relative

_PLACEHOLDER = re.compile(r"\{([a-z]*)\}")
# Entities that distinguish runs when subject, session, task and run do not, in BIDS order.
_FURTHER = ("acq", "ce", "rec", "dir")


@dataclass(frozen=True)
class BidsName:
    """A path taken apart.

    Parameters
    ----------
    path : str
        The path as given.
    root : str
        Folder of the dataset it belongs to, ``""`` or ending in ``/``: what stands before its
        ``sub-`` folder, or its own folder where there is none.
    entities : dict of str to str
        ``{"sub": "01", "task": "rest"}``; ``sub`` and ``ses`` may come from the folders.
    suffix, extension : str
        ``"bold"`` and ``".nii.gz"``.
    """

    path: str
    root: str
    entities: Mapping[str, str] = field(hash=False)
    suffix: str
    extension: str

    @property
    def folder(self) -> str:
        """Its folder, ``""`` or ending in ``/``."""
        return self.path[: self.path.rfind("/") + 1]


def parse_name(path: str) -> BidsName:
    """Take a path apart; a name that is not BIDS has few entities and its stem as suffix."""
    *folders, name = path.split("/")
    stem, dot, extension = name.removesuffix(".gz").rpartition(".")
    if not dot:
        stem, extension = extension, ""
    elif name.endswith(".gz"):
        extension += ".gz"
    entities: dict[str, str] = {}
    root_parts: list[str] = folders
    for depth, folder in enumerate(folders):
        key, dash, value = folder.partition("-")
        if dash and value and key in ("sub", "ses"):
            entities[key] = value
            if key == "sub" and root_parts is folders:
                root_parts = folders[:depth]
    *pairs, suffix = stem.split("_")
    for pair in pairs:
        key, dash, value = pair.partition("-")
        if dash and key.isalnum() and value:
            entities[key] = value
    root = "".join(f"{part}/" for part in root_parts)
    return BidsName(path, root, entities, suffix, dot + extension)


class BidsTree:
    """All paths of a tree, indexed by folder.

    Parameters
    ----------
    paths : iterable of str
        Hidden folders (``.git``, ``.datalad``) are left out.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = {p for p in paths if not any(part[:1] == "." for part in p.split("/"))}
        self._folders: dict[str, list[BidsName]] = defaultdict(list)
        for path in sorted(self.paths):
            name = parse_name(path)
            self._folders[name.folder].append(name)

    def find(self, suffix: str | None, extensions: Sequence[str]) -> list[BidsName]:
        """All names of a suffix (None: any) and one of some extensions, sorted by path."""
        names = [name for folder in self._folders.values() for name in folder]
        found = [n for n in names if suffix in (None, n.suffix) and n.extension in extensions]
        return sorted(found, key=lambda name: name.path)

    def inherited(
        self, data: BidsName, suffix: str, extension: str, drop: Sequence[str] = ()
    ) -> list[str]:
        """Files that apply to a data file by the inheritance principle.

        Parameters
        ----------
        data : BidsName
        suffix, extension : str
            Of the files looked for.
        drop : sequence of str
            Entities of the data file that such a file must not carry.

        Returns
        -------
        list of str
            From the most general to the most specific: by folder from the dataset's root down,
            then by the number of entities.

        Notes
        -----
        BIDS, "The Inheritance Principle": a file applies to all data files at its level or below
        whose entities include all of its own.
        """
        return [name.path for name in self._inherited(data, data.root, suffix, extension, drop)]

    def inherited_anywhere(self, data: BidsName, suffix: str, extension: str) -> list[str]:
        """As `inherited`; where a derivative has none, the same in the raw dataset around it."""
        own = self.inherited(data, suffix, extension)
        if own:
            return own
        for root in _outer_roots(data.root, self._folders):
            found = self._inherited(data, root, suffix, extension, ())
            if found:
                return [name.path for name in found]
        return []

    def beside(self, data: BidsName, suffix: str, extension: str, **entities: str) -> str | None:
        """Path of the file of the same run with another suffix and some entities replaced.

        Parameters
        ----------
        data : BidsName
        suffix, extension : str
            Of the file looked for.
        **entities : str
            Replacements; entities of the data file that the other lacks are ignored, but what it
            carries must agree.
        """
        wanted = {**data.entities, **entities}
        found = [
            name
            for name in self._folders.get(data.folder, [])
            if name.suffix == suffix
            and name.extension == extension
            and name.entities.items() <= wanted.items()
            and all(name.entities.get(key) == value for key, value in entities.items())
        ]
        return max(found, key=lambda name: len(name.entities)).path if found else None

    def _inherited(
        self, data: BidsName, root: str, suffix: str, extension: str, drop: Sequence[str]
    ) -> list[BidsName]:
        below = data.path.removeprefix(data.root).split("/")[:-1]
        folders = [root + "".join(f"{part}/" for part in below[:n]) for n in range(len(below) + 1)]
        found = []
        for folder in folders:
            level = [
                name
                for name in self._folders.get(folder, [])
                if name.suffix == suffix
                and name.extension == extension
                and name.entities.items() <= data.entities.items()
                and not any(key in name.entities for key in drop)
            ]
            found += sorted(level, key=lambda name: (len(name.entities), name.path))
        return found

    def participants(self, data: BidsName) -> str | None:
        """The participants table of a data file's dataset, or of the raw one around it."""
        for root in (data.root, *_outer_roots(data.root, self._folders)):
            if f"{root}participants.tsv" in self.paths:
                return f"{root}participants.tsv"
        return None


def _outer_roots(root: str, folders: Mapping[str, object]) -> list[str]:
    """Roots where the raw data of a derivative may lie: around it, or in its ``sourcedata``."""
    parts = root.rstrip("/").split("/") if root else []
    outer = ["".join(f"{p}/" for p in parts[:n]) for n in range(len(parts) - 1, -1, -1)]
    outer += [f"{base}rawdata/" for base in outer]
    outer += [f"{root}sourcedata/raw/", f"{root}sourcedata/"]
    return [r for r in dict.fromkeys(outer) if any(f.startswith(r) for f in folders)]


def recording_names(data: Sequence[BidsName]) -> list[str]:
    """Name recordings ``sub-X[_ses-Y]_task-Z[_run-N]``.

    Parameters
    ----------
    data : sequence of BidsName
        One a recording.

    Returns
    -------
    list of str
        An ``acq``, ``ce``, ``rec`` or ``dir`` entity is added throughout where some names would
        be equal without it.

    Raises
    ------
    InputError
        If two files cannot be told apart that way, or a name is unsafe as part of a path.
    """
    extra: list[str] = []
    for key in ("", *_FURTHER):
        if key and len({name.entities.get(key) for name in data}) > 1:
            extra.append(key)
        if len({_joined(name, extra) for name in data}) == len(data):
            break
    named: dict[str, str] = {}
    for name in data:
        joined = check_name(_joined(name, extra), f"recording of {name.path}")
        if joined in named:
            other = parse_name(named[joined]).entities
            keys = [k for k in {**other, **name.entities} if other.get(k) != name.entities.get(k)]
            raise InputError(
                f"{named[joined]} and {name.path} are both recording {joined}",
                "one image a run",
                f"choose by read.folder, read.space or read.select ({', '.join(keys) or 'folder'})",
            )
        named[joined] = name.path
    return list(named)


def _joined(name: BidsName, extra: Sequence[str]) -> str:
    keys = ("sub", "ses", "task", *extra, "run")
    return "_".join(f"{key}-{name.entities[key]}" for key in keys if key in name.entities)


def fill_pattern(pattern: str, name: BidsName, setting: str) -> str:
    """Fill ``{subject}``, ``{session}``, ``{task}`` and ``{run}`` of a path setting.

    Parameters
    ----------
    pattern : str
        Such as ``derivatives/masks/sub-{subject}/sub-{subject}_desc-brain_mask.nii.gz``.
    name : BidsName
        The recording's data file.
    setting : str
        Name of the setting, for errors.

    Raises
    ------
    SettingsError
        If a placeholder is unknown.
    InputError
        If the file has no such entity, or the path leaves the dataset.
    """
    keys = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}

    def value(match: re.Match[str]) -> str:
        if match[1] not in keys:
            raise SettingsError(
                f"read.{setting} has {match[0]}", ", ".join(f"{{{k}}}" for k in keys), "correct it"
            )
        found = name.entities.get(keys[match[1]])
        if found is None:
            raise InputError(
                f"read.{setting} asks for {match[0]}, {name.path} has none",
                "a path without it",
                "correct the setting",
            )
        return found

    return check_relative(_PLACEHOLDER.sub(value, pattern), f"read.{setting}")
