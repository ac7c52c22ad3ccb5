"""The image of the server: which one, and how it gets here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Progress

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

_MIB = 2**20


def present(client: DockerClient, name: str) -> Image | None:
    """The image, when the engine has it."""
    from docker.errors import ImageNotFound

    try:
        return client.images.get(name)
    except ImageNotFound:
        return None


def provide(client: DockerClient, name: str, progress: Progress, *, offline: bool) -> Image:
    """The image, pulled when it is not there. Raises EugenieError: it cannot be had, and what to do."""
    found = present(client, name)
    if found is not None:
        return found
    if offline:
        raise absent(name)
    _pull(client, name, progress)
    found = present(client, name)
    if found is None:
        raise EugenieError(f"image {name} was pulled, and is not there", "docker image ls")
    return found


def absent(name: str) -> EugenieError:
    """What to say when the engine has it not and must not pull it."""
    # a file of images keeps tags and forgets digests
    given = name.partition("@")[0]
    digest = " (loaded images are known by their tag: name that in serving.image)" if "@" in name else ""
    return EugenieError(
        f"image {name} is not there, and --offline pulls nothing",
        f"on a machine that has it: docker save {given} -o serving.tar; here: docker load -i serving.tar{digest}",
        ExitCode.UNREACHABLE,
    )


def _pull(client: DockerClient, name: str, progress: Progress) -> None:
    from docker.errors import APIError, NotFound

    try:
        with progress.task(f"pulling {name}", unit="MiB") as advance:
            counted: dict[str, int] = {}
            # a name without a tag is its `latest`, and not all of its tags
            repository, tag = _parts(name)
            for said in client.api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in said:
                    raise _not_pulled(name, said["error"])
                advance(_step(counted, said))
    except NotFound as error:
        raise _not_pulled(name, error.explanation or str(error)) from error
    except APIError as error:
        raise _not_pulled(name, error.explanation or str(error)) from error


def _parts(name: str) -> tuple[str, str]:
    """Repository, and tag or digest. Of `name:tag@digest` the digest counts; a port of a registry is no tag."""
    given, _, digest = name.partition("@")
    repository, colon, tag = given.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = given, "latest"
    return repository, digest or tag


def _step(counted: dict[str, int], said: dict[str, Any]) -> float:
    """MiB that came since the last report of this layer."""
    if said.get("status") != "Downloading" or "current" not in said.get("progressDetail", {}):
        return 0.0
    layer, current = said["id"], said["progressDetail"]["current"]
    before, counted[layer] = counted.get(layer, 0), current
    return max(0, current - before) / _MIB


def _not_pulled(name: str, reason: str) -> EugenieError:
    return EugenieError(
        f"image {name} cannot be pulled: {reason}",
        "correct serving.image, log in (docker login), or load it (docker load) and start with --offline",
        ExitCode.UNREACHABLE,
    )
