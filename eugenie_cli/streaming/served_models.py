"""What the model server serves to the stream: a version of each class, and whether it knows all assets."""

from __future__ import annotations

from dataclasses import dataclass, field

from eugenie_cli.engines import endpoints
from eugenie_cli.errors import EugenieError
from eugenie_cli.serving import tls
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.problems import Problem
from eugenie_cli.tfserving.errors import ModelServerError

SERVER_S = 2.0
"""How long the model server may take to answer; a reachable one answers within milliseconds."""

SERVER = "start the model server, or correct serving.address in the site file"

NO_SERVER = "unreachable: readings wait in Kafka, nothing is lost"


@dataclass(frozen=True)
class ModelServer:
    """The state of the model server now. `models`: class -> the version served; None if none is."""

    address: str | None
    reachable: bool
    detail: str
    models: dict[str, int | None] = field(default_factory=dict)


def query_models(site: Site) -> ModelServer:
    """Ask the model server for the versions of all classes with assets."""
    try:
        address = endpoints.model_server(site)
    except EugenieError as error:
        return ModelServer(None, False, f"{NO_SERVER}; {error.reason}, next: {error.hint}")
    models: dict[str, int | None] = {}
    credentials = tls.credentials_of(site)
    with tls.client_of(credentials, address) as client:
        for name in (name for name in site.classes if site.assets_of(name)):
            try:
                versions = [
                    entry.version for entry in client.status(name, timeout=SERVER_S) if entry.state == "AVAILABLE"
                ]
            except ModelServerError as error:
                if error.retryable:
                    why = tls.describe_error(credentials, error) if error.tls else error.code.name
                    return ModelServer(address, False, f"{NO_SERVER} ({why})")
                versions = []
            models[name] = max(versions, default=None)
    missing = [name for name, version in models.items() if version is None]
    return ModelServer(address, True, f"no version of {', '.join(missing)}" if missing else "reachable", models)


def server_problem(site: Site, server: ModelServer) -> Problem | None:
    """A problem with the model server or its models, if any."""
    lacking = [name for name, version in server.models.items() if version is None]
    if not server.reachable:
        own = site.serving.address is None
        state = f"at {server.address} is {server.detail}" if server.address else f"of {site.site} is not running"
        return Problem(f"the model server {state}", endpoints.SERVE if own else SERVER)
    if lacking:
        what = f"the model server has no version of {', '.join(lacking)}"
        return Problem(what, f"eugenie export --class {lacking[0]}, then eugenie serve status")
    return None


def unknown_assets(site: Site, server: ModelServer) -> list[str]:
    """A message for each class whose served version does not know every asset."""
    from eugenie_cli.serving import model_info

    messages = []
    for name, version in server.models.items():
        folder = workspace_of(site).models / name / str(version)
        if not (folder / model_info.LOCATION).exists():
            continue
        try:
            message = model_info.unknown_assets_message(model_info.read(folder), site.assets_of(name))
        except EugenieError as error:  # damaged since it was loaded; the rest of the status is still valid
            message = error.reason
        messages += [f"{name}: {message}"] if message else []
    return messages
