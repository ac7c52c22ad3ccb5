"""The section `tracking` of the site file: the MLflow server and the credentials that it requires."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, SecretStr

from eugenie_cli.site.base import Section
from eugenie_cli.site.diagnostics import Path

LOCAL = "local"
_WEB = ("http://", "https://")
_TLS = "https://"


class Tracking(Section):
    """MLflow. `local`: an SQLite store in the workspace."""

    uri: str = Field(LOCAL, description="local, or a server's http://host:port or https://..., with its path")
    experiment: str | None = Field(None, description="default: the site's name")
    username: str | None = Field(None, description="for a server with basic authentication")
    password: SecretStr | None = None
    token: SecretStr | None = Field(None, description="for a server with bearer tokens, instead of a user")
    ca: str | None = Field(None, description="PEM file of the certificate authority; default: the system's")

    @property
    def is_server(self) -> bool:
        """True if the store is reached over HTTP."""
        return self.uri.startswith(_WEB)


def check_tracking(tracking: Tracking) -> Iterator[tuple[Path, str]]:
    """Problems of the credentials: (path, message)."""
    given = [key for key in ("username", "password", "token", "ca") if getattr(tracking, key) is not None]
    for key in given:
        if not tracking.is_server:
            yield ("tracking", key), f"is for a server, but tracking.uri is {LOCAL} or not an http:// or https:// URL"
    if not tracking.is_server:
        return
    for key, other in (("username", "password"), ("password", "username")):
        if key in given and other not in given:
            yield ("tracking", other), f"is required together with {key}"
    if "token" in given and ("username" in given or "password" in given):
        yield ("tracking", "token"), "give a token or a user, not both: a request has only one Authorization header"
    if "ca" in given and not tracking.uri.startswith(_TLS):
        yield ("tracking", "ca"), "is for https://"
