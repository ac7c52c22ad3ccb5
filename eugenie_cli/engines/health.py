"""Whether what answers is what was asked for, which of a site's engines it cannot do without, and what to do next.

An open port says nothing: the kernel accepts the connections of a process that hangs. So each is asked in its own
protocol, and has a few seconds to answer.
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
"""What answers in milliseconds may take this long on a busy machine."""

LARGEST_ANSWER = 4 * 2**20

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout_s: float = ASK_S) -> bytes | None:
    """The body of a page that is there (200); None for whatever else happens, an answer that is no HTTP included.

    This machine is asked directly, whatever proxy the environment names. `timeout_s` is for all of it: looking a name
    up takes as long as it likes, and each byte of a slow answer has a time-out of its own. So a thread asks.
    """
    found: list[bytes] = []

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # URLError, InvalidURL are of them
            opened = (_DIRECT.open if _is_here(url) else urllib.request.urlopen)(url, timeout=timeout_s)
            with opened as answer:
                if answer.status == http.client.OK:
                    found.append(answer.read(LARGEST_ANSWER))

    asking = threading.Thread(target=ask, name="health", daemon=True)
    asking.start()
    asking.join(timeout_s)
    return found[0] if found else None


def get_object(url: str, timeout_s: float = ASK_S) -> dict[str, Any] | None:
    """The JSON object of a page; None where there is none."""
    try:
        found = json.loads(get(url, timeout_s) or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def why_no_mlflow(address: str, timeout_s: float = ASK_S) -> str:
    """Empty when a tracking server answers at `http://host:port`."""
    found = get(f"{address}/health", timeout_s)
    if found is None:
        return "no tracking server answers there"
    return "" if found.strip() == b"OK" else "what answers there is no tracking server"


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
