"""Runs clang-tidy over our own sources, several at a time, and remembers which were clean.

Tests are left out: they are half of all sources, the sanitizers run every line of them, and a use
after move or a needless copy harms nobody there.

Usage: clang_tidy.py BUILD JOBS

What was clean is remembered in build/clang-tidy/ under a hash of the source, all headers of the
tree that the compiler read for it, its compile command and .clang-tidy.
"""

import concurrent.futures
import hashlib
import os
import subprocess
import sys
import time

import compile_commands

CACHE = "build/clang-tidy"


def fingerprint(source, arguments, headers):
    digest = hashlib.sha256(" ".join(arguments).encode())
    for path in [".clang-tidy", source, *sorted(set(headers))]:
        with open(path, "rb") as stream:
            digest.update(path.encode() + b"\0" + stream.read())
    return digest.hexdigest()


def tidy(build, source):
    command = ["clang-tidy-19", "-p", build, "--quiet", source]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - started


def check_one(build, command, deps):
    source, arguments, output = command
    mark = os.path.join(CACHE, fingerprint(source, arguments, deps.get(output, [])))
    if os.path.exists(mark):
        return source, 0, "", 0.0
    code, text, seconds = tidy(build, source)
    if code == 0:
        with open(mark, "w", encoding="utf-8"):
            pass
    return source, code, text, seconds


def main(build, jobs):
    os.makedirs(CACHE, exist_ok=True)
    commands = [command for command in compile_commands.own_commands(build)
                if not command[0].endswith("_test.cc")]
    deps = compile_commands.headers_by_object(build)
    failed, looked_at, slowest = [], 0, (0.0, "")
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        results = pool.map(lambda c: check_one(build, c, deps), commands)
        for source, code, text, seconds in results:
            looked_at += seconds > 0
            slowest = max(slowest, (seconds, source))
            if code != 0:
                failed.append(source)
                print(text)
    print(f"{len(commands)} sources, {looked_at} looked at, {len(failed)} with findings; "
          f"slowest {slowest[1]} {slowest[0]:.1f} s")
    for source in failed:
        print(f"  {source}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
