"""HTTP health checks: whether the expected server answers at an address.

An open port proves nothing, because the kernel accepts connections for a hung process. So each server is queried in its
own protocol and has a few seconds to answer.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import threading
import urllib.request
from typing import Any
from urllib.parse import urlsplit

ASK_S = 3.0
"""A server that normally answers within milliseconds may take this long on a busy machine."""

LARGEST_ANSWER = 4 * 2**20

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout_s: float = ASK_S) -> bytes | None:
    """The body of a page (status 200); None for any other result, including an answer that is not HTTP.

    Addresses of this machine are queried directly, even if the environment sets a proxy. `timeout_s` limits the whole
    query, which therefore runs in a thread: resolving a name has no time-out, and each byte of a slow answer has its
    own.
    """
    bodies: list[bytes] = []

    def ask() -> None:
        with contextlib.suppress(
            OSError, http.client.HTTPException, ValueError
        ):  # URLError and InvalidURL are subclasses
            opened = (_DIRECT.open if _is_here(url) else urllib.request.urlopen)(url, timeout=timeout_s)
            with opened as answer:
                if answer.status == http.client.OK:
                    bodies.append(answer.read(LARGEST_ANSWER))

    asking = threading.Thread(target=ask, name="health", daemon=True)
    asking.start()
    asking.join(timeout_s)
    return bodies[0] if bodies else None


def get_object(url: str, timeout_s: float = ASK_S) -> dict[str, Any] | None:
    """The JSON object of a page; None if it has none."""
    try:
        document = json.loads(get(url, timeout_s) or b"")
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def why_no_mlflow(address: str, timeout_s: float = ASK_S) -> str:
    """Why no tracking server answers at `http://host:port`; empty when one does."""
    body = get(f"{address}/health", timeout_s)
    if body is None:
        return "no tracking server answers there"
    return "" if body.strip() == b"OK" else "the server there is not a tracking server"


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
