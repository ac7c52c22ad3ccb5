"""`eugenie serve start --dry-run`: shows the container without using an engine or writing any file."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.engines import container_record
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving.container import preflight, rendering
from eugenie_cli.serving.container.spec import BLUE, CONFIG, specify
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of


@dataclass(frozen=True)
class DryRun:
    """`command`: the arguments of the `docker run`; `shell`: the same, quoted, one option per line; `files`: the folder
    that `eugenie serve start` writes first, for the container's /config."""

    command: tuple[str, ...]
    shell: str
    files: str


def dry_run(site: HasServing) -> DryRun:
    """The `docker run` command equivalent to `eugenie serve start`. Raises EugenieError: the site uses no container."""
    if site.serving.address is not None or site.serving.runtime != "docker":
        raise EugenieError(
            "--dry-run shows a container, but the site's model server does not run in one",
            "set serving.runtime to docker",
            ExitCode.USAGE,
        )
    preflight.check_supported(site)
    record = container_record.read(workspace_of(site))
    spec = specify(site, record.colour if record is not None else BLUE)
    files = next(mount.source for mount in spec.mounts if mount.target == CONFIG)
    return DryRun(tuple(rendering.command_line(spec)), rendering.shell_line(spec), files)
