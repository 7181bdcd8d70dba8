"""What container-test does, in order."""

import contextlib
import os
import shutil
import socket
import time
import urllib.error
import urllib.request

import engine as engines
import prometheus
import shell
from shell import expect, wait_for

IMAGE_BYTES_MAX = 200 * 1000 * 1000
# For what has no reason to take long on a machine that does nothing else.
_PATIENCE_SECONDS = 180
# Twice what deploy/compose.yaml grants, for a machine that is busy.
_STOP_SECONDS = 60
_FULL_BUILD_SECONDS = 3600
_BUILD_SECONDS = 900
_PROJECT = f"quorate-test-{os.getpid()}"
_TAG = "localhost/quorate-test:latest"
_PROMETHEUS_TAG = "localhost/quorate-test-prometheus:latest"
_FILES = ("compose.yaml",)
_FILES_WITH_MONITORING = ("compose.yaml", "compose.monitoring.yaml")
_BUILD = os.path.join("build", "release")
_NODES = ("node-1", "node-2", "node-3")


def _free_ports(count):
    """Ports that were free a moment ago; held together, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _get(port, path):
    """(status, text) of a page of a node; no answer is a Failure."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()
    except OSError as problem:
        raise shell.Failure(f"port {port}: {problem}") from problem


# What apt says where the machine has no network: nothing is wrong with the image then.
_NO_NETWORK = ("Temporary failure resolving", "Could not connect to", "Connection timed out",
               "Network is unreachable")


def _build_image(engine, full):
    try:
        _build(engine, full)
    except shell.Failure as failure:
        if any(sign in str(failure) for sign in _NO_NETWORK):
            raise shell.CannotRun(f"the image cannot be built without network: {failure}") from failure
        raise


def _build(engine, full):
    started = time.monotonic()
    if full:
        engine.build(_TAG, seconds=_FULL_BUILD_SECONDS)
    else:
        for name in ("kvd", "kvctl"):
            if not os.path.exists(os.path.join(_BUILD, "bin", name)):
                raise shell.Failure(f"{_BUILD} holds no {name}; build it, or use --full")
        context = os.path.join(engines.STORE, "context")
        shell.run(["deploy/container/stage", _BUILD, os.path.join(context, "stage")])
        engine.build(_TAG, "--build-context", f"build={context}", seconds=_BUILD_SECONDS)
    print(f"  image built in {time.monotonic() - started:.0f} s", flush=True)


def _check_image(engine):
    image = engine.inspect(_TAG)
    size = image["Size"]
    expect(size <= IMAGE_BYTES_MAX,
           f"the image has {size / 1e6:.0f} MB, at most {IMAGE_BYTES_MAX / 1e6:.0f}")
    config = image["Config"]
    expect(config["User"] == "7400:7400", "the image's user is 7400, not root")
    expect(config["StopSignal"] in ("SIGTERM", "15"), "it is stopped by SIGTERM")
    expect("/var/lib/quorate" in config["Volumes"], "its data is on a volume")


def _exit_code(engine, name):
    return engine.inspect(name)["State"]["ExitCode"]


def _stop_cleanly(engine, name):
    started = time.monotonic()
    engine.run("stop", "-t", str(_STOP_SECONDS), name)
    code = _exit_code(engine, name)
    # A kill after the time of grace would be 137.
    expect(code == 0, f"{name} stopped with exit code {code} after {time.monotonic() - started:.1f} s")


def _check_one_node(engine):
    """The image by itself: `docker run` with what it asks for and nothing more."""
    name = f"{_PROJECT}-alone"
    run = ["run", "--name", name, "--network", "none", "-e", "KVD_ADVERTISE=127.0.0.1:7400",
           "-e", "KVD_ADVERTISE_PEER=127.0.0.1:7402"]
    refused = engine.run(*run, "--rm", _TAG, check=False)
    expect(refused.returncode == 2 and "--insecure" in refused.stderr,
           "without TLS it serves others only when told so")
    engine.run(*run, "-d", "-e", "KVD_INSECURE=true", _TAG)
    check = ["exec", name, "kvd", "--check-ready"]
    wait_for("the node says that it belongs to no cluster", _PATIENCE_SECONDS,
             lambda: "belongs to no cluster" in engine.run(*check, check=False).stderr)
    wait_for("the node is unhealthy", _PATIENCE_SECONDS, lambda: engine.health_check(name) == 1)
    expect(True, "unhealthy before init, and says why")
    expect(engine.output("exec", name, "id", "-u") == "7400", "it runs as user 7400")
    expect(engine.output("exec", name, "cat", "/proc/1/comm") == "kvd", "kvd is process 1")
    engine.run("exec", name, "kvctl", "--timeout", "60s", "init")
    wait_for("the node is healthy after init", _PATIENCE_SECONDS, lambda: engine.health_check(name) == 0)
    expect(True, "healthy after init")
    _stop_cleanly(engine, name)
    engine.run("rm", "-f", "-v", name)


