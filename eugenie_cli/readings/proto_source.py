"""Protobuf's schema language -> file descriptors, for registries that return only the source of a schema.

It reads what describes messages: fields, nested types, enums, oneofs, maps. Options, services, extensions and reserved
names do not change how a message is read, and are skipped. Names of types are resolved by protobuf's own pool.
"""

from __future__ import annotations

import re
from typing import Any

MAX_DEPTH = 32
"""Levels of nested types; real schemas have a few."""

_TOKEN = re.compile(
    r"""\s+|//[^\n]*|/\*.*?\*/"""
    r"""|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<name>\.?[A-Za-z_][\w.]*)|(?P<number>[-+]?[0-9][\w.]*)|(?P<sign>\S)""",
    re.DOTALL,
)
_SKIPPED = ("option", "reserved", "extensions", "extend", "service")
_LABELS = ("optional", "required", "repeated")


def file_descriptor(source: str) -> Any:
    """The `FileDescriptorProto` of a source. Raises ValueError for what it cannot read."""
    return _Parser(source).file()


class _Parser:
    def __init__(self, source: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(source):
            match = _TOKEN.match(source, at)
            if match is None:  # cannot happen: a sign is any character
                break
            at = match.end()
            if match.lastgroup is not None:
                self._tokens.append(match.group())
        self._at = 0
        self._is_proto3 = False

    # -- tokens --------------------------------------------------------------------------------------

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise ValueError("the schema's source ends within a declaration")
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        got = self._next()
        if got != token:
            raise ValueError(f"the schema's source has {got!r} in place of {token!r}")

    def _skip(self) -> None:
        """Skip the rest of a declaration, up to its semicolon or the end of its block."""
        depth = 0
        while True:
            token = self._next()
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token, 0)
            if depth <= 0 and token in (";", "}"):
                self._take(";")
                return

    def _number(self) -> int:
        try:
            return int(self._next(), 0)
        except ValueError:
            raise ValueError("the schema's source has a field or enum value without a number") from None

    # -- declarations --------------------------------------------------------------------------------

    def file(self) -> Any:
        from google.protobuf.descriptor_pb2 import FileDescriptorProto

        file = FileDescriptorProto(syntax="proto2")
        while self._peek():
            word = self._next()
            if word == "syntax":
                self._expect("=")
                file.syntax = self._next()[1:-1]
                self._is_proto3 = file.syntax == "proto3"
                self._expect(";")
            elif word == "package":
                file.package = self._next()
                self._expect(";")
            elif word == "import":
                is_public = self._peek() == "public"
                if self._peek() in ("public", "weak"):
                    self._next()
                if is_public:
                    file.public_dependency.append(len(file.dependency))
                file.dependency.append(self._next()[1:-1])
                self._expect(";")
            elif word == "message":
                self._message(file.message_type.add(name=self._next()), 1)
            elif word == "enum":
                self._enum(file.enum_type.add(name=self._next()))
            elif word in _SKIPPED:
                self._skip()
            elif word != ";":
                raise ValueError(f"the schema's source has {word!r} in place of a declaration")
        return file

    def _message(self, message: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ValueError(f"the schema is nested more than {MAX_DEPTH} deep")
        self._expect("{")
        while not self._take("}"):
            word = self._peek()
            after = self._tokens[self._at + 2] if self._at + 2 < len(self._tokens) else ""
            if word == ";":
                self._next()
            elif word in ("message", "enum") and after == "{":
                self._next()
                if word == "enum":
                    self._enum(message.enum_type.add(name=self._next()))
                else:
                    self._message(message.nested_type.add(name=self._next()), depth + 1)
            elif word == "oneof" and after == "{":
                self._oneof(message)
            elif word in _SKIPPED:
                self._skip()
            else:
                self._field(message)
        synthetic = [field for field in message.field if field.proto3_optional]
        for field in synthetic:  # protoc puts these after the oneofs of the source
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def _oneof(self, message: Any) -> None:
        self._next()
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=self._next())
        self._expect("{")
        while not self._take("}"):
            if self._peek() == "option":
                self._skip()
            elif not self._take(";"):
                self._field(message).oneof_index = index

    def _field(self, message: Any) -> Any:
        from google.protobuf.descriptor_pb2 import FieldDescriptorProto

        label = self._next() if self._peek() in _LABELS else ""
        if self._peek() == "map" and self._tokens[self._at + 1 : self._at + 2] == ["<"]:
            return self._map(message)
        kind = self._next()
        if kind == "group":
            raise ValueError("the schema's source has a group, which is not supported")
        field = message.field.add(name=self._next())
        self._expect("=")
        field.number = self._number()
        field.label = FieldDescriptorProto.Label.Value(f"LABEL_{(label or 'optional').upper()}")
        field.proto3_optional = self._is_proto3 and label == "optional"
        self._set_type(field, kind)
        self._skip()
        return field

    def _map(self, message: Any) -> Any:
        from google.protobuf.descriptor_pb2 import FieldDescriptorProto

        self._next()
        self._expect("<")
        key = self._next()
        self._expect(",")
        value = self._next()
        self._expect(">")
        name = self._next()
        self._expect("=")
        entry = message.nested_type.add(name="".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        for number, (part, kind) in enumerate((("key", key), ("value", value)), 1):
            self._set_type(entry.field.add(name=part, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL), kind)
        field = message.field.add(name=name, number=self._number(), label=FieldDescriptorProto.LABEL_REPEATED)
        field.type_name = entry.name
        self._skip()
        return field

    def _set_type(self, field: Any, kind: str) -> None:
        from google.protobuf.descriptor_pb2 import FieldDescriptorProto

        scalars = FieldDescriptorProto.Type.keys()
        if f"TYPE_{kind.upper()}" in scalars and kind.islower() and kind not in ("message", "enum", "group"):
            field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
        else:
            field.type_name = kind

    def _enum(self, enum: Any) -> None:
        self._expect("{")
        while not self._take("}"):
            word = self._next()
            if word in ("option", "reserved") and self._peek() != "=":
                self._skip()
            elif word != ";":
                self._expect("=")
                enum.value.add(name=word, number=self._number())
                self._skip()
        if len({value.number for value in enum.value}) < len(enum.value):
            enum.options.allow_alias = True
