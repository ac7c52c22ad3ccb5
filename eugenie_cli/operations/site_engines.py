"""The engines that a site needs: those that eugenie runs itself, in parts, and external ones."""

from __future__ import annotations

from collections.abc import Collection

from eugenie_cli.engines import endpoints, flink, kafka, mlflow
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.schema import Site

SERVING = "serving"
"""The model server; it is not one of the PARTS, because `eugenie serve` starts it."""

PARTS = ("kafka", "flink", "mlflow")
"""The parts to which `up` can be limited. `flink` is three processes."""

ENGINES_OF_PART = {
    "kafka": (kafka.NAME,),
    "flink": (flink.JOBMANAGER, flink.TASKMANAGER, flink.METRICS),
    "mlflow": (mlflow.NAME,),
}
"""Part -> the names of its engines."""


def external(site: Site, only: Collection[str] = ()) -> dict[str, str]:
    """The external engines (of `only`, if given) -> their addresses from the site file."""
    addresses = {}
    if site.kafka.bootstrap != endpoints.EMBEDDED:
        addresses["kafka"] = site.kafka.bootstrap
    if site.stream.flink != endpoints.EMBEDDED:
        addresses["flink"] = site.stream.flink.rstrip("/")
    if site.tracking.uri != endpoints.LOCAL:
        addresses["mlflow"] = site.tracking.uri
    if site.serving.address is not None and not only:
        addresses[SERVING] = site.serving.address
    return {name: address for name, address in addresses.items() if not only or name in only}


def needed(external: Collection[str], only: Collection[str] = ()) -> list[str]:
    """The parts (of `only`, if given) that eugenie runs itself: all but the `external` ones."""
    return [part for part in PARTS if part not in external and (not only or part in only)]


def check_parts(only: Collection[str]) -> None:
    """Raises EugenieError (USAGE) for a name that is not in PARTS."""
    unknown = [part for part in only if part not in PARTS]
    if unknown:
        hint = f"choose from {', '.join(PARTS)}"
        raise EugenieError(f"unknown engine: {', '.join(unknown)}", hint, ExitCode.USAGE)
