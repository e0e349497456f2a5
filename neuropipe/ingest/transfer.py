"""One file over HTTP: resumed where that is sound, checked against its size and checksum.

A transfer writes to ``NAME.part`` beside the target. Together with ``NAME.part.json``, which holds
what identifies the server's version of the file (ETag or Last-Modified), it is what a later try
continues from; the server is asked for the rest only on condition that the file is still the same.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from neuropipe.errors import FetchError
from neuropipe.ingest.web import RETRIES, Retries, describe, shown

_CHUNK = 1 << 18
_PROGRESS = 8 << 20  # bytes that make a broken connection count as a new start
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class _InterruptedError(Exception):
    """The body broke off; what arrived may be continued."""


def download(
    url: str,
    target: Path,
    *,
    session: requests.Session,
    size: int | None = None,
    checksum: str = "",
    retries: Retries = RETRIES,
    progress: Callable[[int], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> None:
    """Download one file; it appears at `target` whole and verified, or not at all.

    Parameters
    ----------
    url : str
    target : Path
        Where it shall lie. An older file there stays until the new one is verified.
    session : requests.Session
        See `web.new_session`.
    size : int, optional
        Promised size in bytes.
    checksum : str
        Promised SHA-256, or ``md5:...``; ``""`` where nothing is promised.
    retries : Retries
    progress : callable
        Told how many bytes are there so far.
    stop : threading.Event, optional
        Set by another thread to end the transfer.

    Raises
    ------
    FetchError
        If the file cannot be had or is not the promised one. A wrong file is deleted; a partial
        one stays for resuming if the server says what version it is of.
    """
    import pooch

    def receive(_url: str, output: str, _pooch: object) -> None:
        part = part_of(target)
        _receive(url, part, size, session, retries, progress, stop or threading.Event())
        part.replace(output)
        _validator_of(part).unlink(missing_ok=True)

    pooch.get_logger().setLevel(logging.WARNING)
    known = checksum if ":" in checksum or not checksum else f"sha256:{checksum}"
    # Without a promise pooch would keep whatever lies there; the older file is then in the way.
    if not checksum:
        target.unlink(missing_ok=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            url=url, known_hash=known or None, fname=target.name, path=target.parent,
            downloader=receive,
        )  # fmt: skip
    except requests.RequestException as error:
        raise _failed(url, target, describe(error, retries), size) from error
    except _InterruptedError as error:
        raise _failed(url, target, str(error), size) from error
    except ValueError as error:  # pooch: the checksum does not match
        raise FetchError(
            f"{shown(url)} brought other bytes than the lock promises (deleted)",
            f"{'a file of ' if size else ''}{known[:19]}...",
            "try again; if it stays so the source has changed: run `neuropipe manifest lock` anew",
        ) from error
    except OSError as error:
        raise FetchError(
            f"{target} cannot be written: {error}", "a writable folder", "make room or correct it"
        ) from error


def part_of(target: Path) -> Path:
    """Path of a target's partial file."""
    return target.with_name(f"{target.name}.part")


def _validator_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _failed(url: str, target: Path, what: str, size: int | None) -> FetchError:
    return FetchError(
        f"{shown(url)}: {what}",
        "the file" + (f" of {size} bytes" if size else ""),
        "check the connection and HTTPS_PROXY and run it again (it resumes), or download it by "
        f"hand to {target.absolute()} and run it again: its checksum will be verified",
    )


def _receive(
    url: str,
    part: Path,
    size: int | None,
    session: requests.Session,
    retries: Retries,
    progress: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Bring all bytes of `url` into `part`, over as many connections as it takes."""
    failures = 0
    while True:
        before = _size(part)
        try:
            _receive_once(url, part, size, session, retries, progress, stop)
            return
        except _InterruptedError:
            if not _read_validator(part, url):
                _discard(part)
            gained = _size(part) - before
            failures = 1 if gained >= _PROGRESS else failures + 1
            if failures >= retries.attempts or stop.is_set():
                raise
            stop.wait(retries.backoff * 2 ** (failures - 1))


def _receive_once(
    url: str,
    part: Path,
    size: int | None,
    session: requests.Session,
    retries: Retries,
    progress: Callable[[int], None],
    stop: threading.Event,
) -> None:
    validator = _read_validator(part, url)
    if not validator:
        _discard(part)
    offset = _size(part)
    if size is not None and offset > size:
        _discard(part)
        offset = 0
    if size is not None and 0 < offset == size:
        return
    # If-Range: the rest only if the file is still the one the part is of, else all of it.
    headers = {"Range": f"bytes={offset}-", "If-Range": validator} if offset else {}
    with session.get(url, stream=True, headers=headers, timeout=retries.timeouts) as response:
        if response.status_code == 416 and offset:
            _discard(part)
            raise _InterruptedError("the server cannot continue the partial file")
        response.raise_for_status()
        resumed = _resumes(response, offset)
        if not resumed:
            _discard(part)
        _check_promise(response.headers, offset if resumed else 0, size, url)
        _write_validator(part, url, response.headers)
        written = offset if resumed else 0
        progress(written)
        with part.open("ab" if resumed else "wb") as stream:
            try:
                # read1 hands over what has arrived: nothing is lost when the connection breaks.
                while chunk := response.raw.read1(_CHUNK):
                    stream.write(chunk)
                    written += len(chunk)
                    progress(written)
                    if size is not None and written > size:
                        break
                    if stop.is_set():
                        raise _InterruptedError("stopped")
            except (HTTPError, ConnectionError, TimeoutError) as error:
                raise _InterruptedError(describe(error, retries)) from error
    if size is not None and written != size:
        _discard(part)
        raise _wrong_size(url, f"{'more than ' if written > size else ''}{written}", size)


def _resumes(response: requests.Response, offset: int) -> bool:
    """Tell whether a response continues at `offset`; False where it starts from zero."""
    if response.status_code != 206:
        return False
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != offset:
        raise _InterruptedError("the server sent another part of the file than asked for")
    return True


def _check_promise(headers: Mapping[str, str], offset: int, size: int | None, url: str) -> None:
    """Refuse a file whose announced size is wrong before its bytes are transferred."""
    announced = headers.get("Content-Length", "")
    if size is not None and announced.isdecimal() and offset + int(announced) != size:
        raise _wrong_size(url, str(offset + int(announced)), size)


def _wrong_size(url: str, found: str, size: int) -> FetchError:
    return FetchError(
        f"{shown(url)} has {found} bytes",
        f"{size} bytes as in the lock",
        "the source has changed, or a proxy answers in its place: check it, or run "
        "`neuropipe manifest lock` anew",
    )


def _read_validator(part: Path, url: str) -> str:
    """Identity of the version that a partial file is of; ``""`` where it cannot be continued."""
    try:
        saved = json.loads(_validator_of(part).read_text(encoding="utf-8"))
        if saved["url"] == url and isinstance(saved["validator"], str):
            return str(saved["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return ""


def _write_validator(part: Path, url: str, headers: Mapping[str, str]) -> None:
    etag = headers.get("ETag", "")
    # A weak ETag promises equal meaning, not equal bytes (RFC 9110, 13.1.5).
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    saved = json.dumps({"url": url, "validator": validator})
    _validator_of(part).write_text(saved, encoding="utf-8")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_of(part).unlink(missing_ok=True)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
