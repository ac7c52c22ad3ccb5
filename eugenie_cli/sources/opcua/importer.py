"""The importer and the live side of `opcua` sources. They need the extra `opcua`."""

from __future__ import annotations

import threading

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.live import LiveSource, Sink
from eugenie_cli.sources.opcua.settings import OpcuaSettings
from eugenie_cli.sources.windows.importer import WindowImporter


class OpcuaImporter(WindowImporter):
    """Raises EugenieError if the extra is not installed, or a tag is no node id."""

    def __init__(self, source: OpcuaSettings, site: Site) -> None:
        require_extra(source.name)
        from eugenie_cli.sources.opcua.history_reader import HistoryReader

        super().__init__(HistoryReader(source, site), source, site)


class OpcuaLive(LiveSource):
    """Raises EugenieError as `OpcuaImporter` does."""

    def __init__(self, source: OpcuaSettings, site: Site) -> None:
        require_extra(source.name)
        from eugenie_cli.sources.opcua.subscriber import Subscriber

        self._subscriber = Subscriber(source, site)

    def run(self, sink: Sink, stop: threading.Event) -> None:
        self._subscriber.run(sink, stop)


def require_extra(source: str) -> None:
    """Raises EugenieError unless asyncua is installed."""
    try:
        import asyncua  # noqa: F401
    except ImportError as error:
        raise EugenieError(
            f"source {source} needs the extra `opcua`: {error}", "pip install 'eugenie[opcua]'"
        ) from error
