"""Regenerates `jars.lock`: resolves the roots below and records every jar with its size and SHA-256.

    python -m eugenie_cli.engines.lock_jars

This needs network access. Run it after changing a version here, and commit the lock. Nothing else resolves
dependencies: installing and starting use the lock unchanged.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from eugenie_cli.engines.jars import LOCK, Jar, download
from eugenie_cli.files import sha256

ROOTS: Mapping[str, Sequence[str]] = {
    # the broker depends on log4j-core but leaves the binding of slf4j 1.7 to its packagers
    "kafka": ("org.apache.kafka:kafka_2.13:4.2.2", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"),
    # built for Flink 2.2; there is no release for 2.3 yet, whose connector interfaces are the same. It bundles
    # kafka-clients 4.2.0 without codecs: Flink itself has snappy and lz4, and zstd has the version that they require
    "flink": ("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2", "com.github.luben:zstd-jni:1.5.6-10"),
}
"""Maven coordinates `group:artifact:version`, the roots of each engine's class path."""

WHOLE = frozenset({"flink"})
"""Engines whose roots bundle their dependencies (an uber jar) or have none: their dependencies are not resolved."""


def resolve(role: str, folder: Path) -> list[Jar]:
    """The jars of one engine's class path, downloaded into `folder`, with their checksums."""
    from jgo.maven import Dependency, MavenContext

    context = MavenContext(repo_cache=folder, timeout=60)
    roots = []
    for coordinates in ROOTS[role]:
        group, artifact, version = coordinates.split(":")
        # raw: a root does not manage the versions of the other roots' dependencies
        roots.append(Dependency(context.project(group, artifact).at_version(version).artifact(), raw=True))
    inputs, transitive = context.resolver.resolve(roots, transitive=role not in WHOLE)
    by_coordinates = {}
    for dependency in [*inputs, *([] if role in WHOLE else transitive)]:
        if dependency.scope in (None, "compile", "runtime") and not dependency.optional:
            part = dependency.artifact
            jar = Jar(role, part.groupId, part.artifactId, part.version, size=0, sha256="")
            by_coordinates[jar.coordinates] = jar
    return [_measured(jar, folder) for _, jar in sorted(by_coordinates.items())]


def _measured(jar: Jar, folder: Path) -> Jar:
    path = download(jar, folder / "jars")
    return Jar(jar.role, jar.group, jar.artifact, jar.version, path.stat().st_size, sha256(path))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        jars = [jar for role in ROOTS for jar in resolve(role, Path(folder))]
    lines = ["# engine  coordinates  bytes  sha-256; written by `python -m eugenie_cli.engines.lock_jars`"]
    lines += [f"{jar.role} {jar.coordinates} {jar.size} {jar.sha256}" for jar in jars]
    LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stderr.write(f"{len(jars)} jars, {sum(jar.size for jar in jars) / 2**20:.0f} MiB: {LOCK}\n")


if __name__ == "__main__":
    main()
