"""A column of identities -> their places in the site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Identity = tuple["str | None", "str | None", "str | None"]
"""(asset, sensor, tag) as the message names them."""

PlaceOf = Callable[["str | None", "str | None", "str | None"], "int | None"]
"""Identity -> the place of that sensor among all sensors of the site; None if the site has no such sensor."""

UNREAD = int(np.iinfo(np.int64).min)
"""Instead of a place: an identity that this module cannot read, so the reference decides."""


MAX_UNKNOWN = 100_000
"""Unknown identities remembered between batches, about 40 MB: looking them up again costs as much as decoding. Beyond
it all are forgotten, so a source that sends a new name with each reading only costs time."""
LONGEST_KEPT = 1_000
"""Characters of an unknown identity that is remembered."""


class Places:
    """Looks identities up, each spelling once as far as memory allows; numbers unknown identities."""

    def __init__(self, place_of: PlaceOf) -> None:
        self._place_of = place_of
        # bounded: the site's sensors and their spellings, and as many unknown identities
        self._places: dict[Any, int] = {}
        self._unknown: list[Identity] = []
        self._numbers: dict[Identity, int] = {}
        self._has_long = False

    def begin(self) -> None:
        """Begin a new batch."""
        if len(self._unknown) > MAX_UNKNOWN or self._has_long:
            self._places = {raw: place for raw, place in self._places.items() if place >= 0}
            self._unknown, self._numbers, self._has_long = [], {}, False

    def unknown(self) -> list[Identity]:
        """Identities that are not in the site, of this batch and earlier ones: the k-th has the place -1 - k.

        The list grows with later batches, and keeps its items.
        """
        return self._unknown

    def of(self, identity: Identity) -> int:
        """The place of one identity."""
        place = self._place_of(*identity)
        if place is not None:
            return place
        number = self._numbers.get(identity)
        if number is None:
            number = self._numbers[identity] = len(self._unknown)
            self._unknown.append(identity)
            self._has_long |= sum(len(part) for part in identity if part is not None) > LONGEST_KEPT
        return -1 - number

    def of_column(self, identities: Sequence[Any]) -> NDArray[np.int64]:
        """Identities [N], unchanged from the records -> places int64 [N]."""
        try:
            places = list(map(self._places.get, identities))
        except TypeError:  # an object or array in place of a name
            places = [None] * len(identities)
        if None in places:
            places = [
                self._look_up(raw) if place is None else place for raw, place in zip(identities, places, strict=True)
            ]
        return np.array(places, np.int64)

    def _look_up(self, raw: Any) -> int:
        if any(part is not None and type(part) is not str for part in raw):
            return UNREAD
        asset, sensor, tag = (None if part is None else part.strip(" \t") or None for part in raw)
        if (sensor is None and tag is None) or (tag is None and asset is None):
            return UNREAD
        place = self._places[raw] = self.of((asset, sensor, tag))
        return place
