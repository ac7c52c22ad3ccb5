"""Which nodes a source reads: those of the tags of the site's assets, with the server's present indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from asyncua import ua

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Series
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.failures import SourceDownError
from eugenie_cli.sources.opcua.connection import Connection
from eugenie_cli.sources.opcua.node_ids import Address, parse_address, to_browse_path, to_node_id
from eugenie_cli.sources.opcua.settings import OpcuaSettings
from eugenie_cli.sources.opcua.words import UNAVAILABLE, name_of

SHOWN = 5  # nodes listed in a message
PATHS_AT_ONCE = 100  # below the limit of any server


@dataclass(frozen=True)
class Tagged:
    """A sensor of an asset, and where the server has it."""

    series: Series
    address: Address


@dataclass(frozen=True)
class ServerNodes:
    """Node ids by position of their tag; `absent`: why there is none."""

    ids: dict[int, ua.NodeId]
    absent: dict[int, str]


def tagged_nodes(source: OpcuaSettings, site: Site) -> list[Tagged]:
    """Every sensor of the source's assets. Raises EugenieError for a tag that is no node id."""
    found = []
    for asset in site.assets_named(source.assets):
        tags = site.assets[asset].tags
        for sensor in site.class_named(site.assets[asset].class_name).sensor_names:
            tag = tags.get(sensor, sensor)
            text = source.node.replace("{tag}", tag).replace("{asset}", asset).replace("{sensor}", sensor)
            try:
                found.append(Tagged((asset, sensor), parse_address(text)))
            except ValueError as error:
                raise EugenieError(
                    f"source {source.name}: sensor {sensor} of {asset}: {error}",
                    "correct its tag; or set `node` of the source, such as 'ns=3;s={tag}', or `assets` to those that"
                    " the server has",
                ) from None
    return found


def find_nodes(connection: Connection, tagged: Sequence[Tagged], source: OpcuaSettings) -> ServerNodes:
    """The node ids of tags on the server. Raises EugenieError if it lacks a namespace."""
    uris = connection.run(lambda client: client.get_namespace_array())
    ids: dict[int, ua.NodeId] = {}
    absent: dict[int, str] = {}
    paths = [position for position, node in enumerate(tagged) if node.address.path]
    try:
        for position, node in enumerate(tagged):
            if not node.address.path:
                ids[position] = to_node_id(node.address, uris, source.namespaces)
        for first in range(0, len(paths), PATHS_AT_ONCE):
            some = paths[first : first + PATHS_AT_ONCE]
            browsed = [to_browse_path(tagged[position].address, uris, source.namespaces) for position in some]
            request = ua.TranslateBrowsePathsToNodeIdsRequest()
            request.Parameters.BrowsePaths = browsed
            results = connection.answer(request, ua.TranslateBrowsePathsToNodeIdsResponse).Results
            for position, result in zip(some, results, strict=True):
                if result.StatusCode.is_good() and result.Targets:
                    target = result.Targets[0].TargetId
                    ids[position] = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
                else:
                    absent[position] = UNAVAILABLE.get(result.StatusCode.value, name_of(result.StatusCode.value))
    except EugenieError as error:
        if type(error) is EugenieError:
            raise SourceDownError(f"source {source.name}: {error.reason}", error.hint) from error
        raise
    return ServerNodes(ids, absent)


def refused_nodes(source: OpcuaSettings, tagged: Sequence[Tagged], absent: dict[int, str]) -> SourceDownError:
    """The error for nodes that cannot be read, if the site file does not say that they may be missing."""
    shown = [f"{tagged[position].address.text}: {why}" for position, why in list(absent.items())[:SHOWN]]
    more = f"; and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
    return SourceDownError(
        f"source {source.name}: {'; '.join(shown)}{more}",
        "correct these tags, or set `missing: skip` of the source to import the others without them",
    )


def left_out(tagged: Sequence[Tagged], absent: Mapping[int, str]) -> Iterator[str]:
    """Sentences about nodes that may be missing. `absent`: why, by position."""
    return (f"{tagged[position].address.text} is left out: {why}" for position, why in absent.items())
