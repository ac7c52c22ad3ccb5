"""Uploads what a submission needs: PyFlink's jar and the job's own files."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from eugenie_cli.engines import pyflink_program
from eugenie_cli.engines.flink_rest import FlinkRest
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.streaming import package
from eugenie_cli.workspace import Workspace

DRIVER = "org.apache.flink.client.python.PythonDriver"


@contextmanager
def packaged(workspace: Workspace, rest: FlinkRest, spec: JobSpec) -> Iterator[dict[str, object]]:
    """Write the job's files and upload its jar. Yields the request for `launch`."""
    folder = workspace.flink.absolute() / "job"
    if folder.exists():  # an interrupted submission that has not started cannot start without its files
        shutil.rmtree(folder)
    files = package.write(spec, folder / uuid.uuid4().hex[:8])
    try:
        jar = rest.upload_jar(pyflink_program.patched())
        arguments = ["-py", str(files.entry), "-pyfs", str(files.code)]
        arguments += ["-pyexec", sys.executable, "-pyclientexec", sys.executable, str(files.spec)]
        yield {
            "jar": jar,
            "entryClass": DRIVER,
            "programArgsList": arguments,
            "parallelism": spec.parallelism,
        }
    finally:
        files.spec.unlink(missing_ok=True)  # it may hold a password, and the job has read it by now
