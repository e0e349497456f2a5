"""A local web server that plays the archives, well-behaved or not."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Headers = dict[str, str]
Answer = tuple[int, Headers, bytes]


@dataclass
class Page:
    """What stands behind one path.

    `misbehave` is called with the number of the request (from 0) and may return a change of plan:
    ``("status", 503)``, ``("drop", n_bytes)``, ``("sleep", s)`` or ``("body", bytes)``.
    """

    body: bytes
    etag: str | None = '"v1"'
    modified: str | None = None
    ranges: bool = True
    content_type: str = "application/octet-stream"
    misbehave: Callable[[int], tuple[str, object] | None] = lambda _: None
    head_status: int = 200


@dataclass
class Archive:
    """Pages by path, and what was asked for."""

    pages: dict[str, Page] = field(default_factory=dict)
    answers: dict[str, Callable[[dict[str, list[str]]], Answer]] = field(default_factory=dict)
    requests: list[tuple[str, str, Headers]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, path: str, method: str = "GET") -> list[Headers]:
        """Headers of every request for a path, in order."""
        return [h for m, p, h in self.requests if m == method and urlsplit(p).path == path]

    def serve_s3(self, dataset: str, files: dict[str, bytes], *, page_size: int = 2, **etags: str):
        """Serve files as an S3 bucket ``/bucket`` with a paginated listing."""
        rows = []
        for path, body in files.items():
            key = f"{dataset}/{path}"
            self.pages[f"/bucket/{key}"] = Page(body)
            etag = etags.get(path.replace("/", "_").replace(".", "_"), _md5(body))
            rows.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>2024-01-02T03:04:05.000Z"
                f"</LastModified><ETag>&quot;{etag}&quot;</ETag><Size>{len(body)}</Size></Contents>"
            )

        def listing(query: dict[str, list[str]]) -> Answer:
            start = int(query.get("continuation-token", ["0"])[0])
            wanted = query["prefix"][0] == f"{dataset}/"
            chosen = rows[start : start + page_size] if wanted else []
            more = wanted and start + page_size < len(rows)
            token = f"<NextContinuationToken>{start + page_size}</NextContinuationToken>"
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>'
                '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<IsTruncated>{str(more).lower()}</IsTruncated>{token if more else ''}"
                f"{''.join(chosen)}</ListBucketResult>"
            )
            return 200, {"Content-Type": "application/xml"}, body.encode()

        self.answers["/bucket"] = listing

    def serve_dandi(
        self, number: str, files: dict[str, bytes], *, version: str = "draft", page_size: int = 2
    ) -> list[dict[str, object]]:
        """Serve files as a dandiset below ``/api``; returns the assets, which tests may spoil."""
        assets: list[dict[str, object]] = []
        for i, (path, body) in enumerate(files.items()):
            self.pages[f"/api/assets/asset-{i}/download/"] = Page(body)
            self.pages[f"/blobs/{i}"] = Page(body)
            metadata = {
                "contentSize": len(body),
                "digest": {"dandi:sha2-256": hashlib.sha256(body).hexdigest()},
                "blobDateModified": "2024-01-02T03:04:05+00:00",
                "contentUrl": [
                    f"{self.url}/api/assets/asset-{i}/download/",
                    f"{self.url}/blobs/{i}",
                ],
            }
            assets.append(
                {"asset_id": f"asset-{i}", "path": path, "size": len(body), "metadata": metadata}
            )
        base = f"/api/dandisets/{number}/versions/{version}"

        def listing(query: dict[str, list[str]]) -> Answer:
            page = int(query.get("page", ["1"])[0])
            chosen = assets[(page - 1) * page_size : page * page_size]
            more = page * page_size < len(assets)
            data = {
                "count": len(assets),
                "next": f"{self.url}{base}/assets/?page={page + 1}" if more else None,
                "results": chosen,
            }
            return 200, {"Content-Type": "application/json"}, json.dumps(data).encode()

        self.answers[f"{base}/assets/"] = listing
        return assets


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: Archive

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_GET(self) -> None:
        self._answer("GET")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        archive = self.archive
        with archive.lock:
            archive.requests.append((method, self.path, dict(self.headers.items())))
            number = archive.counts[path]
            archive.counts[path] += method == "GET"
        if path in archive.answers:
            self._send(*archive.answers[path](parse_qs(parts.query)), method)
            return
        page = archive.pages.get(path)
        if page is None:
            self._send(404, {}, b"nothing here", method)
            return
        self._send_page(page, number, method)

    def _send_page(self, page: Page, number: int, method: str) -> None:
        if method == "HEAD" and page.head_status != 200:
            self._send(page.head_status, {}, b"", method)
            return
        kind, value = (page.misbehave(number) if method == "GET" else None) or ("", None)
        if kind == "status":
            self._send(int(str(value)), {}, b"", method)
            return
        if kind == "sleep":
            time.sleep(float(str(value)))
        body = value if kind == "body" and isinstance(value, bytes) else page.body
        headers = {"Content-Type": page.content_type}
        if page.etag:
            headers["ETag"] = page.etag
        if page.modified:
            headers["Last-Modified"] = page.modified
        status, start = 200, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and page.ranges and self.headers.get("If-Range") in (
            None, page.etag, page.modified,
        ):  # fmt: skip
            start = int(asked[1])
            if start >= len(body):
                self._send(416, {}, b"", method)
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._send(
            status, headers, body[start:], method, int(str(value)) if kind == "drop" else None
        )

    def _send(
        self, status: int, headers: Headers, body: bytes, method: str, drop: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if method == "HEAD":
            return
        self.wfile.write(body if drop is None else body[:drop])
        if drop is not None:
            self.wfile.flush()
            self.close_connection = True


@contextmanager
def serving() -> Iterator[Archive]:
    """Serve an archive on a free port of this machine."""
    archive = Archive()
    handler = type("Handler", (_Handler,), {"archive": archive})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    archive.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
