"""What a type of source is: the settings that a site file gives it, and the importer that reads it.

A package brings one by an entry point of the group `eugenie.sources`, which names a `SourceType`. The module of that
object is imported by whatever opens a site file that uses the type, so it must be light: the importer and its
libraries belong in a module of their own, which is imported when the source is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Name


class SourceSettings(Section):
    """What every source has. A type's settings narrow `type` to `Literal["<its name>"]` and add their own keys.

    A key `readings` that is a `ReadingsMapping` is checked as the mapping of files or of messages, by `of_files`.
    """

    of_files: ClassVar[bool] = False

    name: Name
    type: str


@dataclass(frozen=True)
class SourceType:
    """A type of source.

    `name`: the `type` in site files, and the name of the entry point; `settings`: the section of such a source;
    `importer`: "package.module:attribute" of a class or function that is called with the source's settings and the
    site, and gives a `sources.interface.Importer`.
    """

    name: str
    settings: type[SourceSettings]
    importer: str
