"""Names of months and days in a matrix of characters -> their numbers, for all texts at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_BITS = 5  # of a letter: a to z without regard to case
_LETTERS = 26
_LONGEST = 12  # letters that fit 63 bits
_IN_A_TABLE = 4  # letters: a table of all combinations of more is too large


class NameCodes:
    """The names of one length. `names`: in lower case, ASCII -> number; others are `unknown`."""

    def __init__(self, names: Mapping[str, int], length: int, unknown: int) -> None:
        """Raises ValueError for names that are too long."""
        if length > _LONGEST:
            raise ValueError(f"names of more than {_LONGEST} letters")
        chosen = {name: number for name, number in names.items() if len(name) == length and name.isascii()}
        letters = np.array([list(name.encode()) for name in sorted(chosen)], np.uint8).reshape(-1, length).T
        codes = _codes(letters)
        order = np.argsort(codes)
        self._known = codes[order]
        self._numbers = np.array([chosen[name] for name in sorted(chosen)], np.int32)[order]
        self._unknown = np.int32(unknown)
        self._table: NDArray[np.int32] | None = None
        if length <= _IN_A_TABLE:
            self._table = np.full(1 << (_BITS * length), unknown, np.int32)
            self._table[self._known] = self._numbers

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Characters uint8 [length, N] -> (number of each name, mask of those that consist of letters) [N]."""
        lower = (characters | np.uint8(0x20)) - np.uint8(ord("a"))  # others wrap around to above 25
        are_letters = lower.max(axis=0) < _LETTERS
        codes = _codes(characters)
        if self._table is not None:
            return self._table[codes], are_letters
        if not len(self._known):
            return np.full(len(codes), self._unknown), are_letters
        places = np.minimum(np.searchsorted(self._known, codes), len(self._known) - 1)
        return np.where(self._known[places] == codes, self._numbers[places], self._unknown), are_letters


def _codes(characters: NDArray[np.uint8]) -> NDArray[np.integer]:
    """A number for each name: five bits of each letter, which its case does not change."""
    kind = np.int32 if len(characters) <= _IN_A_TABLE else np.int64
    codes: NDArray[np.integer] = np.zeros(characters.shape[1], kind)
    for row in characters:
        codes = codes * kind(1 << _BITS) + (row & np.uint8(31))
    return codes
