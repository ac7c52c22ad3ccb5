"""The jars of the Java engines: pinned by Maven coordinates and SHA-256 in `jars.lock`, and downloaded once.

All sites share them in `cache_dir()/jars`. A plant without internet access provides a folder with the jars
(`engines.jars` in the site file, or EUGENIE_JARS, which takes precedence); then nothing is downloaded.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import sha256
from eugenie_cli.locks import exclusive
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import cache_dir

LOCK = Path(__file__).with_name("jars.lock")

ENV_FOLDER = "EUGENIE_JARS"

_MIB = 2**20
_TIMEOUT_S = 60
_CONNECTIONS = 4  # each jar is one request; the broker has about forty, most of them small
_ATTEMPTS = 3
_SCRATCH = ".download-"


@dataclass(frozen=True)
class Jar:
    """One line of the lock: a jar of one engine (`role`) and its size in bytes."""

    role: str
    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


@functools.cache
def locked() -> tuple[Jar, ...]:
    """All jars of the lock, in the lock's order."""
    jars = []
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            role, coordinates, size, digest = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(role, group, artifact, version, int(size), digest))
    return tuple(jars)


def provide(roles: Sequence[str], folder: Path | None, progress: Progress) -> dict[str, list[Path]]:
    """The class path of each role (`kafka`, `flink`), with every jar present and its checksum verified.

    `folder`: the folder of jars (see `folder_of`), or None to download jars that the cache lacks. Raises EugenieError,
    naming each jar that is missing, wrong or cannot be downloaded.
    """
    files = of_engines(roles)
    if folder is not None:
        check_folder(files, folder)
    else:
        folder = cache_dir() / "jars"
        _fill(files, folder, progress)
    return {role: [folder / jar.filename for jar in locked() if jar.role == role] for role in roles}


def of_engines(roles: Sequence[str]) -> list[Jar]:
    """The jars of some engines, each file once, because engines may share jars."""
    return list({jar.filename: jar for jar in locked() if jar.role in roles}.values())


def folder_of(site: Site) -> Path | None:
    """The folder of jars from the environment or the site file; None to download them."""
    configured = os.environ.get(ENV_FOLDER)
    if configured:
        return Path(configured).expanduser()
    return site.resolve(site.engines.jars) if site.engines.jars is not None else None


def check_folder(jars: Sequence[Jar], folder: Path) -> None:
    """Raises EugenieError, listing every jar that the folder lacks or whose checksum differs."""
    missing = [jar for jar in jars if not (folder / jar.filename).is_file()]
    if missing:
        names = "\n".join(f"  {jar.filename}  ({jar.coordinates})" for jar in missing)
        raise EugenieError(
            f"{len(missing)} of {len(jars)} jars are not in {folder}:\n{names}",
            f"copy them from {cache_dir() / 'jars'} on a machine with internet access on which `eugenie up` has run",
        )
    wrong = [jar for jar in jars if sha256(folder / jar.filename) != jar.sha256]
    if wrong:
        names = "\n".join(f"  {jar.filename}  should have SHA-256 {jar.sha256}" for jar in wrong)
        raise EugenieError(f"jars in {folder} are not the pinned ones:\n{names}", "copy these jars again")


def _fill(jars: Sequence[Jar], folder: Path, progress: Progress) -> None:
    if not _lacking(jars, folder):
        return
    with exclusive(folder / ".lock"):
        lacking = _lacking(jars, folder)  # another process may have filled it meanwhile
        if not lacking:
            return
        for leftover in folder.glob(f"{_SCRATCH}*"):  # of a killed download
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder, ignore_cleanup_errors=True) as scratch:
            total = round(sum(jar.size for jar in lacking) / _MIB, 1)
            label = f"downloading {len(lacking)} jars of Kafka and Flink"
            with progress.task(label, total=total, unit="MiB") as advance:
                _download_all(lacking, Path(scratch), folder, advance)


def _download_all(jars: Sequence[Jar], scratch: Path, folder: Path, advance: Callable[[float], None]) -> None:
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        downloads = {pool.submit(download, jar, scratch / jar.filename): jar for jar in jars}
        try:
            for done in as_completed(downloads):
                jar, path = downloads[done], done.result()
                digest = sha256(path)
                if digest != jar.sha256:
                    raise EugenieError(
                        f"{jar.coordinates} was downloaded with SHA-256 {digest}; jars.lock requires {jar.sha256}",
                        "check what changes files on the way from the repository, a proxy for example",
                    )
                path.replace(folder / jar.filename)
                advance(jar.size / _MIB)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def download(jar: Jar, folder: Path) -> Path:
    """Downloads one jar by its coordinates, somewhere under `folder`. Raises EugenieError (UNREACHABLE)."""
    from jgo.maven import MavenContext
    from requests import RequestException

    for attempt in range(1, _ATTEMPTS + 1):
        context = MavenContext(repo_cache=folder / str(attempt), timeout=_TIMEOUT_S)
        try:
            return context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (RequestException, RuntimeError) as error:
            reason = error
    raise EugenieError(
        f"{jar.coordinates} cannot be downloaded: {reason}",
        f"check the network, or put the jars into a folder and set engines.jars or {ENV_FOLDER} to it",
        ExitCode.UNREACHABLE,
    )


def _lacking(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    paths = {jar: folder / jar.filename for jar in jars}
    return [jar for jar, path in paths.items() if not path.is_file() or sha256(path) != jar.sha256]
