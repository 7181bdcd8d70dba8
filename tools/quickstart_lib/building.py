"""Builds the binaries, with fewer jobs where memory is short."""

import os
import re
import subprocess

import screen
from screen import QuickstartError

# The largest compilations (gRPC's headers) take about this much.
_MIB_PER_JOB = 900
_NINJA_LINE = re.compile(r"^\[(\d+)/(\d+)\] (.*)")


def available_mib():
    """Memory that can be had without swapping."""
    with open("/proc/meminfo", encoding="ascii") as stream:
        sizes = dict(line.split(":", 1) for line in stream)
    return int(sizes["MemAvailable"].split()[0]) // 1024


def jobs():
    return max(1, min(len(os.sched_getaffinity(0)), available_mib() // _MIB_PER_JOB))


def _run(command, root, log):
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as process:
        try:
            for line in process.stdout:
                log.write(line)
                match = _NINJA_LINE.match(line)
                if match:
                    screen.progress(int(match.group(1)), int(match.group(2)), match.group(3))
        except BaseException:
            process.terminate()
            raise
    screen.end_progress()
    return process.returncode


def build(root):
    """Builds kvd and kvctl; returns the folder they are in."""
    os.makedirs(os.path.join(root, "build"), exist_ok=True)
    path = os.path.join(root, "build", "quickstart.log")
    count = jobs()
    screen.say(f"building kvd and kvctl with {count} job{'s' if count > 1 else ''} "
               "(log: build/quickstart.log)")
    with open(path, "w", encoding="utf-8") as log:
        for command in (["cmake", "--preset", "release"],
                        ["ninja", "-C", "build/release", f"-j{count}", "kvd", "kvctl"]):
            if _run(command, root, log) != 0:
                log.flush()
                with open(path, encoding="utf-8") as written:
                    print("".join(written.readlines()[-30:]))
                raise QuickstartError(f"the build failed: {' '.join(command)}; see {path}")
    return os.path.join(root, "build", "release", "bin")
