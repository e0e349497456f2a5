"""Listings of remote sources: which files a dataset has, where, how large, with what checksum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase

import requests

from neuropipe.errors import FetchError, NeuropipeError
from neuropipe.ingest import dandi, openneuro
from neuropipe.ingest.web import RETRIES, Retries, describe, new_session, shown
from neuropipe.manifest import DandiSource, OpenNeuroSource, UrlSource
from neuropipe.names import check_relative

RemoteSource = OpenNeuroSource | DandiSource | UrlSource


@dataclass(frozen=True)
class RemoteFile:
    """One file of a listing.

    Parameters
    ----------
    path : str
        Relative to the dataset's root.
    uri : str
        Where it is downloaded from.
    bytes : int or None
        Size, None where the server does not say.
    checksum : str
        SHA-256, ``md5:...``, or ``""`` where the server offers neither.
    modified : float or None
        When the server's version was made, in s since 1970.
    """

    path: str
    uri: str
    bytes: int | None
    checksum: str = ""
    modified: float | None = None


def list_remote(source: RemoteSource, retries: Retries = RETRIES) -> list[RemoteFile]:
    """List the files of a remote source that its patterns choose.

    Parameters
    ----------
    source : OpenNeuroSource, DandiSource or UrlSource
    retries : Retries

    Returns
    -------
    list of RemoteFile
        Sorted by path; hidden files are left out.

    Raises
    ------
    FetchError
        If the listing cannot be had, is malformed, names an unsafe path or one path twice, or if
        no file is left.
    """
    with new_session(retries) as session:
        if isinstance(source, UrlSource):
            files = [
                _head(file.url, file.path, file.sha256, session, retries) for file in source.url
            ]
            return _checked(files, "the url source")
        if isinstance(source, OpenNeuroSource):
            rows, what = openneuro.list_objects(source, session, retries), source.openneuro
        else:
            rows, what = dandi.list_assets(source, session, retries), f"DANDI:{source.dandi}"
        files = [RemoteFile(**row) for row in rows]
    chosen = chosen_paths((f.path for f in files), source.include, source.exclude)
    if not chosen:
        raise FetchError(
            f"{what} lists {len(files)} files, none of them chosen",
            f"files that match {', '.join(source.include)}",
            "correct include and exclude of the source",
        )
    return _checked([f for f in files if f.path in chosen], what)


def chosen_paths(paths: Iterable[str], include: Sequence[str], exclude: Sequence[str]) -> set[str]:
    """Choose paths by glob patterns (``*`` also matches ``/``); hidden files are never chosen."""
    return {
        path
        for path in paths
        if any(fnmatchcase(path, pattern) for pattern in include)
        and not any(fnmatchcase(path, pattern) for pattern in exclude)
        and not any(part.startswith(".") and part != ".." for part in path.split("/"))
    }


def describe_remote(source: RemoteSource, retries: Retries = RETRIES) -> dict[str, str]:
    """Read title, license and citation of a remote dataset where its archive states them."""
    with new_session(retries) as session:
        if isinstance(source, OpenNeuroSource):
            return openneuro.describe_dataset(source, session, retries)
        if isinstance(source, DandiSource):
            return dandi.describe_dandiset(source, session, retries)
    return {}


def describe_bids(text: str) -> dict[str, str]:
    """Read title, license and citation from the text of a ``dataset_description.json``.

    Parameters
    ----------
    text : str
        JSON; what is malformed or missing is left out.
    """
    return openneuro.read_description(text)


def _checked(files: Sequence[RemoteFile], what: str) -> list[RemoteFile]:
    seen: set[str] = set()
    for file in files:
        try:
            check_relative(file.path, f"path in the listing of {what}")
        except NeuropipeError as error:
            raise FetchError(error.given, error.expected, "exclude it or report it") from error
        if file.path in seen:
            raise FetchError(f"{what} lists {file.path} twice", "unique paths", "exclude it")
        seen.add(file.path)
    return sorted(files, key=lambda file: file.path)


def _head(
    url: str, path: str, sha256: str | None, session: requests.Session, retries: Retries
) -> RemoteFile:
    """Ask for the size of one file without loading it."""
    try:
        with session.head(url, allow_redirects=True, timeout=retries.timeouts) as response:
            # Some servers refuse HEAD; the size is then known once the file is there.
            if response.status_code in (403, 405, 501):
                return RemoteFile(path, url, None, sha256 or "")
            response.raise_for_status()
            length = response.headers.get("Content-Length", "")
            modified = _http_date(response.headers.get("Last-Modified", ""))
    except requests.RequestException as error:
        raise FetchError(
            f"{shown(url)}: {describe(error, retries)}",
            "a file",
            "correct the address, or check the connection and HTTPS_PROXY",
        ) from error
    size = int(length) if length.isdecimal() else None
    return RemoteFile(path, url, size, sha256 or "", modified)


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return None
