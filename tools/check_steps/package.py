"""Builds the Debian packages, judges them, and runs what is in them. Installs none of them.

Usage: package.py BUILD-FOLDER [--lintian]

Everything lies in build/package-test/. systemd-analyze has its say where it is installed, lintian
when asked: it takes longer than all the rest.
"""

import contextlib
import glob
import os
import re
import shutil
import stat
import subprocess
import sys

from install import ROOT, cluster, fail, output_of, run, say

PLACE = os.path.join(ROOT, "build", "package-test")
UNPACKED = os.path.join(PLACE, "unpacked")
PACKAGES = ("quorate-server", "quorate-cli", "libquorate-dev")
# (package, path, mode): what must be there, beside much else.
FILES = (
    ("quorate-server", "usr/bin/kvd", 0o755),
    ("quorate-server", "lib/systemd/system/quorate.service", 0o644),
    ("quorate-server", "etc/quorate/kvd.toml", 0o644),
    ("quorate-server", "usr/share/man/man8/kvd.8.gz", 0o644),
    ("quorate-cli", "usr/bin/kvctl", 0o755),
    ("quorate-cli", "usr/share/man/man1/kvctl.1.gz", 0o644),
    ("quorate-cli", "usr/share/bash-completion/completions/kvctl", 0o644),
    ("quorate-cli", "usr/share/zsh/vendor-completions/_kvctl", 0o644),
    ("quorate-cli", "usr/share/fish/vendor_completions.d/kvctl.fish", 0o644),
    ("libquorate-dev", "usr/include/quorate/client.h", 0o644),
    ("libquorate-dev", "usr/lib/libquorate.a", 0o644),
    ("libquorate-dev", "usr/lib/libquorate_testing.a", 0o644),
    ("libquorate-dev", "usr/lib/pkgconfig/quorate.pc", 0o644),
    ("libquorate-dev", "usr/share/quorate/proto/kv/v1/key_value.proto", 0o644),
)


def build_packages(build):
    """Name → file."""
    say("cpack")
    shutil.rmtree(PLACE, ignore_errors=True)
    run("cpack", "--config", os.path.join(build, "CPackConfig.cmake"), "-B", PLACE,
        stdout=subprocess.DEVNULL)
    shutil.rmtree(os.path.join(PLACE, "_CPack_Packages"))
    found = {os.path.basename(path).split("_")[0]: path for path in glob.glob(PLACE + "/*.deb")}
    if set(found) != set(PACKAGES):
        fail(f"cpack made {sorted(found)}")
    return found


def field(package, name):
    return output_of("dpkg-deb", "-f", package, name).strip()


def check_control(packages):
    say("control files")
    version = re.search(r"project\(quorate VERSION (\S+)",
                        open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8").read())[1]
    for name, package in packages.items():
        if field(package, "Version") != version:
            fail(f"{name} has version {field(package, 'Version')}, the tree {version}")
    server = packages["quorate-server"]
    for needed in ("adduser", "libgrpc++", "librocksdb", "libc6"):
        if needed not in field(server, "Depends"):
            fail(f"quorate-server does not depend on {needed}: {field(server, 'Depends')}")
    if "librocksdb" in field(packages["quorate-cli"], "Depends"):
        fail("kvctl is linked with RocksDB, which it has no use for")
    control = os.path.join(PLACE, "control")
    run("dpkg-deb", "-e", server, control)
    with open(os.path.join(control, "conffiles"), encoding="utf-8") as conffiles:
        if conffiles.read() != "/etc/quorate/kvd.toml\n":
            fail("the configuration is no conffile, so an upgrade would overwrite it")
    for script in ("postinst", "prerm", "postrm"):
        path = os.path.join(control, script)
        if not os.stat(path).st_mode & stat.S_IXUSR:
            fail(f"{script} is not executable")
        run("sh", "-n", path)
        with open(path, encoding="utf-8") as text:
            if re.search(r"systemctl\s.*\b(start|restart|enable)\b", text.read()):
                fail(f"{script} starts the service")
    return version


def unpack(packages):
    say("unpack")
    for name, package in packages.items():
        run("dpkg-deb", "-x", package, UNPACKED)
        if not os.path.isfile(os.path.join(UNPACKED, "usr/share/doc", name, "copyright")):
            fail(f"{name} has no copyright file")
    for name, path, mode in FILES:
        found = os.lstat(os.path.join(UNPACKED, path))
        if stat.S_IMODE(found.st_mode) != mode:
            fail(f"{name}: {path} has mode {stat.S_IMODE(found.st_mode):o}")
    for path in glob.glob(UNPACKED + "/**/*", recursive=True):
        if re.search(r"\.(cmake|pc|h|proto|toml|service)$", path):
            with open(path, encoding="utf-8") as file:
                if ROOT in file.read():
                    fail(f"{path} names {ROOT}")


def check_unit():
    """systemd wants the program where the unit says, which is not where it was unpacked."""
    if shutil.which("systemd-analyze") is None:
        say("no systemd-analyze here: the unit is not verified")
        return
    say("systemd unit")
    with open(os.path.join(UNPACKED, "lib/systemd/system/quorate.service"),
              encoding="utf-8") as unit:
        text = unit.read()
    if "ExecStart=/usr/bin/kvd " not in text:
        fail("the unit does not start /usr/bin/kvd")
    copy = os.path.join(PLACE, "quorate.service")
    with open(copy, "w", encoding="utf-8") as unit:
        unit.write(text.replace("/usr/bin/kvd", os.path.join(UNPACKED, "usr/bin/kvd")))
    said = run("systemd-analyze", "verify", "--man=no", copy, stdout=subprocess.PIPE,
               stderr=subprocess.STDOUT).stdout
    if "quorate.service" in said:
        fail(f"systemd-analyze says: {said}")


def check_lintian(packages):
    say("lintian")
    # Who answers for the packages is whoever builds them for others, and says so to CMake.
    run("lintian", "--allow-root", "--fail-on", "error", "--suppress-tags",
        "bogus-mail-host,bogus-mail-host-in-debian-changelog",
        *packages.values())


def check_run(version):
    say("the unpacked programs, with the unpacked configuration")
    cluster.BIN = os.path.join(UNPACKED, "usr/bin")
    for program, word in (("kvd", "--version"), ("kvctl", "version")):
        said = output_of(os.path.join(cluster.BIN, program), word).split()
        if version not in said:
            fail(f"{program} {word} says {said}, the package {version}")
    config = os.path.join(UNPACKED, "etc/quorate/kvd.toml")
    with open(config, encoding="utf-8") as file:
        if '\ndata-dir = "/var/lib/quorate"\n' not in file.read():
            fail("the configuration does not name the folder that the unit provides")
    with contextlib.closing(cluster.Cluster(nodes=1)) as one:
        one.nodes[0].start("--config", config)
        one.nodes[0].wait_up()
        for words in (("init",), ("keyspace", "create", "k", "--replicas", "1"),
                      ("put", "k", "a", "b"), ("get", "k", "a")):
            done = one.kvctl(*words)
            if done.code != cluster.DONE:
                one.show_logs()
                fail(f"kvctl {' '.join(words)}: {done}")
        code, _ = one.nodes[0].stop()
        if code != 0:
            fail(f"kvd ended with {code}")


def main(arguments):
    packages = build_packages(arguments[0])
    version = check_control(packages)
    unpack(packages)
    check_unit()
    if "--lintian" in arguments:
        check_lintian(packages)
    check_run(version)
    say("all well")


if __name__ == "__main__":
    main(sys.argv[1:])
