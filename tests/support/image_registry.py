"""A test's own image registry: Debian's `docker-registry` on a free port of the loopback interface."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eugenie_cli.engines import ports
from support.debian_packages import unpack
from support.model_server import wait_until

SETTINGS = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: "{images}"}}}}
http: {{addr: "{address}"}}
"""


@contextmanager
def image_registry(folder: Path) -> Iterator[str]:
    """Start a registry and yield its `host:port`. Raises debian_packages.Unavailable."""
    program = shutil.which("docker-registry")
    if program is None:
        unpack(folder / "registry", "docker-registry")
        program = str(folder / "registry" / "usr" / "bin" / "docker-registry")
    port = ports.assign(folder / "ports.json", {"registry": 0}, in_use=())["registry"]
    address = f"{ports.LOOPBACK}:{port}"
    settings = folder / "registry.yaml"
    settings.write_text(SETTINGS.format(images=folder / "images", address=address))
    with (folder / "registry.log").open("wb") as log:
        registry = subprocess.Popen([program, "serve", settings], stdout=log, stderr=log)
    try:
        wait_until(lambda: ports.answers(address) or registry.poll() is not None)
        assert registry.poll() is None, (folder / "registry.log").read_text()
        yield address
    finally:
        registry.terminate()
        registry.wait(30)
