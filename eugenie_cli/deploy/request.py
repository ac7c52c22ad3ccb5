"""The input of rendering: a site, the state of its models, and the options of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eugenie_cli.deploy.names import class_label, server_label
from eugenie_cli.deploy.store_location import StoreLocation
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.names import listed, no_such
from eugenie_cli.site.schema import Site

CHAMPION = "champion"
"""The label of the version that serves its class."""


@dataclass(frozen=True)
class Document:
    """A rendered file. `name`: its path below the output folder."""

    name: str
    text: str

    @property
    def content(self) -> bytes:
        """The bytes to write."""
        return self.text.encode()


@dataclass(frozen=True)
class Options:
    """The options of the command line, except the target and the output folder.

    `canaries`: class -> percent of its requests for its newest version. `secret`: the Kubernetes secret with the
    store's credentials. `service_account`: the account whose cloud identity may read the store. `stream_namespace`: of
    the Flink job; None for the servers' own. `monitoring_namespace`: of Prometheus. `image`: of the pipeline's steps.
    """

    canaries: Mapping[str, int] = field(default_factory=dict)
    secret: str | None = None
    service_account: str | None = None
    stream_namespace: str | None = None
    monitoring_namespace: str = "monitoring"
    image: str | None = None


@dataclass(frozen=True)
class Request:
    """Everything that a target needs. `exported`: class -> versions in the workspace, ascending."""

    site: Site
    store: StoreLocation
    models: tuple[ReleasedModel, ...]
    exported: Mapping[str, tuple[int, ...]]
    options: Options = Options()

    @property
    def name(self) -> str:
        """The name of resources of the whole site."""
        return server_label(self.site.site)

    def name_of(self, class_name: str, suffix: str = "") -> str:
        """The name of a resource of one class."""
        return class_label(self.site.site, class_name, suffix)

    @property
    def rest(self) -> bool:
        """Whether clients can reach the REST port. In its container a server always has one, for probes and metrics."""
        return self.site.serving.rest_port is not None

    def labels(self, name: str) -> dict[str, str]:
        """The labels of a resource."""
        return {
            "app.kubernetes.io/name": "model-server",
            "app.kubernetes.io/instance": name,
            "app.kubernetes.io/part-of": "eugenie",
        }

    @property
    def served(self) -> tuple[ReleasedModel, ...]:
        """The models with a released version."""
        return tuple(model for model in self.models if model.versions)

    def not_released(self) -> list[str]:
        """A step for each class that is not served. None for copies of a store, which follow the store alone."""
        if not self.store.read_by_tensorflow:
            return []
        return [
            f"export {model.name} (eugenie export --class {model.name}) and render again: it has no released version,"
            " so it is not served"
            for model in self.models
            if not model.versions
        ]

    def champion(self, model: ReleasedModel) -> int:
        """The version for a target that serves only one.

        Raises EugenieError (REFUSED) when none is released, or when several are and none is labelled champion: the
        newest may be a challenger.
        """
        if model.labels.get(CHAMPION) in model.versions:
            return model.labels[CHAMPION]
        if len(model.versions) == 1 and CHAMPION not in model.labels:
            return model.versions[0]
        numbers = ", ".join(map(str, model.versions))
        ambiguous = f"versions {numbers} of {model.name} are released, but none is champion"
        raise EugenieError(
            ambiguous if model.versions else f"no version of {model.name} is released",
            f"eugenie export --class {model.name}",
            ExitCode.REFUSED,
        )

    def canary(self, model: ReleasedModel) -> int | None:
        """Percent of the requests for the newest version; None without a canary.

        Raises EugenieError (REFUSED) when the newest version is the champion.
        """
        percent, champion = self.options.canaries.get(model.name), self.champion(model)
        if percent is not None and self.newest(model) == champion:
            raise EugenieError(
                f"--canary {model.name}: the champion, version {champion}, is the newest version: nothing to compare",
                f"eugenie train --class {model.name}, then export the challenger with --model-version",
                ExitCode.REFUSED,
            )
        return percent

    def newest(self, model: ReleasedModel) -> int:
        """The newest released or exported version, which a canary is. Raises EugenieError like `champion`."""
        return max(self.champion(model), *model.versions, *self.exported.get(model.name, ()))

    def gpus(self) -> int:
        """The number of GPUs that a pod requests. Raises EugenieError if the site file selects specific or all GPUs."""
        gpus = self.site.serving.gpus
        if gpus == "none":
            return 0
        if isinstance(gpus, int):
            return gpus
        setting = "all" if gpus == "all" else ", ".join(gpus)
        raise EugenieError(
            f"serving.gpus: {setting}: Kubernetes assigns a number of GPUs to a pod, and chooses which",
            "write a count, such as `gpus: 1`; use a node selector or a MIG resource of your cluster to choose nodes",
            ExitCode.REFUSED,
        )


def parse_canaries(texts: Iterable[str], classes: Iterable[str]) -> dict[str, int]:
    """`CLASS=PERCENT` -> {class: percent}. Raises EugenieError (USAGE)."""
    known, percents = sorted(classes), {}
    for text in texts:
        name, equals, percent = text.rpartition("=")
        if not equals or not percent.isascii() or not percent.isdigit() or not 1 <= int(percent) <= 99:
            raise EugenieError(
                f"--canary {text}: expected CLASS=PERCENT, the percentage of its requests for the newest version",
                f"write for example --canary {known[0]}=10, with 1 to 99",
                ExitCode.USAGE,
            )
        if name not in known:
            raise EugenieError(
                f"--canary {text}: {no_such('class', name, known)}", f"classes: {listed(known)}", ExitCode.USAGE
            )
        if name in percents:
            raise EugenieError(f"--canary: {name} is given twice", "give each class once", ExitCode.USAGE)
        percents[name] = int(percent)
    return percents


def refuse_canaries(request: Request, target: str) -> None:
    """Raises EugenieError (REFUSED) for canaries on a target that cannot split the requests."""
    if request.options.canaries:
        raise EugenieError(
            f"{target} does not split requests between two versions",
            "render for kserve or seldon, or omit --canary",
            ExitCode.REFUSED,
        )


def refuse_tls(request: Request) -> None:
    """Raises EugenieError (REFUSED) for TLS: TensorFlow Serving needs the key inside its configuration file, and no
    manifest may contain a key."""
    if request.site.serving.tls is not None:
        raise EugenieError(
            "serving.tls cannot be rendered: TensorFlow Serving needs the private key inside its configuration file",
            "remove serving.tls from this site file, and terminate TLS in a service mesh or a proxy before the server",
            ExitCode.REFUSED,
        )
