"""The importer of `mqtt` sources: there is nothing to import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.progress import Advance
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import SourceItem, Tally
from eugenie_cli.sources.mqtt.settings import MqttSettings


class MqttImporter:
    """Says so."""

    def __init__(self, source: MqttSettings, site: Site) -> None:
        self._source, self._topic = source, str(site.topics.readings)

    def items(self) -> Sequence[SourceItem]:
        self._refuse()

    def missing(self, key: str) -> str:  # noqa: ARG002 - the same for all
        return "MQTT has no history"

    def settings(self) -> Mapping[str, Any]:
        return {}

    def digest(self, item: SourceItem) -> str:
        return item.key

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:  # noqa: ARG002
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise EugenieError(
            f"source {self._source.name}: MQTT has no history that could be imported",
            f"`eugenie bridge {self._source.name}` sends its readings to the topic {self._topic}, from which a"
            " source of type kafka imports them",
        )
