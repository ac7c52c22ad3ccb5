"""Starts OPC UA servers of node-opcua, which shares no code with asyncua. It is installed where a variable says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.debian_packages import Unavailable, last_line
from support.opcua import Running, free_port

PACKAGE = "node-opcua-server@2.186.4"
VARIABLE = "EUGENIE_NODE_OPCUA"
INSTALLED_WITHIN_S = 300
SCRIPT = Path(__file__).with_name("node_opcua_server.js")


def node_modules() -> Path:
    """The folder that the variable names, with node-opcua in it. Raises Unavailable."""
    named = os.environ.get(VARIABLE)
    if not named:
        raise Unavailable(f"installs 72 MB: with {VARIABLE}=FOLDER, in which they are kept")
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Unavailable(f"node-opcua not available: no {program} on this machine")
    folder = Path(named).resolve()
    if not (folder / "node_modules" / "node-opcua-server").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix", str(folder)]
        done = subprocess.run(
            ["npm", "install", *options, PACKAGE],
            capture_output=True,
            text=True,
            timeout=INSTALLED_WITHIN_S,
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"{PACKAGE} cannot be installed: {last_line(done.stderr)}")
    return folder


@contextlib.contextmanager
def node_opcua_server(modules: Path, folder: Path, nodes: dict[str, Any], **spec: Any) -> Iterator[Running]:
    """A server with `nodes`, as `node_opcua_server.js` describes them. `folder`: for its certificates."""
    port = free_port()
    file = folder / "spec.json"
    file.write_text(json.dumps({"port": port, "folder": str(folder), "nodes": nodes, **spec}))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            ["node", str(SCRIPT), str(file)], cwd=modules, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        said = []
        while (line := process.stdout.readline()) and line.strip() != "ready":
            said.append(line)
        assert line.strip() == "ready", "".join(said) + (folder / "log").read_text()[-2_000:]
        yield Running(process, f"opc.tcp://127.0.0.1:{port}/plant")
    finally:
        process.kill()
        process.wait()
