"""The specification of a stream job in pods: its addresses within the cluster, and references instead of secrets."""

from __future__ import annotations

from dataclasses import replace

from eugenie_cli.engines import endpoints
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.serving.tls import credentials_of
from eugenie_cli.site.kafka import KafkaSecurity
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import package
from eugenie_cli.tfserving.credentials import Credentials

ROOT = "/opt/eugenie"
SECRET_FOLDER = f"{ROOT}/kafka"
PASSWORD, AUTHORITY = "password", "ca.pem"
"""Keys of the secret: Kafka's password, and the PEM of its certificate authority."""

TLS_FOLDER = f"{ROOT}/model-server"
TLS_FILES = {"ca": "ca.pem", "certificate": "certificate.pem", "key": "key.pem"}
"""The job's credentials for the model server -> their keys in its secret."""

_PROVIDER = "org.apache.flink.kafka.shaded.org.apache.kafka.common.config.provider.DirectoryConfigProvider"


def specification(site: Site) -> JobSpec:
    """The job's specification, with references for the Kafka client instead of secrets."""
    for key, is_external, engine in (
        ("kafka.bootstrap", site.kafka.bootstrap != endpoints.EMBEDDED, "Kafka"),
        ("serving.address", site.serving.address is not None, "the model server"),
    ):
        if not is_external:
            raise EugenieError(
                f"{engine} of {site.site} runs only on this machine, where pods cannot reach it",
                f"set {key} in the site file to an address within the cluster",
                ExitCode.REFUSED,
            )
    registry = site.kafka.readings.registry
    if registry is not None and (registry.password is not None or registry.ca is not None):
        raise EugenieError(
            "kafka.readings.registry: the password and certificate authority of a schema registry cannot be rendered",
            "use a registry within the cluster that needs neither",
            ExitCode.REFUSED,
        )
    security = site.kafka.security
    plain = site.model_copy(update={"kafka": site.kafka.model_copy(update={"security": KafkaSecurity()})})
    spec = package.job_spec(plain, "auto", site.kafka.partitions)
    properties = dict(spec.kafka.properties)
    if security.protocol != "PLAINTEXT":
        properties["security.protocol"] = security.protocol
    if security.ca is not None:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": f"{SECRET_FOLDER}/{AUTHORITY}"}
    if security.mechanism is not None:
        properties |= {
            "config.providers": "mounted",
            "config.providers.mounted.class": _PROVIDER,
            "config.providers.mounted.param.allowed.paths": SECRET_FOLDER,
            "sasl.mechanism": security.mechanism,
            "sasl.jaas.config": package.jaas(security, f"${{mounted:{SECRET_FOLDER}:{PASSWORD}}}"),
        }
    kafka = replace(spec.kafka, properties=properties)
    mounted = Credentials(**{part: f"{TLS_FOLDER}/{file}" for part, file in tls_files(credentials_of(site)).items()})
    return replace(spec, kafka=kafka, model_server_tls=None if site.serving.tls is None else mounted)


def tls_files(credentials: Credentials | None) -> dict[str, str]:
    """Part of the credentials -> file in the pods, for the parts that the site file sets."""
    if credentials is None:
        return {}
    return {part: file for part, file in TLS_FILES.items() if getattr(credentials, part) is not None}