class Cluster:
    """deploy/compose.yaml under names and ports of its own."""

    def __init__(self, engine):
        self.engine = engine
        *ports, self.prometheus_port = _free_ports(len(_NODES) + 1)
        self.ports = dict(zip(_NODES, ports))
        self._variables = {f"QUORATE_HTTP_{i}": str(self.ports[f"node-{i}"]) for i in (1, 2, 3)}
        self._variables["QUORATE_IMAGE"] = _TAG
        self._variables["PROMETHEUS_IMAGE"] = _PROMETHEUS_TAG
        self._variables["PROMETHEUS_PORT"] = str(self.prometheus_port)

    def compose(self, *arguments, files=_FILES):
        return self.engine.compose(_PROJECT, files, self._variables, *arguments)

    def container(self, service):
        names = self.engine.services(_PROJECT)
        if service not in names:
            raise shell.Failure(f"compose made no {service}; it made {sorted(names.values())}")
        return names[service]

    def up(self):
        self.compose("up", "-d")
        wait_for("init has ended well", _PATIENCE_SECONDS, lambda: self._has_ended("init"))
        for node in _NODES:
            self.wait_ready(node)

    def _has_ended(self, service):
        state = self.engine.inspect(self.container(service))["State"]
        return state["Status"] == "exited" and state["ExitCode"] == 0

    def wait_ready(self, node):
        wait_for(f"{node} is ready", _PATIENCE_SECONDS, lambda: _get(self.ports[node], "/readyz")[0] == 200)

    def kvctl(self, *arguments, at="node-1"):
        """Its output. Exit code 3, no node answered and nothing was applied, is tried again.

        podman's name server at times gives no answer for seconds after a container has ended, and a
        new process has nothing but names to go by."""
        output = []

        def done():
            result = self.engine.run("exec", self.container(at), "kvctl", "--timeout", "30s",
                                     "--output", "raw", *arguments, check=False)
            output[:] = [result.stdout.strip()]
            if result.returncode not in (0, 3):
                raise shell.Failure(f"kvctl {' '.join(arguments)}: {result.stderr}")
            return result.returncode == 0

        wait_for(f"kvctl {' '.join(arguments)} is answered", _PATIENCE_SECONDS, done)
        return output[0]

    def logs(self):
        for service, name in sorted(self.engine.services(_PROJECT).items()):
            lines = self.engine.run("logs", "--tail", "15", name, check=False)
            print(f"--- {service}\n{lines.stdout}{lines.stderr}")


def _check_failures(cluster):
    engine = cluster.engine
    cluster.kvctl("keyspace", "create", "orders", "--replicas", "3")
    cluster.kvctl("put", "orders", "cart{anna}", "2 apples")
    expect(cluster.kvctl("get", "orders", "cart{anna}", at="node-2") == "2 apples",
           "three nodes: what was put through one is read through another")
    engine.run("kill", "--signal", "KILL", cluster.container("node-3"))
    expect(cluster.kvctl("get", "orders", "cart{anna}") == "2 apples", "read with a node killed")
    cluster.kvctl("put", "orders", "cart{ben}", "1 pear")
    expect(True, "written with a node killed")
    engine.run("start", cluster.container("node-3"))
    cluster.wait_ready("node-3")
    expect(cluster.kvctl("get", "orders", "cart{ben}", at="node-3") == "1 pear",
           "the killed node is back")
    for node in _NODES:
        _stop_cleanly(engine, cluster.container(node))
    cluster.compose("down")
    expect(not engine.services(_PROJECT), "compose down removed the containers")
    cluster.up()
    expect(cluster.kvctl("get", "orders", "cart{anna}") == "2 apples", "the data outlived them")


def _check_metrics(cluster):
    for node in _NODES:
        wait_for(f"{node} tells its metrics", _PATIENCE_SECONDS,
                 lambda: "\nquorate_ready 1\n" in _get(cluster.ports[node], "/metrics")[1])
        expect(True, f"{node} tells its metrics")
    if not prometheus.fetch():
        print("  --  Prometheus cannot be downloaded here; its part is left out")
        return
    prometheus.build_image(cluster.engine, _PROMETHEUS_TAG)
    cluster.compose("up", "-d", "prometheus", files=_FILES_WITH_MONITORING)
    port = cluster.prometheus_port
    targets = {f"{node}:7401" for node in _NODES}
    wait_for("Prometheus scrapes all three nodes", _PATIENCE_SECONDS,
             lambda: targets <= set(prometheus.healthy_targets(port)))
    wait_for("Prometheus sees three nodes ready", _PATIENCE_SECONDS,
             lambda: prometheus.value(port, "sum(quorate_ready)") == "3")
    expect(True, "Prometheus sees three nodes ready")
    wait_for("Prometheus has the alert rules", _PATIENCE_SECONDS, lambda: prometheus.rules(port) > 0)
    expect(True, "Prometheus has the alert rules")


def _remove(engine, cluster):
    with contextlib.suppress(shell.Failure):
        cluster.compose("down", "-v", files=_FILES_WITH_MONITORING)
    with contextlib.suppress(shell.Failure):
        engine.run("rm", "-f", "-v", f"{_PROJECT}-alone", check=False)
    engine.remove_all()


def run(full):
    engine = engines.find()
    os.makedirs(engines.STORE, exist_ok=True)
    cluster = Cluster(engine)
    try:
        engine.prepare()
        engines.try_out(engine)
        print(f"container-test: with {engine.name}", flush=True)
        _build_image(engine, full)
        _check_image(engine)
        _check_one_node(engine)
        cluster.up()
        _check_failures(cluster)
        _check_metrics(cluster)
    except shell.Failure:
        with contextlib.suppress(shell.Failure):
            cluster.logs()
        raise
    finally:
        _remove(engine, cluster)
    print("container-test: passed")


def clean():
    if os.path.isdir(os.path.join(engines.STORE, "storage")):
        engine = engines.find()
        if isinstance(engine, engines.Podman):
            engine.forget_images()
    shutil.rmtree(engines.STORE, ignore_errors=True)
