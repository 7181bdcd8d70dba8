"""Debian's Prometheus as an image for deploy/compose.monitoring.yaml, and its API."""

import glob
import json
import os
import shutil
import urllib.parse
import urllib.request

import base_image
import shell

_FOLDER = os.path.join("build", "container", "prometheus")
_BINARY = os.path.join(_FOLDER, "root", "usr", "bin", "prometheus")


def fetch():
    """The binary, unpacked and not installed: the package would start a service. None: no network."""
    if os.path.exists(_BINARY):
        return _BINARY
    if not shutil.which("apt-get"):
        return None
    os.makedirs(_FOLDER, exist_ok=True)
    download = shell.run(["sh", "-c", 'cd "$0" && apt-get -q download prometheus', _FOLDER],
                         check=False, seconds=600)
    packages = glob.glob(os.path.join(_FOLDER, "prometheus_*.deb"))
    if download.returncode != 0 or not packages:
        return None
    shell.run(["dpkg-deb", "-x", packages[0], os.path.join(_FOLDER, "root")])
    os.remove(packages[0])
    return _BINARY if os.path.exists(_BINARY) else None


# As the official image runs it, which no registry need give here.
_DOCKERFILE = f"""\
FROM {base_image.NAME}
COPY root/usr/bin/prometheus /bin/prometheus
RUN mkdir /prometheus && chown 65534:65534 /prometheus
USER 65534
ENTRYPOINT ["/bin/prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
"""


def build_image(engine, tag):
    with open(os.path.join(_FOLDER, "Dockerfile"), "w", encoding="utf-8") as out:
        out.write(_DOCKERFILE)
    engine.build(tag, context=_FOLDER, seconds=600)


def ask(port, path, **parameters):
    """The `data` of an answer of its API."""
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]
    except (OSError, ValueError, KeyError) as problem:
        raise shell.Failure(f"{url}: {problem}") from problem


def healthy_targets(port):
    """Addresses of the quorate targets that were scraped well."""
    return sorted(target["labels"]["instance"] for target in ask(port, "targets")["activeTargets"]
                  if target["health"] == "up")


def value(port, expression):
    """The first value of an expression; None without any."""
    result = ask(port, "query", query=expression)["result"]
    return result[0]["value"][1] if result else None


def rules(port):
    """How many rules it evaluates."""
    return sum(len(group["rules"]) for group in ask(port, "rules")["groups"])
