"""Rules on plain text: header guards, first includes, dead files, forgotten markers, local paths."""

import os
import re

from tidy_rules import cpp_source

# Put together from halves, so that this file does not find itself.
_MARKER = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK")) + r")\b")
_LOCAL_PATH = re.compile(r"(?<![\w./~*-])/(" + "|".join(("work", "root", "home")) + r")/\w")


def guard_of(path):
    return re.sub(r"[^A-Z0-9]", "_", path.upper()) + "_"


def _guards(path, content):
    names = {guard_of(path)}
    if path.startswith("client/include/"):
        names.add(guard_of(path[len("client/include/"):]))
    match = re.search(r"^#ifndef (\w+)\n#define (\w+)\n", content, re.MULTILINE)
    if not match or match.group(1) != match.group(2) or match.group(1) not in names:
        yield f"{path}:1: header-guard: expected #ifndef {guard_of(path)} and the same #define"


def _first_include(path, content, files):
    """x.cc includes x.h first, which shows at each build that the header compiles alone."""
    own = re.sub(r"\.cc$", ".h", path)
    included = cpp_source.includes(content)
    spelled = {own, own[len("client/include/"):] if own.startswith("client/include/") else own}
    if path.startswith("client/src/"):
        public = "client/include/quorate/" + own[len("client/src/"):]
        if public in files and own not in files:
            own, spelled = public, {public, "quorate/" + public.rsplit("/", 1)[-1]}
    if own in files and (not included or included[0][1] not in spelled):
        yield f"{path}:1: first-include: {own} comes first, so that it is shown to compile alone"


def _dead(path, files):
    folder, name = os.path.split(path)
    while True:
        listing = files.get(os.path.join(folder, "CMakeLists.txt"), "")
        if re.search(r"(?<![\w.])" + re.escape(name) + r"(?!\w)", listing):
            return
        if not folder:
            break
        folder = os.path.dirname(folder)
    yield f"{path}:1: dead-file: no CMakeLists.txt names {name}, so nothing builds it"


def _lines(path, content):
    for number, line in enumerate(content.split("\n"), 1):
        marker = _MARKER.search(line)
        if marker:
            yield f"{path}:{number}: marker: {marker.group(0)}: do it, or leave it out and say so in docs/"
        if _LOCAL_PATH.search(line):
            yield f"{path}:{number}: local-path: a path of one machine; make it relative"


def check(files):
    findings = []
    for path, content in files.items():
        findings.extend(_lines(path, content))
        if path.endswith(".h"):
            findings.extend(_guards(path, content))
        elif path.endswith(".cc"):
            findings.extend(_first_include(path, content, files))
            findings.extend(_dead(path, files))
    return findings
