"""One class of a site, opened: its assets, their history, and the versions that were trained of it."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.history.site_history import open_history
from eugenie_cli.history.store import History
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Fleet, Site
from eugenie_cli.training.registry import Registry
from eugenie_cli.workspace import Workspace


@dataclass(frozen=True)
class OpenClass:
    """What publishing and judging a class's versions work on."""

    fleet: Fleet
    history: History
    registry: Registry
    """Connects to its store when it is first asked."""
    workspace: Workspace

    @property
    def name(self) -> str:
        """The class's."""
        return self.fleet.name


def open_class(site: Site, class_name: str) -> OpenClass:
    """The class of that name. Raises EugenieError (USAGE) for one that the site does not have."""
    return OpenClass(site.fleet(class_name), open_history(site), Registry(site), workspace_of(site))
