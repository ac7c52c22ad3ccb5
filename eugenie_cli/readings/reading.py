"""A reading, and a record that could not become one."""

from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    """One measurement. `sensor`: the class's name for it; `tag`: the plant's address. At least one of them is set."""

    asset: str | None
    sensor: str | None
    tag: str | None
    ts: int
    """Milliseconds since 1970-01-01T00:00:00Z, rounded down."""
    value: float
    """In engineering units; NaN if the quality is bad."""
    good: bool


class Rejected(NamedTuple):
    """Why a record, or one of its values, is not a reading. `reason`: one of `reject_reasons.REASONS`."""

    reason: str
    detail: str

    def within(self, where: str) -> Rejected:
        """The same, with the place in its message."""
        return Rejected(self.reason, f"{where}: {self.detail}")


class RejectedMeasurement(Rejected):
    """A rejection after it was known what was measured. Equal to the `Rejected` with the same words."""

    identity: tuple[str | None, str | None, str | None]
    """(asset, sensor, tag), as in a `Reading`."""

    @staticmethod
    def of(rejected: Rejected, asset: str | None, sensor: str | None, tag: str | None) -> RejectedMeasurement:
        measurement = RejectedMeasurement(*rejected)
        measurement.identity = asset, sensor, tag
        return measurement

    def within(self, where: str) -> RejectedMeasurement:
        return RejectedMeasurement.of(super().within(where), *self.identity)
