"""The data manifest and its locks: which datasets exist, and which files each recording is.

The manifest says what a dataset is and where it comes from. Its lock, a table of files with
checksums, is resolved once; the workflow plans from locks alone and never touches the data.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from neuropipe.atomic import atomic_file
from neuropipe.errors import LockError, ManifestError, NeuropipeError, one_line
from neuropipe.names import check_name, check_relative

Modality = Literal["fmri", "calcium", "spikes", "images"]
M = TypeVar("M", bound=BaseModel)
_MAX_BYTES = 2_000_000  # a manifest is a page, not a bomb


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PathSource(_Model):
    """A folder or file on this machine; relative paths start at the manifest's folder."""

    path: str = Field(min_length=1, description="folder or file; relative to the manifest")
    include: list[str] = Field(default=["*"], description="glob patterns of paths to take")
    exclude: list[str] = Field(default=[], description="glob patterns of paths to leave out")


class SimulateSource(_Model):
    """Data with known truth, written when the workflow runs."""

    simulate: Literal["fmri", "calcium", "spikes", "vision", "representations"] = Field(
        description="generator"
    )
    settings: dict[str, Any] = Field(default={}, description="settings of the generator")


class UrlFile(_Model):
    """One file behind a URL."""

    url: str = Field(pattern=r"^https?://", description="address of the file")
    path: str = Field(description="where it stands in the dataset, relative")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="checksum; looked up if absent"
    )


class UrlSource(_Model):
    """Files behind plain http(s) addresses."""

    url: list[UrlFile] = Field(min_length=1, description="the files")


class OpenNeuroSource(_Model):
    """A dataset of OpenNeuro, read from its public bucket over https."""

    openneuro: str = Field(pattern=r"^ds\d{6}$", description="accession, such as ds000105")
    include: list[str] = Field(default=["*"], description="glob patterns of paths to take")
    exclude: list[str] = Field(default=[], description="glob patterns of paths to leave out")
    endpoint: str = Field(
        default="https://s3.amazonaws.com/openneuro.org",
        pattern=r"^https?://",
        description="address of the bucket",
    )


class DandiSource(_Model):
    """A dandiset, read through the archive's REST API."""

    dandi: str = Field(pattern=r"^\d{6}$", description="identifier in quotes: '000128'")
    version: str = Field(default="draft", description="a published version, or draft")
    include: list[str] = Field(default=["*"], description="glob patterns of paths to take")
    exclude: list[str] = Field(default=[], description="glob patterns of paths to leave out")
    endpoint: str = Field(
        default="https://api.dandiarchive.org/api",
        pattern=r"^https?://",
        description="address of the API",
    )


class NilearnSource(_Model):
    """A dataset that nilearn knows how to fetch."""

    nilearn: Literal["adhd", "development_fmri"] = Field(description="which of its datasets")
    n_subjects: int = Field(default=30, ge=1, description="number of subjects to fetch")


Source = PathSource | SimulateSource | UrlSource | OpenNeuroSource | DandiSource | NilearnSource
_SOURCES: dict[str, type[_Model]] = {
    "path": PathSource,
    "simulate": SimulateSource,
    "url": UrlSource,
    "openneuro": OpenNeuroSource,
    "dandi": DandiSource,
    "nilearn": NilearnSource,
}


def _one_source(value: Any) -> Any:
    """Choose the source by its key, so that an error speaks of that kind alone."""
    if not isinstance(value, dict):
        raise ValueError(f"expected one of {', '.join(_SOURCES)}")
    kinds = [kind for kind in _SOURCES if kind in value]
    if len(kinds) != 1:
        raise ValueError(f"expected exactly one of {', '.join(_SOURCES)}, not {kinds or 'none'}")
    return _SOURCES[kinds[0]].model_validate(value)


class Dataset(_Model):
    """An entry of the manifest."""

    title: str = Field(min_length=1, description="what it is, in one line")
    modality: Modality = Field(description="what was recorded")
    source: Annotated[Any, AfterValidator(_one_source)] = Field(
        description="where it comes from: one of the sources below"
    )
    license: str = Field(min_length=1, description="SPDX name or the terms' title")
    citation: str = Field(min_length=1, description="DOI or full reference")
    enabled: bool = Field(default=True, description="whether the workflow runs it")
    read: dict[str, Any] = Field(default={}, description="reading options of the modality")
    analyses: dict[str, dict[str, Any] | bool] = Field(
        default={}, description="settings by analysis; false leaves the analysis out"
    )


class Manifest(_Model):
    """The whole file."""

    datasets: dict[Annotated[str, AfterValidator(lambda n: check_name(n, "dataset"))], Dataset]


