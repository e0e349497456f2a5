"""Shared pieces of the archives' listings: JSON that is refused early, and dates."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from neuropipe.errors import FetchError
from neuropipe.ingest.web import shown

MAX_PAGES = 10_000


def parse_json(body: bytes, url: str, what: str) -> dict[str, Any]:
    """Parse a JSON object.

    Parameters
    ----------
    body : bytes
    url : str
        Where it came from, for the error.
    what : str
        What it should be, for the error.

    Raises
    ------
    FetchError
        If it is no JSON object; a login page of a proxy is the usual cause.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise malformed(url, f"no JSON ({error})", what) from error
    if not isinstance(data, dict):
        raise malformed(url, f"a JSON {type(data).__name__}", what)
    return data


def malformed(url: str, found: str, what: str) -> FetchError:
    """Make the error for an answer that is not what was asked for."""
    return FetchError(
        f"{shown(url)} answered with {found}", what, "check the endpoint and HTTPS_PROXY"
    )


def iso_timestamp(text: object) -> float | None:
    """Turn an ISO 8601 date into s since 1970, None where it is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None


def text_of(value: object) -> str:
    """Fold a text from metadata into one line, ``""`` where it is no text."""
    return " ".join(value.split()) if isinstance(value, str) else ""
