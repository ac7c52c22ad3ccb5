"""Protocols for functions that need only part of a site. `Site` implements all of them, and so can a test's stand-in.

The type checker rejects access to anything else of the site.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.site.serving import Serving
from eugenie_cli.site.tracking import Tracking


class HasWorkspace(Protocol):
    """Where a site's files are; the argument of `site.load.workspace_of`."""

    @property
    def site(self) -> str:
        """The site's name."""

    @property
    def workspace(self) -> str | None: ...

    def resolve(self, path: str) -> Path: ...


class HasServing(HasWorkspace, Protocol):
    """The model server of a site: how it runs, how it is reached, and what it serves."""

    @property
    def serving(self) -> Serving: ...

    @property
    def classes(self) -> dict[str, EquipmentClass]:
        """Each class is a model of the server."""


class HasTracking(HasWorkspace, Protocol):
    """The tracking store of a site's training runs, and the file to correct when the store refuses access."""

    @property
    def classes(self) -> dict[str, EquipmentClass]:
        """Each class is a registered model."""

    def class_named(self, name: str) -> EquipmentClass: ...

    @property
    def tracking(self) -> Tracking: ...

    @property
    def experiment(self) -> str: ...

    @property
    def file(self) -> Path: ...
