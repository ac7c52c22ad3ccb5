"""What the tracking server asks of its callers, where MLflow's clients look for it: in variables of this process.

MLflow reads them for every request, its artifacts' clients included, so nothing stands in an address or an argument.
"""

from __future__ import annotations

import os

from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.secrets import reveal

USERNAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
CA = "MLFLOW_TRACKING_SERVER_CERT_PATH"

_given: dict[str, str] = {}
"""Variables that this module set: another site's server must not be shown them."""


def show(site: HasTracking) -> None:
    """Sets the site's credentials for MLflow; a site file without them leaves the user's own variables as they are.

    Raises EugenieError when a secret's variable or file is missing.
    """
    for name, value in _given.items():
        if os.environ.get(name) == value:
            del os.environ[name]
    _given.clear()
    if not site.tracking.is_server:
        return
    if wanted := _credentials(site):
        for name in (USERNAME, PASSWORD, TOKEN):  # what the user has for other servers
            os.environ.pop(name, None)
    if site.tracking.ca is not None:
        wanted[CA] = str(site.resolve(site.tracking.ca))
    os.environ.update(wanted)
    _given.update(wanted)


def _credentials(site: HasTracking) -> dict[str, str]:
    tracking = site.tracking
    if tracking.token is not None:
        return {TOKEN: reveal(tracking.token)}
    if tracking.username is not None and tracking.password is not None:
        return {USERNAME: tracking.username, PASSWORD: reveal(tracking.password)}
    return {}
