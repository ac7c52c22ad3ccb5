"""Opens the history of a site."""

from __future__ import annotations

from eugenie_cli.history.store import History
from eugenie_cli.site.interfaces import HasWorkspace
from eugenie_cli.site.load import workspace_of


def open_history(site: HasWorkspace) -> History:
    """The history in the site's workspace; empty before the first import."""
    return History(workspace_of(site).history)