def load_manifest(path: Path) -> Manifest:
    """Read and validate a manifest.

    Raises
    ------
    ManifestError
        Naming the file and the path of the first wrong key.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ManifestError(f"{path} is over 2 MB", "a manifest", "shorten it")
        text = path.read_text(encoding="utf-8")
        data = load_yaml(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise ManifestError(f"{path}: {error}", "a readable YAML file", "correct it") from error
    if not isinstance(data, dict):
        raise ManifestError(f"{path} holds no mapping", "the key 'datasets'", "correct it")
    return validated(Manifest, data, str(path), ManifestError)


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases (no bombs) and without repeated keys (no silent loss)."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict):
                continue  # not hashable: refused below
            if key in seen:
                raise yaml.YAMLError(f"key {key!r} stands twice{node.start_mark}")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Parse YAML safely: no aliases, no repeated keys, no objects.

    Raises
    ------
    yaml.YAMLError
        If the text is malformed or uses what is not allowed.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def validated(model: type[M], data: Any, where: str, error: type[NeuropipeError]) -> M:
    """Validate data with a pydantic model, turning its complaint into one line.

    Parameters
    ----------
    model : type
    data : mapping
    where : str
        What the data are, for the message.
    error : type of NeuropipeError
        Raised when they do not validate.
    """
    try:
        return model.model_validate(data)
    except NeuropipeError as problem:
        raise error(f"{where}: {problem.given}", problem.expected, problem.remedy) from problem
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        more = problem.error_count() - 1
        also = f" (and {more} more)" if more else ""
        given = repr(first["input"])
        raise error(
            f"{where}: {place} is {given[:80]}{also}", first["msg"], f"correct {place}"
        ) from problem


@dataclass(frozen=True)
class LockedFile:
    """One file (or folder) of a recording.

    Parameters
    ----------
    role : str
        What the reader uses it for: ``data``, ``events``, ``sidecar``, ``mask``...
    path : str
        Relative to the dataset's root.
    uri : str
        Where it is fetched from; ``""`` when it is already below the root.
    bytes : int
        Size; 0 where it is not known beforehand (simulated data).
    sha256 : str
        Checksum; ``md5:...`` where a server offers only that, ``""`` for simulated data.
    """

    role: str
    path: str
    uri: str = ""
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class LockedRecording:
    """The files of one recording and the entities of its name."""

    recording: str
    subject: str
    session: str
    task: str
    run: str
    files: tuple[LockedFile, ...]

    def paths(self, role: str) -> list[str]:
        """Relative paths of the files of a role, in the lock's order."""
        return [f.path for f in self.files if f.role == role]


_CHECKSUM = re.compile(r"|[0-9a-f]{64}|md5:[0-9a-f]{32}")
_ENTITIES = ("recording", "subject", "session", "task", "run")
_COLUMNS = (*_ENTITIES, *(f.name for f in fields(LockedFile)))


def write_lock(path: Path, recordings: Iterable[LockedRecording]) -> None:
    """Write a lock table, one row a file."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(_COLUMNS)
    for recording in recordings:
        entities = [getattr(recording, name) for name in _ENTITIES]
        for file in recording.files:
            writer.writerow([*entities, file.role, file.path, file.uri, file.bytes, file.sha256])
    with atomic_file(path) as temporary:
        temporary.write_text(stream.getvalue(), encoding="utf-8")


def read_lock(path: Path, dataset: str) -> list[LockedRecording]:
    """Read a lock table.

    Raises
    ------
    LockError
        If it is missing or malformed, naming the command that makes it.
    """
    remedy = f"run `neuropipe manifest lock {dataset}`"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream, delimiter="\t"))
    except FileNotFoundError as error:
        raise LockError(f"dataset {dataset} has no lock", f"{path}", remedy) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LockError(f"{path}: {error}", "a readable lock table", remedy) from error
    if len(rows) < 2 or tuple(rows[0]) != _COLUMNS:
        raise LockError(f"{path} is no lock table", f"columns {', '.join(_COLUMNS)}", remedy)
    files: dict[tuple[str, ...], list[LockedFile]] = {}
    try:
        for row in rows[1:]:
            entities, (role, name, uri, size, sha256) = tuple(row[:5]), row[5:]
            for entity, what in zip(entities, _ENTITIES, strict=True):
                if entity or what in ("recording", "subject"):
                    check_name(entity, what)
            check_relative(name, "file")
            if not (size.isascii() and size.isdigit()):
                raise ValueError(f"{name} has {one_line(size, 40)!r} bytes")
            if not _CHECKSUM.fullmatch(sha256):
                raise ValueError(f"{name} has the checksum {one_line(sha256, 40)!r}")
            file = LockedFile(role, name, uri, int(size), sha256)
            files.setdefault(entities, []).append(file)
    except (ValueError, NeuropipeError) as error:
        raise LockError(f"{path}: {error}", "a sound lock table", remedy) from error
    names = [entities[0] for entities in files]
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise LockError(f"{path} names recording {twice} twice", "unique recordings", remedy)
    return [
        LockedRecording(name, subject, session, task, run, tuple(found))
        for (name, subject, session, task, run), found in files.items()
    ]
