"""Debian's slim base image, made by debootstrap: no registry need be reachable."""

import os
import shutil
import subprocess
import tempfile

import shell

# What `FROM debian:bookworm-slim` means to podman.
NAME = "docker.io/library/debian:bookworm-slim"
MIRROR = "http://deb.debian.org/debian"
_BOOTSTRAP_SECONDS = 600

# What the official image leaves out to be slim, and the lists that every build fetches anew.
_NOT_SLIM = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale",
             "var/cache/apt", "var/lib/apt/lists", "var/log/bootstrap.log")
_SOURCES = f"""\
deb {MIRROR} bookworm main
deb {MIRROR} bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
"""


def _remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def _bootstrap(engine, folder):
    root = os.path.join(folder, "root")
    shell.run(["debootstrap", "--variant=minbase", "bookworm", root, MIRROR],
              seconds=_BOOTSTRAP_SECONDS)
    for path in _NOT_SLIM:
        _remove(os.path.join(root, path))
    for path in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
        os.makedirs(os.path.join(root, path))
    with open(os.path.join(root, "etc/apt/sources.list"), "w", encoding="utf-8") as out:
        out.write(_SOURCES)
    archive = os.path.join(folder, "base.tar")
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    engine.run("import", archive, NAME, seconds=_BOOTSTRAP_SECONDS)


def provide(engine):
    """Leaves the image in the engine's store."""
    if engine.run("image", "exists", NAME, check=False).returncode == 0:
        return
    print("container-test: making the base image with debootstrap, once", flush=True)
    if not shutil.which("debootstrap"):
        raise shell.CannotRun("debootstrap is missing, which makes the base image")
    # Not in /tmp, which may forbid the device files that debootstrap makes.
    with tempfile.TemporaryDirectory(dir="build/container") as folder:
        try:
            _bootstrap(engine, folder)
        except (shell.Failure, subprocess.CalledProcessError, OSError) as problem:
            raise shell.CannotRun(f"no base image: {problem}") from problem
