"""Installs the release build and uses what was installed the way its users do.

Usage: install.py BUILD-FOLDER JOBS

The examples are built against the installed library, by CMake and by pkg-config, and run against a
cluster of the installed programs. Everything lies in build/install-test/.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = os.path.join(ROOT, "build", "install-test")
PREFIX = os.path.join(PLACE, "prefix")
COMPILER = "clang++-19"

sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
import cluster  # noqa: E402


def say(what):
    print(f"== {what}", flush=True)


def fail(what):
    sys.exit(f"install: {what}")


def run(*command, **options):
    print("+ " + " ".join(command), flush=True)
    return subprocess.run(command, check=True, text=True, **options)


def output_of(*command, **options):
    return run(*command, stdout=subprocess.PIPE, **options).stdout


def install(build):
    """Installs to one folder and moves it, since the package files must not care where they lie."""
    say("install")
    shutil.rmtree(PLACE, ignore_errors=True)
    first = os.path.join(PLACE, "first")
    run("cmake", "--install", build, "--prefix", first, stdout=subprocess.DEVNULL)
    os.rename(first, PREFIX)


def check_no_path_of_ours():
    say("no path of this tree in what users read")
    for folder, _, names in os.walk(PREFIX):
        for name in names:
            if not re.search(r"\.(cmake|pc|h|proto|toml|service)$", name):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                if ROOT in file.read():
                    fail(f"{path} names {ROOT}")


def check_headers(jobs):
    """Each public header alone, with no folder of this tree to find a private one in."""
    say("public headers compile alone")
    include = os.path.join(PREFIX, "include")
    headers = []
    for folder, _, names in os.walk(include):
        headers += [os.path.relpath(os.path.join(folder, name), include) for name in names]
    if "quorate/client.h" not in headers:
        fail("quorate/client.h is not installed")
    run("xargs", "-P", jobs, "-I{}", "sh", "-c",
        f"echo '#include \"{{}}\"' | {COMPILER} -std=c++20 -Wall -Wextra -Wpedantic -Werror "
        f"-fsyntax-only -x c++ -I'{include}' -", input="\n".join(sorted(headers)) + "\n")


def build_by_cmake(example):
    say(f"examples/{example} by CMake")
    build = os.path.join(PLACE, example)
    run("cmake", "-S", os.path.join(ROOT, "examples", example), "-B", build, "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={PREFIX}", f"-DCMAKE_CXX_COMPILER={COMPILER}",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror", stdout=subprocess.DEVNULL)
    run("cmake", "--build", build)
    return os.path.join(build, example)


def build_by_pkg_config(example):
    say(f"examples/{example} by pkg-config")
    environment = dict(os.environ, PKG_CONFIG_PATH=os.path.join(PREFIX, "lib", "pkgconfig"))
    flags = output_of("pkg-config", "--cflags", "--libs", "quorate", env=environment).split()
    program = os.path.join(PLACE, example + "-by-pkg-config")
    run(COMPILER, "-std=c++20", os.path.join(ROOT, "examples", example, "main.cc"), *flags,
        "-o", program)
    return program


def check_hello(programs):
    say("hello, in a cluster of the installed programs")
    cluster.BIN = os.path.join(PREFIX, "bin")
    with contextlib.closing(cluster.Cluster(nodes=1)) as one:
        one.start_and_init()
        one.create_keyspace("visits")
        # The examples wait a few seconds for an answer; the leaders of a new keyspace on a busy disk may
        # take longer.
        cluster.wait_until(
            lambda: one.kvctl("import", "visits", "-", stdin=b"".join(
                b'{"key":"k%d","value":""}\n' % i for i in range(200))).code == cluster.DONE,
            cluster.PATIENCE_S, "all partitions take writes")
        for visit, program in enumerate(programs, 1):
            lines = output_of(program, one.nodes[0].address, "visits").splitlines()
            if lines != ["hello, world", f"visit {visit}"]:
                fail(f"{program} printed {lines}")


def main(arguments):
    build, jobs = arguments
    install(build)
    check_no_path_of_ours()
    check_headers(jobs)
    by_cmake = build_by_cmake("hello")
    run(build_by_cmake("unit_test"))
    check_hello([by_cmake, by_cmake, build_by_pkg_config("hello")])
    say("all well")


if __name__ == "__main__":
    main(sys.argv[1:])
