"""OpenNeuro: a public S3 bucket, listed and read over https without an account.

The listing is S3's ListObjectsV2 (Amazon S3 API reference). The ETag of an object uploaded in one
part is its MD5; that of a multipart upload (with a ``-``) is no checksum of the file.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree
from xml.parsers import expat

import requests

from neuropipe.errors import FetchError
from neuropipe.ingest.listing import MAX_PAGES, iso_timestamp, malformed, text_of
from neuropipe.ingest.web import RETRIES, Retries, read_page
from neuropipe.manifest import OpenNeuroSource

_MD5 = re.compile(r"[0-9a-f]{32}")
_WHAT = "a listing of S3 (ListBucketResult)"


def list_objects(
    source: OpenNeuroSource, session: requests.Session, retries: Retries = RETRIES
) -> list[dict[str, Any]]:
    """List all objects of a dataset, page by page.

    Returns
    -------
    list of dict
        ``path``, ``uri``, ``bytes``, ``checksum``, ``modified`` as in `remote.RemoteFile`.

    Raises
    ------
    FetchError
        If the dataset does not exist or an answer is malformed.
    """
    prefix, token = f"{source.openneuro}/", ""
    found: list[dict[str, Any]] = []
    for _ in range(MAX_PAGES):
        query = {"list-type": "2", "prefix": prefix}
        if token:
            query["continuation-token"] = token
        url = f"{source.endpoint}?{urlencode(query)}"
        page = parse_xml(read_page(url, session=session, retries=retries, what=_WHAT), url)
        found += [_object(node, source, url) for node in page if _tag(node) == "Contents"]
        following = _child(page, "NextContinuationToken")
        if _child(page, "IsTruncated") != "true":
            break
        if not following or following == token:
            raise malformed(url, "a page without the key of the next one", _WHAT)
        token = following
    found = [row for row in found if row["path"] and not row["path"].endswith("/")]
    if not found:
        raise FetchError(
            f"OpenNeuro has no public files below {prefix}", "a published dataset", "correct the id"
        )
    return found


def describe_dataset(
    source: OpenNeuroSource, session: requests.Session, retries: Retries = RETRIES
) -> dict[str, str]:
    """Read title, license and citation from a dataset's ``dataset_description.json``."""
    url = f"{source.endpoint}/{source.openneuro}/dataset_description.json"
    body = read_page(url, session=session, retries=retries, what="dataset_description.json")
    return read_description(body.decode("utf-8", "replace"))


def read_description(text: str) -> dict[str, str]:
    """Read title, license and citation from the text of a ``dataset_description.json``."""
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    links = data.get("ReferencesAndLinks")
    first = (
        next((text_of(link) for link in links if text_of(link)), "")
        if isinstance(links, list)
        else ""
    )
    found = {
        "title": text_of(data.get("Name")),
        "license": text_of(data.get("License")),
        "citation": text_of(data.get("DatasetDOI"))
        or first
        or text_of(data.get("HowToAcknowledge")),
    }
    return {key: value for key, value in found.items() if value}


def parse_xml(body: bytes, url: str) -> ElementTree.Element:
    """Parse the XML of a listing; document types, and with them entities, are refused.

    Raises
    ------
    FetchError
        If it is no XML, holds a document type or is no listing.
    """

    def refuse(*_: object) -> None:
        raise malformed(url, "XML that declares a document type", _WHAT)

    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = refuse
    try:
        guard.Parse(body, True)
        root = ElementTree.fromstring(body)  # noqa: S314 - no document type, so no entities
    except (expat.ExpatError, ElementTree.ParseError, ValueError) as error:
        raise malformed(url, f"no XML ({error})", _WHAT) from error
    if _tag(root) != "ListBucketResult":
        raise malformed(url, f"XML <{_tag(root)}>", _WHAT)
    return root


def _object(node: ElementTree.Element, source: OpenNeuroSource, url: str) -> dict[str, Any]:
    key, size = _child(node, "Key"), _child(node, "Size")
    prefix = f"{source.openneuro}/"
    if not key.startswith(prefix) or not size.isdecimal():
        raise malformed(url, f"an object {key[:80]!r} of size {size[:20]!r}", _WHAT)
    etag = _child(node, "ETag").strip('"').lower()
    return {
        "path": key.removeprefix(prefix),
        "uri": f"{source.endpoint}/{quote(key)}",
        "bytes": int(size),
        "checksum": f"md5:{etag}" if _MD5.fullmatch(etag) else "",
        "modified": iso_timestamp(_child(node, "LastModified")),
    }


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _child(node: ElementTree.Element, name: str) -> str:
    return next((child.text or "" for child in node if _tag(child) == name), "")
