"""What the build folder knows of our own sources: how each is compiled and which headers it read."""

import json
import os
import shlex
import subprocess


def own_commands(build):
    """(source relative to the root, compile arguments, output) of each source that is not generated."""
    root = os.getcwd()
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as stream:
        entries = json.load(stream)
    found = []
    for entry in entries:
        source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
        if not source.startswith(("..", "build" + os.sep)):
            arguments = shlex.split(entry["command"])
            found.append((source, arguments, arguments[arguments.index("-o") + 1]))
    return sorted(found)


def headers_by_object(build):
    """For each object file, the files inside the tree (generated ones too) that it was made from."""
    log = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, capture_output=True,
                         text=True).stdout
    root = os.getcwd()
    deps, current = {}, None
    for line in log.split("\n"):
        if line.startswith("    ") and current is not None:
            path = os.path.normpath(os.path.join(root, build, line.strip()))
            if path.startswith(root + os.sep):
                current.append(path)
        elif ": #deps" in line:
            current = deps.setdefault(line.split(": #deps")[0], [])
    return deps
