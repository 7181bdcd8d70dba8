"""Who may include whom. A layer knows the ones below it and none above (docs/architecture.md)."""

import re

from tidy_rules import cpp_source

# Lowest first. Files directly in server/ form the layer on top.
LAYERS = ("runtime", "storage", "placement", "replication", "cluster", "service")

# gRPC's types stay in adapters: files with `grpc` in their name in these folders, and nowhere else.
GRPC_FOLDERS = ("proto/", "server/service/", "server/replication/", "server/runtime/",
                "server/cluster/", "client/src/", "tests/", "tools/kvbench/")
_GRPC_HEADER = re.compile(r"^(grpcpp|grpc|grpc\+\+)/|\.grpc\.pb\.h$")

# Rooms whose includes are a closed list: what they need beside the standard library.
_CLOSED = {
    "raft/": ("raft/", "absl/", "fmt/"),
    "server/placement/": ("server/placement/", "server/runtime/check.h", "raft/types.h",
                          "raft/check.h", "absl/", "fmt/", "xxhash.h"),
    "client/include/": ("quorate/", "client/include/", "absl/"),
}
_TEST_ONLY = ("gtest/", "gmock/", "tests/")
# Rooms that may use a part of server/ only.
_PARTS_OF_SERVER = {
    "client/": ("server/runtime/", "server/placement/"),
    "tools/kvctl/": ("server/runtime/", "server/placement/"),
}


def layer_of(path):
    """The height of a path in server/, else None."""
    if not path.startswith("server/"):
        return None
    parts = path.split("/")
    if len(parts) == 2:
        return len(LAYERS)
    return LAYERS.index(parts[1]) if parts[1] in LAYERS else -1


def _is_test(path):
    return bool(re.search(r"_test(_[a-z]+)?\.(cc|h)$|/test_[a-z_]+\.(cc|h)$", path))


def _is_standard(target, system):
    return system and re.fullmatch(r"[a-z_]+(\.h)?", target) and not target.startswith("xxhash")


def _closed_room(path, target, system):
    for room, allowed in _CLOSED.items():
        if not path.startswith(room) or _is_standard(target, system):
            continue
        if target.startswith(allowed) or (_is_test(path) and target.startswith(_TEST_ONLY)):
            continue
        return (f"{room} may include only the standard library and {', '.join(allowed)}; "
                f"{target} is outside")
    return None


def _upward(path, target):
    own, theirs = layer_of(path), layer_of(target)
    if own == -1:
        return f"{path} is in no layer of server/ that tools/tidy_rules/layering.py knows"
    if own is not None and theirs is not None and theirs > own:
        return f"{target} is a layer above; a layer knows only the ones below it"
    for room, parts in _PARTS_OF_SERVER.items():
        if path.startswith(room) and theirs is not None and not target.startswith(parts):
            return f"{room} may use of server/ only {' and '.join(parts)}"
    if path.startswith(("server/", "raft/", "client/")) and target.startswith("tools/"):
        return "nothing includes a tool"
    if not _is_test(path) and not path.startswith("tests/") and target.startswith("tests/"):
        return "only tests include tests/"
    return None


def _grpc(path, target):
    if not _GRPC_HEADER.search(target):
        return None
    name = path.rsplit("/", 1)[-1]
    if "grpc" in name and path.startswith(GRPC_FOLDERS):
        return None
    return ("gRPC headers belong into adapters: a file with grpc in its name in "
            f"{', '.join(GRPC_FOLDERS)}")


def check(files):
    findings = []
    for path, content in files.items():
        if not cpp_source.is_cpp(path):
            continue
        for line, target, system in cpp_source.includes(content):
            for message in (_closed_room(path, target, system), _upward(path, target),
                            _grpc(path, target)):
                if message:
                    findings.append(f"{path}:{line}: layering: {message}")
    return findings
