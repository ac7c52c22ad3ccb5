"""A headless browser: Chromium over its debugging pipe, so that a test sees a page as people do.

If no browser is installed, Debian's package is downloaded and unpacked into a folder; nothing is installed.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.debian_packages import Unavailable, unpack

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PACKAGE = "chromium-headless-shell"
ANSWERS_WITHIN_S = 60.0
FOR_ITSELF = 10
"""Descriptors below this are reserved for the browser, which uses 3 and 4."""


class Page:
    """A page in the browser: its requests, errors and appearance."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._rest = b""
        self._count = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, file: Path, width: int, height: int = 900, *, dark: bool = False, media: str = "screen") -> None:
        """Load a file at a width in CSS pixels, and wait until it is drawn."""
        self.events.clear()
        narrow = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            mobile=narrow,
            deviceScaleFactor=2 if narrow else 1,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=file.absolute().as_uri())
        self._wait(lambda: any(event["method"] == "Page.loadEventFired" for event in self.events))
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, expression: str) -> Any:
        """The awaited value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, file: Path) -> Path:
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))
        return file

    @property
    def requested(self) -> list[str]:
        """Addresses that the page requested, its own first."""
        sent = "Network.requestWillBeSent"
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == sent]

    @property
    def complaints(self) -> list[str]:
        """Messages of the console and the log, including exceptions."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in kinds]

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command of the protocol and return its result."""
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[os.write(self._to, left) :]
        answers: list[dict[str, Any]] = []
        self._wait(lambda: bool(answers), number, answers)
        assert "error" not in answers[0], f"{method}: {answers[0]['error']}"
        return answers[0]["result"]

    def _wait(self, done: Any, number: int = 0, answers: list[dict[str, Any]] | None = None) -> None:
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while not done():
            ready, _, _ = select.select([self._back], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"the browser did not answer within {ANSWERS_WITHIN_S:.0f} s")
            piece = os.read(self._back, 1 << 20)
            if not piece:
                raise EOFError("the browser has ended")
            *whole, self._rest = (self._rest + piece).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "method" in message:
                    self.events.append(message)
                elif message["id"] == number and answers is not None:
                    answers.append(message)


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A page of a new browser that keeps its files in `folder`. Raises Unavailable."""
    program, env = _program(folder)
    to_read, to_write = _pipe()
    from_read, from_write = _pipe()
    log = (folder / "browser.log").open("wb")
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe", "about:blank",
    ]  # fmt: skip
    actions = [
        (os.POSIX_SPAWN_DUP2, to_read, 3), (os.POSIX_SPAWN_DUP2, from_write, 4),
        (os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
    ]  # fmt: skip
    pid = os.posix_spawn(program, command, env, file_actions=actions, setsid=True)
    for end in (to_read, from_write):
        os.close(end)
    try:
        try:
            page = Page(to_write, from_read)
        except (EOFError, BrokenPipeError) as ended:
            last = (folder / "browser.log").read_text(errors="replace").strip().splitlines()[-1:]
            raise Unavailable(f"{program} does not start here: {' '.join(last)}") from ended
        yield page
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for end in (to_write, from_read):
            os.close(end)
        log.close()


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, on descriptors outside the browser's reserved range."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FOR_ITSELF) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _program(folder: Path) -> tuple[str, dict[str, str]]:
    """The browser and the environment variables with which it finds its libraries."""
    for name in PROGRAMS:
        program = shutil.which(name)
        if program is not None:
            return program, dict(os.environ)
    root = folder / "packages"
    if not root.exists():
        unpack(root, PACKAGE)
    folders = {library.parent for library in (root / "usr/lib").rglob("*.so*") if library.parent.name != "chromium"}
    path = ":".join(map(str, sorted(folders)))
    return str(root / "usr/lib/chromium" / PACKAGE), {**os.environ, "LD_LIBRARY_PATH": path}
