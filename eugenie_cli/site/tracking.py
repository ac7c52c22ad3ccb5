"""The section `tracking` of the site file: the MLflow server, and what it asks of its callers."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, SecretStr

from eugenie_cli.site.base import Section
from eugenie_cli.site.diagnostics import Path

LOCAL = "local"
_WEB = ("http://", "https://")
_TLS = "https://"


class Tracking(Section):
    """MLflow. `local`: an sqlite store in the workspace."""

    uri: str = Field(LOCAL, description="local, or a server's http://host:port or https://..., with its path")
    experiment: str | None = Field(None, description="default: the site's name")
    username: str | None = Field(None, description="of a server with basic authentication")
    password: SecretStr | None = None
    token: SecretStr | None = Field(None, description="of a server that asks for one (Bearer), instead of a user")
    ca: str | None = Field(None, description="PEM file of the certificate authority; default: the usual ones")

    @property
    def is_server(self) -> bool:
        """True for what is spoken to over HTTP."""
        return self.uri.startswith(_WEB)


def check_tracking(tracking: Tracking) -> Iterator[tuple[Path, str]]:
    """(path, what is wrong) of what a caller shows to the server."""
    given = [key for key in ("username", "password", "token", "ca") if getattr(tracking, key) is not None]
    for key in given:
        if not tracking.is_server:
            yield ("tracking", key), f"is for a server: tracking.uri is {LOCAL}, or no http:// or https:// address"
    if not tracking.is_server:
        return
    for one, other in (("username", "password"), ("password", "username")):
        if one in given and other not in given:
            yield ("tracking", other), f"is required beside {one}"
    if "token" in given and ("username" in given or "password" in given):
        yield ("tracking", "token"), "a token or a user, not both: a request has one Authorization"
    if "ca" in given and not tracking.uri.startswith(_TLS):
        yield ("tracking", "ca"), "is for https://"
