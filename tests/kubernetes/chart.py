"""Values for the Helm chart, and what is asked of the manifests that it renders to."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "weir"
DASHBOARDS = ROOT / "dashboards"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IMAGE = dict(re.findall(r"^(?:ENV| {4}) ?([A-Z_]+)=(\S+?)(?: \\)?$", DOCKERFILE, re.MULTILINE))
POLICY = (ROOT / "examples" / "full.policy.toml").read_text(encoding="utf-8")
MAP = (ROOT / "examples" / "debezium.topic.toml").read_text(encoding="utf-8")
SECRETS = "/run/secrets/weir"
VERSIONS = ("1.29", "1.37")
"""The least Kubernetes that the chart takes, and the newest whose schemas there are."""

CUSTOM = {"PodMonitor", "PrometheusRule", "ScaledObject"}
"""Kinds of operators, for which Kubernetes has no schema."""

Manifest = dict[str, Any]


def user(name: str) -> dict[str, Any]:
    return {"kafka": {"username": f"weir-{name}", "password": {"secret": f"kafka-{name}"}}}


LEAST: dict[str, Any] = {
    "kafka": {"brokers": "kafka-1:9093,kafka-2:9093,kafka-3:9094"},
    "policy": {"text": POLICY},
    "store": {"secret": "weir-store"},
    "worker": user("worker"),
    "archive": user("archive"),
}
CONSOLE = {
    **user("console"),
    "enabled": True,
    "names": ["console.bank.example", "localhost"],
    "certificate": {"secret": "console-tls"},
}


def merged(*values: dict[str, Any]) -> dict[str, Any]:
    """Return values over others, key by key as Helm lays them."""
    found: dict[str, Any] = {}
    for value in values:
        for key, below in value.items():
            both = isinstance(below, dict) and isinstance(found.get(key), dict)
            found[key] = merged(found[key], below) if both else below
    return found


def scaled(kind: str) -> dict[str, Any]:
    return merged(LEAST, {"worker": {"autoscaling": {"kind": kind}}})


TOKENS = {"username": "", "password": {"secret": ""}, "tokenAudience": "kafka"}
WHOLE = merged(
    LEAST,
    {
        "kafka": {"ca": {"secret": "kafka-ca"}},
        "image": {"pullSecrets": ["registry"]},
        "store": {"daysClaim": "weir-days"},
        "transactions": {
            "topic": "bank.public.postings",
            "map": {"text": MAP},
            "registry": {
                "url": "https://registry.bank.example",
                "user": "weir",
                "password": {"secret": "registry"},
            },
        },
        "worker": {
            "snapshotKey": {"secret": "weir-models"},
            "kafka": {"certificate": {"secret": "kafka-tls"}},
            "placement": {
                "nodeSelector": {"disk": "fast"},
                "tolerations": [{"key": "risk", "operator": "Exists"}],
                "priorityClassName": "urgent",
            },
        },
        "console": {
            **CONSOLE,
            "secretFiles": [{"secret": "weir-webhook", "key": "secret", "path": "webhook"}],
            "oidc": {"issuer": "https://a.example", "clientId": "weir", "secret": "weir-oidc"},
        },
        "topics": {"create": True, **user("admin")},
        "networkPolicy": {
            "kafka": [{"podSelector": {"matchLabels": {"app": "kafka"}}}],
            "store": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "workerEgress": [{"ports": [{"protocol": "TCP", "port": 4318}]}],
            "consoleEgress": [{"ports": [{"protocol": "TCP", "port": 443}]}],
        },
        "monitoring": {
            "podMonitors": True,
            "rules": True,
            "dashboards": True,
            "labels": {"release": "prometheus"},
        },
    },
)
KINDS: dict[str, dict[str, Any]] = {
    "least": LEAST,
    "whole": WHOLE,
    "workers alone": merged(LEAST, {"archive": {"enabled": False}, "store": {"secret": ""}}),
    "keda": scaled("keda"),
    "hpa": scaled("hpa"),
    "tokens": merged(
        LEAST,
        {
            "kafka": {"saslMechanism": "OAUTHBEARER"},
            "worker": {"kafka": TOKENS},
            "archive": {"kafka": TOKENS},
        },
    ),
    "without users": merged(
        LEAST, {"kafka": {"securityProtocol": "PLAINTEXT", "saslMechanism": ""}},
        {"worker": {"kafka": {"username": "", "password": {"secret": ""}}}},
        {"archive": {"kafka": {"username": "", "password": {"secret": ""}}}},
    ),
}  # fmt: skip
each_kind = pytest.mark.parametrize("kind", KINDS)


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the pods' specifications, by their component."""
    found = [each for each in manifests if each["kind"] in {"Deployment", "Job"}]
    names = [each["metadata"]["name"].rpartition("-")[2] for each in found]
    return dict(zip(names, (each["spec"]["template"]["spec"] for each in found), strict=True))


def environment(pod: Manifest) -> dict[str, str]:
    return {each["name"]: each["value"] for each in pod["containers"][0].get("env", [])}


def secret_files(pod: Manifest) -> list[str]:
    """Return the names of the files in a pod's volume of secrets."""
    found = []
    for volume in pod["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            if "secret" in source:
                found += [item["path"] for item in source["secret"]["items"]]
            else:
                found.append(source["serviceAccountToken"]["path"])
    assert len(found) == len(set(found))
    return found
