"""A class of a site, opened: its assets, their history, and its trained versions."""

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
    """The input of training, publishing and judging a class's versions."""

    fleet: Fleet
    history: History
    registry: Registry
    """Connects to its store on first use."""
    workspace: Workspace

    @property
    def name(self) -> str:
        """The class's name."""
        return self.fleet.name


def open_class(site: Site, class_name: str) -> OpenClass:
    """Opens the class with this name. Raises EugenieError (USAGE) for a class that the site does not have."""
    return OpenClass(site.fleet(class_name), open_history(site), Registry(site), workspace_of(site))
