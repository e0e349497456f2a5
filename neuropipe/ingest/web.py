"""HTTP with patience: sessions that retry, and errors that say what happened and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError
from urllib3.util.retry import Retry

from neuropipe import __version__
from neuropipe.errors import FetchError

RETRIED = (429, 500, 502, 503, 504)
_MAX_WAIT = 120.0  # s; what a server's Retry-After may ask for at most
_MAX_PAGE = 64 * 2**20  # bytes of one page of a listing
_CHECK_NETWORK = "check the connection and HTTPS_PROXY, then run it again"


@dataclass(frozen=True)
class Retries:
    """How patient a download is.

    Parameters
    ----------
    attempts : int
        Tries in a row that bring nothing before giving up.
    backoff : float
        Wait before the second retry in s; it doubles with each further one.
    timeout : float
        Longest silence of a server in s.
    """

    attempts: int = 5
    backoff: float = 1.0
    timeout: float = 60.0

    @property
    def timeouts(self) -> tuple[float, float]:
        """Timeouts in s to connect and to read."""
        return min(15.0, self.timeout), self.timeout


RETRIES = Retries()


class _Retry(Retry):
    """Retries that cap how long a server may make us wait."""

    def get_retry_after(self, response: Any) -> float | None:
        wait = super().get_retry_after(response)
        return None if wait is None else min(wait, _MAX_WAIT)


def new_session(retries: Retries = RETRIES) -> requests.Session:
    """Open a session that retries refused and overloaded requests with exponential backoff.

    Proxies and certificates come from the environment (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``).
    """
    policy = _Retry(
        total=retries.attempts - 1,
        # An unknown host or a closed port rarely heals within seconds: tell the user soon.
        connect=min(2, retries.attempts - 1),
        backoff_factor=retries.backoff,
        backoff_max=60,
        status_forcelist=RETRIED,
        allowed_methods=("GET", "HEAD"),
        raise_on_status=False,
    )
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=policy))
    session.mount("http://", HTTPAdapter(max_retries=policy))
    # Bytes as they are stored: checksums and sizes are of the files, not of a compressed transfer.
    session.headers.update(
        {"User-Agent": f"neuropipe/{__version__}", "Accept-Encoding": "identity"}
    )
    return session


def read_page(
    url: str, *, session: requests.Session, retries: Retries = RETRIES, what: str = "a listing"
) -> bytes:
    """Read one page of a listing.

    Parameters
    ----------
    url : str
    session : requests.Session
    retries : Retries
    what : str
        What the page is, for the error.

    Raises
    ------
    FetchError
        If the page cannot be had, or is over 64 MiB.
    """
    try:
        with session.get(url, stream=True, timeout=retries.timeouts) as response:
            response.raise_for_status()
            body = bytearray()
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if len(body) > _MAX_PAGE:
                    raise FetchError(
                        f"{shown(url)} is over {_MAX_PAGE >> 20} MiB", what, "check the address"
                    )
            return bytes(body)
    except requests.RequestException as error:
        raise FetchError(
            f"{shown(url)}: {describe(error, retries)}", what, _CHECK_NETWORK
        ) from error


def describe(error: BaseException, retries: Retries = RETRIES) -> str:
    """Say in a few words what went wrong with a request."""
    response = getattr(error, "response", None)
    if response is not None:
        return _describe_status(response.status_code)
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy cannot be reached or refused the request"
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS certificate cannot be verified"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return f"no answer within {retries.timeout:g} s"
    causes = _causes(error)
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return "the host name cannot be resolved (DNS)"
    if any(isinstance(cause, ConnectionRefusedError | NewConnectionError) for cause in causes):
        return "the connection was refused"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | ProtocolError):
        return "the connection broke off"
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return "the server redirects in circles"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "the connection failed or broke off"
    return str(error)[:160]


def shown(url: str) -> str:
    """Return a URL without password and query, as it may stand in a message."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _describe_status(status: int) -> str:
    known = {
        401: "access needs a login",
        403: "access is refused",
        404: "it does not exist",
        407: "the proxy wants a login",
        410: "it was removed",
        429: "the server asks for fewer requests",
    }
    text = known.get(status, "the server fails" if status >= 500 else "the request is refused")
    return f"{text} (HTTP {status})"


def _causes(error: BaseException | None) -> list[BaseException]:
    """List an error and what it wraps: causes, contexts, arguments and retry reasons."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue and len(found) < 32:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or current in found:
            continue
        found.append(current)
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None)]
        queue += list(current.args)
    return found
