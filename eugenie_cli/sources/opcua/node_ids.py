"""Node ids as text (OPC 10000-6, 5.3.1.10), and their namespaces, whose indexes a server may change."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asyncua import ua

from eugenie_cli.errors import EugenieError

_NODE_ID = re.compile(r"(?:ns=(?P<index>\d{1,5});|nsu=(?P<uri>[^;]+);)?(?P<kind>[isgb])=(?P<identifier>.*)", re.DOTALL)
_STEP = re.compile(r"(?:(?P<index>\d{1,5}):)?(?P<name>.+)", re.DOTALL)
_PATH_PARTS = re.compile(r"(?:&.|[^/&])+")
SYNTAX = 'a node id such as ns=3;s="DB_Pump"."PT101", ns=2;i=1001 or nsu=urn:plant:s7;s=PT101, or a path below Objects'


@dataclass(frozen=True)
class Address:
    """A node as a site file writes it: by its id, or by browse names from the folder Objects.

    `identifier`: int, str, UUID or bytes; None for a path, whose steps are (namespace, name). A namespace is an index
    or a URI.
    """

    text: str
    namespace: int | str = 0
    identifier: object = None
    path: tuple[tuple[int | str, str], ...] = ()


def parse_address(text: str) -> Address:
    """Text -> Address. Raises ValueError, saying what is wrong."""
    if text.startswith("/"):
        return Address(text, path=tuple(_step(part, text) for part in _PATH_PARTS.findall(text)))
    match = _NODE_ID.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not {SYNTAX}")
    namespace: int | str = match["uri"] or _index(match["index"])
    return Address(text, namespace, _identifier(match["kind"], match["identifier"]))


def to_node_id(address: Address, uris: Sequence[str], namespaces: Mapping[int, str]) -> ua.NodeId:
    """The node id of an address that is not a path, with the server's present indexes.

    `uris`: the server's namespaces, by index; `namespaces`: URI of indexes that the site file uses. Raises EugenieError
    if the server lacks the namespace.
    """
    return ua.NodeId(address.identifier, namespace_index(address.namespace, uris, namespaces))


def to_browse_path(address: Address, uris: Sequence[str], namespaces: Mapping[int, str]) -> ua.BrowsePath:
    """The path of an address, from the folder Objects. Raises EugenieError as `to_node_id` does."""
    path = ua.BrowsePath()
    path.StartingNode = ua.NodeId(ua.ObjectIds.ObjectsFolder)
    for namespace, name in address.path:
        element = ua.RelativePathElement()
        element.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HierarchicalReferences)
        element.IsInverse, element.IncludeSubtypes = False, True
        element.TargetName = ua.QualifiedName(name, namespace_index(namespace, uris, namespaces))
        path.RelativePath.Elements.append(element)
    return path


def namespace_index(namespace: int | str, uris: Sequence[str], namespaces: Mapping[int, str]) -> int:
    """The server's index of a namespace. Raises EugenieError if the server lacks it."""
    uri = namespace if isinstance(namespace, str) else namespaces.get(namespace)
    if uri is None:
        return int(namespace)
    if uri not in uris:
        known = ", ".join(f"{index} {uri}" for index, uri in enumerate(uris) if index)
        raise EugenieError(
            f"the server has no namespace {uri}", hint=f"it has {known}: correct `namespaces` or the tags"
        )
    return list(uris).index(uri)


def written(node: ua.NodeId) -> str:
    """A node id as text, from which `parse_address` makes the same one."""
    identifier: object = node.Identifier
    kind = {int: "i", str: "s", uuid.UUID: "g", bytes: "b"}.get(type(identifier), "s")
    if isinstance(identifier, bytes):
        identifier = base64.b64encode(identifier).decode()
    space = f"ns={node.NamespaceIndex};" if node.NamespaceIndex else ""
    return f"{space}{kind}={identifier}"


def _index(text: str | None) -> int:
    index = int(text or 0)
    if index > 65_535:
        raise ValueError(f"ns={text} is not a namespace: at most 65535")
    return index


def _identifier(kind: str, text: str) -> object:
    try:
        if kind == "i":
            number = int(text) if re.fullmatch(r"\d{1,10}", text) else -1
            if not 0 <= number < 1 << 32:
                raise ValueError("not a number of 32 bits")
            return number
        if kind == "g":
            return uuid.UUID(text)
        if kind == "b":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{kind}={text} is not {SYNTAX}: {error}") from None
    if not text:
        raise ValueError(f"s= needs a text: {SYNTAX}")
    return text


def _step(part: str, text: str) -> tuple[int | str, str]:
    match = _STEP.fullmatch(part)
    if match is None:
        raise ValueError(f"{text!r} has a step without a name: {part!r}")
    return _index(match["index"]), re.sub(r"&(.)", r"\1", match["name"])
