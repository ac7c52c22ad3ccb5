"""The image of a stream job for Kubernetes: its Dockerfile, and the files that it copies."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path

from eugenie_cli.deploy.output import explained
from eugenie_cli.engines import jars, pyflink_program
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.progress import Progress
from eugenie_cli.streaming import package
from eugenie_cli.workspace import cache_dir, shipped

REQUIREMENTS = ("apache-flink", "apache-beam", "numpy", "grpcio", "protobuf", "orjson")
"""The packages that the job imports; others are their dependencies."""


def flink_version() -> str:
    """The version of the installed `apache-flink`, which the cluster must match."""
    return metadata.version("apache-flink")


def image_files(jar_folder: Path | None, spec: JobSpec, progress: Progress) -> dict[str, bytes]:
    """The files, by their path in the folder to build. Raises EugenieError, naming the folder, where files are lacking
    or temporary ones cannot be written.
    """
    template = (shipped("templates") / "kubernetes" / "Dockerfile").read_text(encoding="utf-8")
    pins = [f"{package_name}=={metadata.version(package_name)}" for package_name in REQUIREMENTS]
    files = {
        "Dockerfile": template.replace("@FLINK@", flink_version()).encode(),
        "requirements.txt": ("\n".join(pins) + "\n").encode(),
    }
    with _jars_explained(jar_folder):
        connectors = jars.provide(["flink"], jar_folder, progress)["flink"]
        files |= {f"lib/{jar.name}": jar.read_bytes() for jar in connectors}
    with _jars_explained(None):
        files[f"opt/{pyflink_program.shipped().name}"] = pyflink_program.patched().read_bytes()
    return files | _job_files(spec)


def _jars_explained(folder: Path | None) -> AbstractContextManager[None]:
    """`folder`: the plant's own folder of jars; None for the cache."""
    if folder is not None:
        return explained(f"cannot read the jars in {folder}", "let the user that runs eugenie read them")
    return explained(f"cannot write to {cache_dir()}", "set EUGENIE_CACHE to another folder")


def _job_files(spec: JobSpec) -> dict[str, bytes]:
    """The job's code, without its specification, which is in the ConfigMap."""
    instead = "set TMPDIR to another folder"
    with explained("cannot find a folder for temporary files", instead):
        temporary = tempfile.gettempdir()
    with explained(f"cannot write to {temporary}", instead), tempfile.TemporaryDirectory(dir=temporary) as staging:
        job = package.write(spec, Path(staging) / "job")
        return {f"job/{file.name}": file.read_bytes() for file in (job.entry, job.code)}
