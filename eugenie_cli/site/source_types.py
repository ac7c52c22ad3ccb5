"""A source type: the settings that it takes in a site file, and the importer that reads such a source.

A package provides one through an entry point of the group `eugenie.sources` that names a `SourceType`. The module of
that object is imported whenever a site file that uses the type is opened, so it must be light: put the importer and
its libraries into a separate module, which is imported only when the source is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Name


class SourceSettings(Section):
    """Settings common to all sources. A type's own settings narrow `type` to `Literal["<its name>"]` and add keys.

    A key `readings` that is a `ReadingsMapping` is checked as a mapping of files or of messages, depending on
    `of_files`, and with parts of Kafka's records if `of_kafka`.
    """

    of_files: ClassVar[bool] = False
    of_kafka: ClassVar[bool] = False
    live_only: ClassVar[bool] = False
    """Whether there is nothing to import: `eugenie import` leaves the source out, unless it is named."""

    name: Name
    type: str

    def mapping_to_check(self) -> Any:
        """The mapping as records are read with it; anything but a `ReadingsMapping` is not checked."""
        return getattr(self, "readings", None)


@dataclass(frozen=True)
class SourceType:
    """A source type.

    `name`: its `type` in site files, and the name of its entry point; `settings`: the section of such a source;
    `importer`: "package.module:attribute" of a class or function that takes the source's settings and the site, and
    returns a `sources.interface.Importer`; `live`: the same for a `sources.live.LiveSource`, or None if the type has no
    live side; `extra`: the extra of eugenie with the libraries that both import, if they need one.
    """

    name: str
    settings: type[SourceSettings]
    importer: str
    live: str | None = None
    extra: str | None = None
