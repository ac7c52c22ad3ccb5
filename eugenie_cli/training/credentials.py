"""Credentials for the tracking server, in this process's environment variables, where MLflow's clients look for them.

MLflow and its artifact clients read them for every request, so no secret appears in an address or an argument.
"""

from __future__ import annotations

import os

from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.secrets import reveal

USERNAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
CA = "MLFLOW_TRACKING_SERVER_CERT_PATH"

_given: dict[str, str] = {}
"""Variables that this module set: they must not be sent to another site's server."""


def show(site: HasTracking) -> None:
    """Sets the site's credentials for MLflow; without any in the site file, the user's own variables stay unchanged.

    Raises EugenieError when a secret's variable or file is missing.
    """
    for name, value in _given.items():
        if os.environ.get(name) == value:
            del os.environ[name]
    _given.clear()
    if not site.tracking.is_server:
        return
    if variables := _credentials(site):
        for name in (USERNAME, PASSWORD, TOKEN):  # the user's own, for other servers
            os.environ.pop(name, None)
    if site.tracking.ca is not None:
        variables[CA] = str(site.resolve(site.tracking.ca))
    os.environ.update(variables)
    _given.update(variables)


def _credentials(site: HasTracking) -> dict[str, str]:
    tracking = site.tracking
    if tracking.token is not None:
        return {TOKEN: reveal(tracking.token)}
    if tracking.username is not None and tracking.password is not None:
        return {USERNAME: tracking.username, PASSWORD: reveal(tracking.password)}
    return {}
