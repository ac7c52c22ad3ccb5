"""Finds or pulls the image of the model server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Progress

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

_MIB = 2**20


def present(client: DockerClient, name: str) -> Image | None:
    """The image if the engine has it, otherwise None."""
    from docker.errors import ImageNotFound

    try:
        return client.images.get(name)
    except ImageNotFound:
        return None


def provide(client: DockerClient, name: str, progress: Progress, *, offline: bool) -> Image:
    """The image, pulled if the engine does not have it. Raises EugenieError, with a hint, when it is unavailable."""
    image = present(client, name)
    if image is not None:
        return image
    if offline:
        raise absent(name)
    _pull(client, name, progress)
    image = present(client, name)
    if image is None:
        raise EugenieError(f"image {name} was pulled, but the engine does not have it", "docker image ls")
    return image


def absent(name: str) -> EugenieError:
    """The error when the engine does not have the image and may not pull it."""
    # docker save keeps tags but not digests
    tagged = name.partition("@")[0]
    digest = " (a loaded image has only its tag: set serving.image to it)" if "@" in name else ""
    return EugenieError(
        f"image {name} is not present locally, and --offline forbids pulling it",
        f"on a machine that has it: docker save {tagged} -o serving.tar; here: docker load -i serving.tar{digest}",
        ExitCode.UNREACHABLE,
    )


def _pull(client: DockerClient, name: str, progress: Progress) -> None:
    from docker.errors import APIError, NotFound

    try:
        with progress.task(f"pulling {name}", unit="MiB") as advance:
            downloaded: dict[str, int] = {}
            # for a name without a tag, pull `latest` instead of all tags
            repository, tag = _parts(name)
            for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    raise _not_pulled(name, event["error"])
                advance(_step(downloaded, event))
    except NotFound as error:
        raise _not_pulled(name, error.explanation or str(error)) from error
    except APIError as error:
        raise _not_pulled(name, error.explanation or str(error)) from error


def _parts(name: str) -> tuple[str, str]:
    """Repository, and tag or digest. In `name:tag@digest` the digest wins; a registry's port is not a tag."""
    tagged, _, digest = name.partition("@")
    repository, colon, tag = tagged.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = tagged, "latest"
    return repository, digest or tag


def _step(downloaded: dict[str, int], event: dict[str, Any]) -> float:
    """MiB downloaded since the previous event of this layer."""
    if event.get("status") != "Downloading" or "current" not in event.get("progressDetail", {}):
        return 0.0
    layer, current = event["id"], event["progressDetail"]["current"]
    before, downloaded[layer] = downloaded.get(layer, 0), current
    return max(0, current - before) / _MIB


def _not_pulled(name: str, reason: str) -> EugenieError:
    return EugenieError(
        f"image {name} cannot be pulled: {reason}",
        "correct serving.image, log in (docker login), or load the image (docker load) and start with --offline",
        ExitCode.UNREACHABLE,
    )
