"""The image of a stream job for Kubernetes: its Dockerfile, and the files that it copies."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

from eugenie_cli.engines import jars, pyflink_program
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.progress import Progress
from eugenie_cli.streaming import package
from eugenie_cli.workspace import shipped

REQUIREMENTS = ("apache-flink", "numpy", "grpcio", "protobuf", "orjson")
"""The packages that the job imports; others are their dependencies."""


def flink_version() -> str:
    """The version of the installed `apache-flink`, which the cluster must match."""
    return metadata.version("apache-flink")


def image_files(jar_folder: Path | None, spec: JobSpec, folder: Path, progress: Progress) -> list[Path]:
    """Writes the files into a folder, and returns their paths."""
    job = package.write(spec, folder / "job")
    job.spec.unlink()  # it is in the ConfigMap
    dockerfile, requirements, lib = (folder / name for name in ("Dockerfile", "requirements.txt", "lib"))
    template = (shipped("templates") / "kubernetes" / "Dockerfile").read_text(encoding="utf-8")
    dockerfile.write_text(template.replace("@FLINK@", flink_version()), encoding="utf-8")
    pins = [f"{package_name}=={metadata.version(package_name)}" for package_name in REQUIREMENTS]
    requirements.write_text("\n".join(pins) + "\n", encoding="utf-8")
    lib.mkdir(parents=True, exist_ok=True)
    connectors = jars.provide(["flink"], jar_folder, progress)["flink"]
    copies = [Path(shutil.copyfile(jar, lib / jar.name)) for jar in connectors]
    opt = folder / "opt"
    opt.mkdir(exist_ok=True)
    copies.append(Path(shutil.copyfile(pyflink_program.on_loopback(), opt / pyflink_program.shipped().name)))
    return [dockerfile, requirements, *copies, job.entry, job.code]
