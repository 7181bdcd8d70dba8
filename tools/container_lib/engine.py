"""The container engine of this machine: docker as it is, or podman with a store of its own."""

import contextlib
import hashlib
import json
import os
import shutil

import base_image
import shell

STORE = os.path.join("build", "container")

# As root without systemd: crun and systemd's cgroups do not work there, and the default limits are
# above what such machines allow. Locks of its own, because the shared ones would be reset under the
# containers of the machine's other podman.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{run}/tmp"
[network]
network_config_dir = "{run}/networks"
"""
_STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{store}/storage"
runroot = "{run}/root"
"""


class Engine:
    """Commands common to both engines."""

    build_flags = ()

    def __init__(self, name, compose, env):
        self.name = name
        self.env = env
        self._compose = compose

    def run(self, *arguments, **options):
        return shell.run([self.name, *arguments], env=self.env, **options)

    def output(self, *arguments, **options):
        return self.run(*arguments, **options).stdout.strip()

    def compose(self, project, files, variables, *arguments, seconds=900):
        flags = [part for name in files for part in ("-f", os.path.join("deploy", name))]
        command = [*self._compose, "-p", project, *flags, *arguments]
        return shell.run(command, env={**self.env, **variables}, seconds=seconds)

    def inspect(self, name):
        return json.loads(self.output("inspect", name))[0]

    def build(self, tag, *arguments, seconds, context="."):
        self.run("build", *self.build_flags, "-t", tag, *arguments, context, seconds=seconds)

    def services(self, project):
        """{service: container} of a compose project, stopped ones too."""
        rows = self.output("ps", "-a", "--filter", f"label=com.docker.compose.project={project}",
                           "--format", '{{.Names}}').split()
        # docker says project-service-1, podman-compose project_service_1.
        return {name[len(project) + 1:-2]: name for name in rows}


class Docker(Engine):
    """The user's own daemon; what the test makes there has names of its own."""

    def __init__(self):
        super().__init__("docker", ["docker", "compose"], {**os.environ, "DOCKER_BUILDKIT": "1"})

    def prepare(self):
        pass

    def health_check(self, name):
        """Exit code of the last health check that the daemon ran; None before the first."""
        log = (self.inspect(name)["State"].get("Health") or {}).get("Log") or [{}]
        return log[-1].get("ExitCode")

    def remove_all(self):
        pass


class Podman(Engine):
    """Images and containers in build/container/, so that nothing is shared with the user's."""

    # The OCI format has no health check; chroot needs the least of the machine.
    build_flags = ("--format", "docker", "--isolation", "chroot")

    def __init__(self):
        store = os.path.abspath(STORE)
        # Short, because sockets in it have paths of at most 107 characters; the same in each run,
        # so that what a killed run left behind is found.
        self._run = "/tmp/quorate-container-" + hashlib.sha256(store.encode()).hexdigest()[:8]
        self._store = store
        super().__init__("podman", ["podman-compose"], {
            **os.environ,
            "CONTAINERS_CONF": os.path.join(store, "containers.conf"),
            "CONTAINERS_STORAGE_CONF": os.path.join(store, "storage.conf"),
        })

    def prepare(self):
        for folder in ("root", "tmp", "networks"):
            os.makedirs(os.path.join(self._run, folder), exist_ok=True)
        places = {"run": self._run, "store": self._store}
        for name, text in (("containers", _CONTAINERS_CONF), ("storage", _STORAGE_CONF)):
            with open(os.path.join(self._store, name + ".conf"), "w", encoding="utf-8") as out:
                out.write(text.format(**places))
        self.remove_all(folder=False)
        base_image.provide(self)

    def health_check(self, name):
        """Without systemd podman schedules none, so it is run now."""
        return self.run("healthcheck", "run", name, check=False).returncode

    def remove_all(self, folder=True):
        """Containers, networks and volumes of the private store, this run's and older ones.

        Of images those go that a newer one took the name of; the layers of the newest are kept."""
        for command in (("rm", "-f", "-a", "-t", "0"), ("network", "prune", "-f"),
                        ("volume", "prune", "-f"), ("image", "prune", "-f")):
            self.run(*command, check=False)
        if folder:
            shutil.rmtree(self._run, ignore_errors=True)
            # What podman knows of containers refers to the folder that is gone. Images are kept.
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(self._store, "storage", "libpod", "bolt_state.db"))

    def forget_images(self):
        self.remove_all(folder=False)
        self.run("rmi", "-a", "-f", check=False)
        self.remove_all()


def _works(*command):
    return shutil.which(command[0]) and shell.run(list(command), check=False).returncode == 0


def find():
    """An engine that answers, else CannotRun with what is missing of each."""
    if _works("docker", "info"):
        if _works("docker", "compose", "version"):
            return Docker()
        raise shell.CannotRun("docker is here, but not its compose plugin")
    if not shutil.which("podman"):
        raise shell.CannotRun("neither a docker daemon nor podman is here")
    missing = [tool for tool in ("podman-compose", "runc") if not shutil.which(tool)]
    if missing:
        raise shell.CannotRun(f"podman is here, but not {' and '.join(missing)}")
    if os.geteuid() != 0:
        raise shell.CannotRun("podman's part of this test needs root")
    return Podman()


def try_out(engine):
    """Two containers, one of which finds the other by name: an engine may be installed and yet not
    allowed to run containers here, or lack what gives them a network with names."""
    name = f"quorate-trial-{os.getpid()}"
    try:
        engine.run("network", "create", name)
        engine.run("run", "-d", "--name", name, "--network", name, base_image.NAME, "sleep", "600")
        engine.run("run", "--rm", "--network", name, base_image.NAME, "getent", "hosts", name)
    except shell.Failure as failure:
        raise shell.CannotRun(f"{engine.name} cannot run containers here: {failure}") from failure
    finally:
        engine.run("rm", "-f", name, check=False)
        engine.run("network", "rm", "-f", name, check=False)
