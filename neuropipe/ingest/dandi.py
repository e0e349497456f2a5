"""The DANDI archive: dandisets listed through its REST API, without an account.

Assets carry their SHA-256 (``dandi:sha2-256``) once the archive has computed it. Zarr assets are
folders of thousands of objects without one; they are left out.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests

from neuropipe.errors import FetchError
from neuropipe.ingest.listing import MAX_PAGES, iso_timestamp, malformed, parse_json, text_of
from neuropipe.ingest.web import RETRIES, Retries, read_page
from neuropipe.manifest import DandiSource

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PAGE_SIZE = 200
_WHAT = "a listing of assets"


def list_assets(
    source: DandiSource, session: requests.Session, retries: Retries = RETRIES
) -> list[dict[str, Any]]:
    """List all assets of a version of a dandiset, page by page.

    Returns
    -------
    list of dict
        ``path``, ``uri``, ``bytes``, ``checksum``, ``modified`` as in `remote.RemoteFile`.

    Raises
    ------
    FetchError
        If the version does not exist, is embargoed, or an answer is malformed.
    """
    query = urlencode({"page_size": _PAGE_SIZE, "metadata": "true", "order": "path"})
    url: str | None = f"{_version_url(source)}/assets/?{query}"
    found: list[dict[str, Any]] = []
    for _ in range(MAX_PAGES):
        if not url:
            break
        page = _read(url, source, session, retries)
        results = page.get("results")
        if not isinstance(results, list):
            raise malformed(url, "JSON without results", _WHAT)
        for asset in results:
            row = _asset(asset, source, url)
            if row is not None:
                found.append(row)
        url = _next(page.get("next"), url)
    return found


def describe_dandiset(
    source: DandiSource, session: requests.Session, retries: Retries = RETRIES
) -> dict[str, str]:
    """Read title, license and citation of a version of a dandiset."""
    data = _read(f"{_version_url(source)}/", source, session, retries)
    licenses = data.get("license")
    first = licenses[0] if isinstance(licenses, list) and licenses else licenses
    found = {
        "title": text_of(data.get("name")),
        "license": text_of(first).removeprefix("spdx:"),
        "citation": text_of(data.get("citation")),
    }
    return {key: value for key, value in found.items() if value}


def _version_url(source: DandiSource) -> str:
    version = quote(source.version, safe="")
    return f"{source.endpoint.rstrip('/')}/dandisets/{source.dandi}/versions/{version}"


def _read(
    url: str, source: DandiSource, session: requests.Session, retries: Retries
) -> dict[str, Any]:
    try:
        body = read_page(url, session=session, retries=retries, what=_WHAT)
    except FetchError as error:
        name = f"DANDI:{source.dandi} version {source.version}"
        status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
        if status in (401, 403):
            raise FetchError(
                f"{name} is embargoed or not public (HTTP {status})",
                "an open dandiset",
                "download it with your account and give its folder as a path source",
            ) from error
        if status == 404:
            raise FetchError(
                f"{name} does not exist", "a dandiset's id and version", "correct them"
            ) from error
        raise
    return parse_json(body, url, _WHAT)


def _asset(asset: Any, source: DandiSource, url: str) -> dict[str, Any] | None:
    if not isinstance(asset, dict):
        raise malformed(url, f"an asset {str(asset)[:40]!r}", _WHAT)
    path, identifier = asset.get("path"), asset.get("asset_id")
    metadata = asset.get("metadata") if isinstance(asset.get("metadata"), dict) else {}
    assert isinstance(metadata, dict)
    size = metadata.get("contentSize", asset.get("size"))
    if not isinstance(path, str) or not isinstance(identifier, str) or not isinstance(size, int):
        raise malformed(url, f"an asset without path, id or size ({str(path)[:80]})", _WHAT)
    if asset.get("zarr") or path.rstrip("/").endswith((".zarr", ".ngff")):
        return None
    digest = metadata.get("digest")
    sha256 = digest.get("dandi:sha2-256") if isinstance(digest, dict) else None
    return {
        "path": path,
        "uri": _content_url(metadata.get("contentUrl"), identifier, source),
        "bytes": size,
        "checksum": sha256 if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else "",
        "modified": iso_timestamp(metadata.get("blobDateModified", asset.get("modified"))),
    }


def _content_url(urls: Any, identifier: str, source: DandiSource) -> str:
    """Choose the address of the stored blob: it outlives the asset's page and can be resumed."""
    given = [u for u in urls if isinstance(u, str)] if isinstance(urls, list) else []
    blobs = [u for u in given if urlsplit(u).scheme in ("http", "https") and "/blobs/" in u]
    fallback = f"{source.endpoint.rstrip('/')}/assets/{identifier}/download/"
    return blobs[0] if blobs else fallback


def _next(following: Any, current: str) -> str | None:
    """Return the next page's address; a listing may not lead to another host."""
    if following is None:
        return None
    if not isinstance(following, str) or following == current:
        raise malformed(current, "a page without the address of the next one", _WHAT)
    if urlsplit(following).netloc != urlsplit(current).netloc:
        raise malformed(current, f"a next page on another host ({following[:80]})", _WHAT)
    return following
