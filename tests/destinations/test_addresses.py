"""One line stands for a whole destination: each form of address, through the settings."""

from typing import Any

import pytest

from clerestory.configuration.destinations import routes_of
from clerestory.settings import load

RULE = "dcr-1"
ADDRESSES: dict[str, dict[str, Any]] = {
    "otlp://collector:4318": {"endpoint": "http://collector:4318"},
    "otlps://collector/otel?compression=none": {
        "endpoint": "https://collector/otel",
        "compression": "none",
    },
    "honeycomb://K%2BEY@api.eu1.honeycomb.io": {
        "endpoint": "https://api.eu1.honeycomb.io",
        "headers": {"x-honeycomb-team": "K+EY"},
    },
    "honeycomb://KEY@?dataset=shop": {
        "endpoint": "https://api.honeycomb.io",
        "headers": {"x-honeycomb-team": "KEY"},
        "dataset": "shop",
    },
    "elasticsearch://u%40:p%2F@es:9200/logs-a-b": {
        "url": "http://es:9200",
        "username": "u@",
        "password": "p/",
        "data_stream": "logs-a-b",
    },
    "elasticsearchs://es?api_key=abc": {"url": "https://es", "api_key": "abc"},
    "opensearch://os:9200": {"url": "http://os:9200", "data_stream": ""},
    "opensearchs://os?index=app": {"url": "https://os", "index": "app"},
    "google://shop-1/app": {"project_id": "shop-1", "log_name": "app"},
    "google:///app": {"project_id": "", "log_name": "app"},
    "google://p?credentials_file=/k.json&labels=team=a": {
        "project_id": "p",
        "log_name": "python",
        "credentials_file": "/k.json",
        "labels": {"team": "a"},
    },
    f"azure://x.westeurope-1.ingest.monitor.azure.com/{RULE}/App?tenant_id=t": {
        "dcr_endpoint": "https://x.westeurope-1.ingest.monitor.azure.com",
        "rule_id": RULE,
        "log_type": "App",
        "tenant_id": "t",
    },
    f"azure://h/{RULE}/Custom-A_CL": {"dcr_endpoint": "https://h", "stream": "Custom-A_CL"},
    "datadog://KEY@us5.datadoghq.com?service=shop": {
        "api_key": "KEY",
        "site": "us5.datadoghq.com",
        "service": "shop",
    },
    "syslog://log:514?protocol=tcp": {"host": "log", "port": 514, "protocol": "tcp"},
    "syslog+tls://log": {"host": "log", "port": 0, "protocol": "tls"},
    "syslog+tcp://[::1]:601?facility=local0&format=rfc3164&level=ERROR": {
        "host": "::1",
        "port": 601,
        "protocol": "tcp",
        "facility": "local0",
        "format": "rfc3164",
        "level": "ERROR",
    },
    "syslog://log": {"host": "log", "protocol": "udp"},
    "loki://loki:3100": {"url": "http://loki:3100"},
    "lokis://123:glc_x@logs-prod.grafana.net/?tenant=t": {
        "url": "https://logs-prod.grafana.net",
        "username": "123",
        "password": "glc_x",
        "tenant": "t",
    },
    "xray://eu-central-1": {"region": "eu-central-1", "via": "api"},
    "xray:": {"region": None},
    "xray+daemon://127.0.0.1:2000": {"via": "daemon", "daemon_address": "127.0.0.1:2000"},
    "splunk://TOKEN@splunk:8088": {"url": "https://splunk:8088", "token": "TOKEN"},
    "splunk+http://TOKEN@h:8088?index=app": {
        "url": "http://h:8088",
        "token": "TOKEN",
        "index": "app",
    },
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_stands_for_these_options(address):
    """What follows `?` is any option; a destination's name holds no secret of its address."""
    (route,) = routes_of(load({}), [address])

    destination: Any = route.destination
    destination.close()
    found = {name: getattr(destination._config, name) for name in ADDRESSES[address]}
    assert found == ADDRESSES[address]
    for name in ("password", "token", "api_key", "headers"):
        secret = getattr(destination._config, name, None)
        assert not secret or str(secret) not in f"{destination.name} {destination._config!r}"


def test_an_address_without_anything_asks_the_environment(monkeypatch):
    """The variables that the vendors' own tools read."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    monkeypatch.setenv("DD_API_KEY", "k")
    monkeypatch.setenv("DD_SITE", "datadoghq.eu")

    routes = routes_of(load({}), ["otlp://", "datadog://"])

    names = [route.destination.name for route in routes]
    assert names == ["otlp-collector_4318", "datadog-datadoghq.eu"]
