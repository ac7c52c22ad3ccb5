"""The stream job for Kubernetes: a FlinkDeployment for Flink's operator, and the image that it runs.

The files contain no secrets. Kafka's password is in a Kubernetes secret that is mounted as a file. The Kafka client
reads the file itself (its DirectoryConfigProvider), so the password is in no specification, argument or variable.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml

from eugenie_cli.deploy import output
from eugenie_cli.deploy.flink_deployment import manifests
from eugenie_cli.deploy.flink_image import image_files
from eugenie_cli.deploy.flink_specification import AUTHORITY, PASSWORD, specification, tls_files
from eugenie_cli.deploy.names import site_label
from eugenie_cli.engines import jars
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving.tls import credentials_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.parallelism import check_partitions, check_shards


@dataclass(frozen=True)
class Rendered:
    """The files written, and what to do with them."""

    folder: str
    files: tuple[str, ...]
    steps: tuple[str, ...]


def render(
    site: Site,
    folder: Path,
    *,
    image: str | None = None,
    state: str | None = None,
    secret: str | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> Rendered:
    """Writes `deployment.yaml`, `Dockerfile` and the files of the image, replacing those of an earlier rendering.

    `state`: URI of the folder for checkpoints and savepoints; None for a volume claim, which is also rendered.
    `secret`: name of the Kubernetes secret with Kafka's password. `force`: overwrite other files as well.

    Raises EugenieError (REFUSED) for a site whose Kafka or model server runs only on this machine, for a topic with too
    few partitions for the parallelism, and for a file that this command did not write.
    """
    name = site_label(site.site)
    image = image or f"eugenie-stream:{metadata.version('eugenie')}"
    secret = secret or f"{name}-kafka"
    spec = specification(site)
    check_shards(spec)
    check_partitions(spec, of_site_file=True)
    documents = manifests(site, spec, name, image, state, secret)
    contents = image_files(jars.folder_of(site), spec, progress)
    contents["deployment.yaml"] = yaml.safe_dump_all(documents, sort_keys=False, width=120).encode()
    written = output.write_files(folder, "stream", contents, force)
    files = tuple(file.path for file in written if file.state != "removed")
    return Rendered(str(folder), files, tuple(_steps(site, folder, image, secret)))


def _steps(site: Site, folder: Path, image: str, secret: str) -> list[str]:
    steps = [f"docker build --tag {image} {folder}, and push the image to the cluster's registry"]
    security = site.kafka.security
    keys = [f"--from-file={PASSWORD}=FILE"] * (security.mechanism is not None)
    keys += [f"--from-file={AUTHORITY}=FILE"] * (security.ca is not None)
    if keys:
        steps.append(f"kubectl create secret generic {secret} {' '.join(keys)}")
    if tls := tls_files(credentials_of(site)):
        keys = [f"--from-file={file}=FILE" for file in tls.values()]
        steps.append(f"kubectl create secret generic {site_label(site.site)}-model-server {' '.join(keys)}")
    steps.append(f"kubectl apply --filename {folder / 'deployment.yaml'}")
    return steps
