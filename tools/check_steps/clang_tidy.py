"""Runs clang-tidy over our own sources, several at a time, and remembers which were clean.

Most of its time goes into the headers of the standard library, gRPC and Abseil that every source
reads. So the sources of a target are looked at in bundles, each one translation unit that includes
them: a tenth of the work. The sanitizer presets compile the same way, so what cannot stand together
is found there.

Tests are left out: they are half of all sources, the sanitizers run every line of them, and a use
after move or a needless copy harms nobody there.

Usage: clang_tidy.py BUILD JOBS

What was clean is remembered in build/clang-tidy/ under a hash of the sources, all headers of the
tree that the compiler read for them, their compile arguments and .clang-tidy.
"""

import concurrent.futures
import hashlib
import os
import subprocess
import sys
import time

import compile_commands

CACHE = "build/clang-tidy"
BUNDLE_MAX = 16
WITH_VALUE = ("-o", "-MT", "-MF")


def language_arguments(arguments):
    """What decides the meaning of a source: neither compiler, input nor outputs."""
    kept, skip = [], False
    for argument in arguments:
        if skip or argument in WITH_VALUE:
            skip = not skip
        elif argument.startswith("-") and argument not in ("-c", "-MD"):
            kept.append(argument)
        elif kept and kept[-1] in ("-I", "-isystem", "-include"):
            kept.append(argument)
    return kept


def bundles(commands):
    """Lists of (source, output) that share a target, and the arguments that they are compiled with."""
    targets = {}
    for source, arguments, output in commands:
        folder = output[:output.index(".dir/")]
        targets.setdefault((folder, tuple(language_arguments(arguments))), []).append((source, output))
    for (_, arguments), members in sorted(targets.items()):
        for first in range(0, len(members), BUNDLE_MAX):
            yield members[first:first + BUNDLE_MAX], arguments


def fingerprint(sources, arguments, headers):
    digest = hashlib.sha256(" ".join(arguments).encode())
    for path in [".clang-tidy", *sources, *sorted(set(headers))]:
        with open(path, "rb") as stream:
            digest.update(path.encode() + b"\0" + stream.read())
    return digest.hexdigest()


def tidy(build, sources, arguments, name):
    root = os.getcwd()
    unit = os.path.join(root, CACHE, f"{name}.cc")
    with open(unit, "w", encoding="utf-8") as stream:
        stream.writelines(f'#include "{os.path.join(root, source)}"\n' for source in sources)
    started = time.monotonic()
    done = subprocess.run(["clang-tidy-19", "--quiet", unit, "--", *arguments], cwd=build,
                          capture_output=True, text=True, check=False)
    os.remove(unit)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - started


def check_bundle(build, bundle, deps):
    members, arguments = bundle
    sources = [source for source, _ in members]
    headers = [path for _, output in members for path in deps.get(output, [])]
    name = fingerprint(sources, arguments, headers)
    mark = os.path.join(CACHE, name)
    if os.path.exists(mark):
        return sources, 0, "", 0.0
    code, text, seconds = tidy(build, sources, arguments, name)
    if code == 0:
        with open(mark, "w", encoding="utf-8"):
            pass
    return sources, code, text, seconds


def main(build, jobs):
    os.makedirs(CACHE, exist_ok=True)
    commands = [command for command in compile_commands.own_commands(build)
                if not command[0].endswith("_test.cc")]
    deps = compile_commands.headers_by_object(build)
    failed, looked_at, slowest = [], 0, (0.0, "")
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        results = pool.map(lambda each: check_bundle(build, each, deps), bundles(commands))
        for sources, code, text, seconds in results:
            looked_at += len(sources) if seconds > 0 else 0
            slowest = max(slowest, (seconds, sources[0]))
            if code != 0:
                failed += sources
                print(text)
    print(f"{len(commands)} sources, {looked_at} looked at; the slowest bundle begins with "
          f"{slowest[1]}: {slowest[0]:.1f} s")
    if failed:
        print("with findings, in these bundles:", *failed, sep="\n  ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
