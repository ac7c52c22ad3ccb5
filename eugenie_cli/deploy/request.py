"""What is to be rendered: a site, what is known of its models, and what the command line adds."""

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
"""The label of the version that answers for its class."""


@dataclass(frozen=True)
class Document:
    """A file to be: `name` is its path below the output folder."""

    name: str
    text: str

    @property
    def content(self) -> bytes:
        """What is written."""
        return self.text.encode()


@dataclass(frozen=True)
class Options:
    """What the command line says, beside the target and where to write.

    `canaries`: class -> percent of its requests that its newest version gets. `secret`: the Kubernetes secret with
    the store's credentials. `service_account`: whose cloud identity may read the store. `stream_namespace`: of the
    Flink job, None: the servers' own. `monitoring_namespace`: of Prometheus. `image`: of the pipeline's steps.
    """

    canaries: Mapping[str, int] = field(default_factory=dict)
    secret: str | None = None
    service_account: str | None = None
    stream_namespace: str | None = None
    monitoring_namespace: str = "monitoring"
    image: str | None = None


@dataclass(frozen=True)
class Request:
    """All that a target needs. `exported`: class -> versions that the workspace has, ascending."""

    site: Site
    store: StoreLocation
    models: tuple[ReleasedModel, ...]
    exported: Mapping[str, tuple[int, ...]]
    options: Options = Options()

    @property
    def name(self) -> str:
        """Of everything that is the whole site's."""
        return server_label(self.site.site)

    def name_of(self, class_name: str, suffix: str = "") -> str:
        """Of what is a single class's."""
        return class_label(self.site.site, class_name, suffix)

    @property
    def rest(self) -> bool:
        """Whether callers are to reach the REST port. Within its container a server always has one: whoever watches
        over it asks for its health and its metrics there."""
        return self.site.serving.rest_port is not None

    def labels(self, name: str) -> dict[str, str]:
        """Of a resource."""
        return {
            "app.kubernetes.io/name": "model-server",
            "app.kubernetes.io/instance": name,
            "app.kubernetes.io/part-of": "eugenie",
        }

    @property
    def served(self) -> tuple[ReleasedModel, ...]:
        """The models of which a version is released."""
        return tuple(model for model in self.models if model.versions)

    def not_released(self) -> list[str]:
        """A sentence for each class that is not served; copies of a store follow the store, whatever is known here."""
        if not self.store.read_by_tensorflow:
            return []
        return [
            f"export {model.name} (eugenie export --class {model.name}) and render again: no version of it is"
            " released, and none is served"
            for model in self.models
            if not model.versions
        ]

    def champion(self, model: ReleasedModel) -> int:
        """The version for a place that serves one. Raises EugenieError (REFUSED): none is released, or none labelled.

        Never the newest of several: that may be a challenger.
        """
        if model.labels.get(CHAMPION) in model.versions:
            return model.labels[CHAMPION]
        if len(model.versions) == 1 and CHAMPION not in model.labels:
            return model.versions[0]
        what = f"versions {', '.join(map(str, model.versions))} of {model.name} are released, and none is champion"
        raise EugenieError(
            what if model.versions else f"no version of {model.name} is released",
            f"eugenie export --class {model.name}",
            ExitCode.REFUSED,
        )

    def canary(self, model: ReleasedModel) -> int | None:
        """Percent of the requests for the newest version. Raises EugenieError (REFUSED) when there is no other one."""
        percent, champion = self.options.canaries.get(model.name), self.champion(model)
        if percent is not None and self.newest(model) == champion:
            raise EugenieError(
                f"--canary {model.name}: version {champion} is the newest one, beside which version should it run?",
                f"eugenie train --class {model.name}, then export its challenger by --model-version",
                ExitCode.REFUSED,
            )
        return percent

    def newest(self, model: ReleasedModel) -> int:
        """The newest version that is released or exported: what a canary is. Raises EugenieError as `champion` does."""
        return max(self.champion(model), *model.versions, *self.exported.get(model.name, ()))

    def gpus(self) -> int:
        """How many GPUs a pod asks for. Raises EugenieError where the site file says what Kubernetes cannot give."""
        gpus = self.site.serving.gpus
        if gpus == "none":
            return 0
        if isinstance(gpus, int):
            return gpus
        said = "all" if gpus == "all" else ", ".join(gpus)
        raise EugenieError(
            f"serving.gpus: {said}: Kubernetes gives a pod a number of GPUs, and chooses which",
            "write a count, such as `gpus: 1`; nodes are chosen by a node selector or a MIG resource of your cluster",
            ExitCode.REFUSED,
        )


def parse_canaries(texts: Iterable[str], classes: Iterable[str]) -> dict[str, int]:
    """`CLASS=PERCENT` -> {class: percent}. Raises EugenieError (USAGE)."""
    known, found = sorted(classes), {}
    for text in texts:
        name, equals, percent = text.rpartition("=")
        if not equals or not percent.isascii() or not percent.isdigit() or not 1 <= int(percent) <= 99:
            raise EugenieError(
                f"--canary {text}: a class and the percent of its requests that the newest version gets",
                f"write --canary {known[0]}=10; 1 to 99",
                ExitCode.USAGE,
            )
        if name not in known:
            raise EugenieError(
                f"--canary {text}: {no_such('class', name, known)}", f"classes: {listed(known)}", ExitCode.USAGE
            )
        if name in found:
            raise EugenieError(f"--canary: {name} is given twice", "give each class once", ExitCode.USAGE)
        found[name] = int(percent)
    return found


def refuse_canaries(request: Request, target: str) -> None:
    """For targets where nothing stands before the server that could divide its requests."""
    if request.options.canaries:
        raise EugenieError(
            f"{target} does not divide requests between two versions",
            "render for kserve or seldon, or leave --canary out",
            ExitCode.REFUSED,
        )


def refuse_tls(request: Request) -> None:
    """TensorFlow Serving wants certificate and key within its configuration file; no manifest may hold a key."""
    if request.site.serving.tls is not None:
        raise EugenieError(
            "serving.tls is not rendered: TensorFlow Serving reads the private key from its configuration itself",
            "leave serving.tls out of this site file, and let a service mesh or a proxy before the server end TLS",
            ExitCode.REFUSED,
        )
