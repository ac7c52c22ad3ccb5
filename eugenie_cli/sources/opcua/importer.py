"""The importer of `opcua` sources."""

from __future__ import annotations

from eugenie_cli.sources.opcua.history_reader import HistoryReader
from eugenie_cli.sources.windows.importer import importer_of

opcua_importer = importer_of(HistoryReader)
