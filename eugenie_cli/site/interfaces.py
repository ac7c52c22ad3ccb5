"""What functions ask of a site that need not all of it: a `Site` has every one of these, and so has a stand-in.

Who is given one of these cannot look at the rest, which the type checker holds them to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from eugenie_cli.site.schema import EquipmentClass, Kafka, Topics
from eugenie_cli.site.serving import Serving
from eugenie_cli.site.tracking import Tracking


class HasWorkspace(Protocol):
    """Where a site's files lie; `site.load.workspace_of` takes it."""

    @property
    def site(self) -> str:
        """The site's name."""

    @property
    def workspace(self) -> str | None: ...

    def resolve(self, path: str) -> Path: ...


class HasServing(HasWorkspace, Protocol):
    """The model server of a site: how it is run and reached, and what it serves."""

    @property
    def serving(self) -> Serving: ...

    @property
    def classes(self) -> dict[str, EquipmentClass]:
        """Each is a model of the server."""


class HasKafka(HasWorkspace, Protocol):
    """How a site's brokers are reached, and what its topics are called."""

    @property
    def kafka(self) -> Kafka: ...

    @property
    def topics(self) -> Topics: ...


class HasTracking(HasWorkspace, Protocol):
    """The tracking store of a site's trainings, and the file to correct when it does not let us in."""

    @property
    def classes(self) -> dict[str, EquipmentClass]:
        """Each is a registered model."""

    def class_named(self, name: str) -> EquipmentClass: ...

    @property
    def tracking(self) -> Tracking: ...

    @property
    def experiment(self) -> str: ...

    @property
    def file(self) -> Path: ...
