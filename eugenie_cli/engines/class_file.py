"""Reads the constants of a compiled Java class (JVM specification, chapter 4.4), for patches of single calls."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

UTF8, NAME_AND_TYPE = 1, 12
_METHOD = 10
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Bytes of a constant after its tag, except for text; tags 5 and 6 take two numbers."""


class UnknownClassError(Exception):
    """The class is not the one that a patch was written for."""


@dataclass(frozen=True)
class Constant:
    """A constant: the offset of its content in the class, its tag and its content."""

    start: int
    tag: int
    content: bytes

    @property
    def end(self) -> int:
        """The offset after the constant."""
        return self.start + len(self.content)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The 16-bit numbers that the content consists of: references to other constants."""
        return struct.unpack(f">{len(self.content) // 2}H", self.content)


@dataclass(frozen=True)
class ClassFile:
    """The bytes of a class."""

    code: bytes

    @property
    def count(self) -> int:
        """The number that the next constant would have."""
        return int(struct.unpack_from(">H", self.code, 8)[0])

    @cached_property
    def constants(self) -> dict[int, Constant]:
        """The constants by number. Raises UnknownClassError for a tag that the specification does not have."""
        return dict(self._constants())

    def method(self, owner: str, name: str, signature: str) -> tuple[int, int]:
        """The constants' numbers of a method that the class calls, and of its name and signature.

        Raises UnknownClassError when the class does not call it.
        """
        wanted = [text.encode() for text in (owner, name, signature)]
        for number, constant in self.constants.items():
            if constant.tag == _METHOD:
                holder, named = constant.numbers
                texts = [self.constants[holder].numbers[0], *self.constants[named].numbers]
                if [self.constants[text].content for text in texts] == wanted:
                    return number, named
        raise UnknownClassError(f"no call of {owner}.{name}")

    def replaced(self, old: bytes, new: bytes) -> bytes:
        """The class with other instructions, of the same length. Raises UnknownClassError unless there is one place."""
        if self.code.count(old) != 1 or len(old) != len(new):
            raise UnknownClassError("the call is not there once")
        return self.code.replace(old, new)

    def _constants(self) -> Iterator[tuple[int, Constant]]:
        at, number = 10, 1
        while number < self.count:
            tag = self.code[at]
            if tag == UTF8:
                size, start = struct.unpack_from(">H", self.code, at + 1)[0], at + 3
            elif tag in _SIZES:
                size, start = _SIZES[tag], at + 1
            else:
                raise UnknownClassError(f"constant {number} has tag {tag}")
            yield number, Constant(start, tag, self.code[start : start + size])
            at, number = start + size, number + (2 if tag in (5, 6) else 1)


def text_constant(text: str) -> bytes:
    """A constant that holds a text."""
    return bytes([UTF8]) + struct.pack(">H", len(text)) + text.encode()
