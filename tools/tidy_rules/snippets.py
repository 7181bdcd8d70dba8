"""Snippets that the rules must find, and their innocent neighbours that they must not."""

from tidy_rules import banned, exceptions, layering, lengths, protos, rooms, text, unity

_BODY = "  x();\n"


def _function(lines, head="void F()"):
    return head + " {\n" + _BODY * (lines - 2) + "}\n"


_LONG_IN_CLASS = ("namespace a {\nclass X {\n public:\n  struct Y {\n"
                  + _function(61, "  int G() const") + "  };\n};\n}\n")
_LONG_CONSTRUCTOR = _function(61, "X::X(int a) : a_{a}, b_(2)")
_SHORT_FUNCTIONS = "namespace a {\n" + _function(40) * 10 + "int a[] = {\n" + "1,\n" * 100 + "};\n}\n"
_TABLE = "<!-- rooms -->\n| `raft/` | the core |\n<!-- /rooms -->\n"

# (rule, path, content, text that a finding must hold; None: there must be no finding)
CASES = (
    (banned, "raft/a.cc", "std::thread t;", "std::thread"),
    (banned, "server/storage/a.cc", "std::this_thread::sleep_for(x);", "sleep"),
    (banned, "server/cluster/a.cc", "auto t = std::chrono::steady_clock::now();", "clock"),
    (banned, "server/cluster/a.cc", "auto t = absl::Now();", "clock"),
    (banned, "client/src/a.cc", "std::random_device seed;", "random"),
    (banned, "client/src/a.cc", "std::mt19937 engine;", "random"),
    (banned, "client/src/a.cc", "std::mt19937_64 engine{seed};", None),
    (banned, "server/service/a.cc", "int fd = socket(AF_INET, 0, 0);", "socket"),
    (banned, "server/service/a.cc", "x.socket(1); // socket(2)", None),
    (banned, "server/service/a.cc", 'Log("time(0) and rand()");', None),
    (banned, "server/service/a.cc", 'R"(std::thread)"; f(1\'000, \'"\'); // rand()', None),
    (banned, "server/service/a.cc", "/* std::thread */ deadline.time(0); Xtime(0);", None),
    (banned, "server/node.cc", 'getenv("HOME");', "getenv"),
    (banned, "server/main.cc", 'getenv("HOME");', None),
    (banned, "server/runtime/a.cc", "std::thread t;", None),
    (banned, "server/runtime/a.cc", "std::mutex m;", "std::mutex"),
    (banned, "server/runtime/mutex.h", "std::mutex m;", None),
    (banned, "client/src/a.cc", "absl::MutexLock lock(&m);", "absl::Mutex"),
    (banned, "server/service/grpc_server.cc", "std::thread poller;", None),
    (layering, "raft/a.cc", '#include "server/runtime/runtime.h"', "raft/"),
    (layering, "raft/a.cc", '#include "internal/v1/raft.pb.h"', "raft/"),
    (layering, "raft/a.cc", "#include <rocksdb/db.h>", "raft/"),
    (layering, "raft/a.cc", '#include <vector>\n#include "absl/status/status.h"', None),
    (layering, "raft/a_test.cc", '#include "gtest/gtest.h"', None),
    (layering, "server/storage/a.h", '#include "server/placement/ring.h"', "layer above"),
    (layering, "server/cluster/a.h", '#include "server/node.h"', "layer above"),
    (layering, "server/node.h", '#include "server/service/a.h"', None),
    (layering, "server/placement/a.h", '#include "raft/types.h"', None),
    (layering, "server/placement/a.h", '#include "raft/raft_node.h"', "server/placement/"),
    (layering, "server/oddments/a.h", "#include <vector>", "no layer"),
    (layering, "client/include/quorate/a.h", "#include <grpcpp/grpcpp.h>", "client/include/"),
    (layering, "client/src/a.cc", '#include "server/storage/kv_store.h"', "client/"),
    (layering, "server/service/a.cc", "#include <grpcpp/grpcpp.h>", "adapters"),
    (layering, "server/service/grpc_a.cc", "#include <grpcpp/grpcpp.h>", None),
    (layering, "server/storage/grpc_a.cc", '#include "kv/v1/kv.grpc.pb.h"', "adapters"),
    (layering, "server/service/a.cc", '#include "tests/sim/sim_clock.h"', "only tests"),
    (lengths, "raft/a.cc", "int a;\n" * 601, "601 lines"),
    (lengths, "raft/a.cc", _function(61), "F has 61"),
    (lengths, "raft/a.cc", _function(60), None),
    (lengths, "raft/a.cc", _LONG_IN_CLASS, "G has 61"),
    (lengths, "raft/a.cc", _LONG_CONSTRUCTOR, "X has 61"),
    (lengths, "raft/a.cc", _SHORT_FUNCTIONS, None),
    (lengths, "raft/a_test.cc", _function(61, "TEST(A, B)"), "TEST has 61"),
    (lengths, "tools/a.py", "def f():\n" + "    x()\n" * 60, "f has 61"),
    (lengths, "tools/a", "#!/bin/bash\nf() {\n" + "  x\n" * 60 + "}\n", "f has 62"),
    (protos, "proto/a.proto", "message A {\n}", "A needs"),
    (protos, "proto/a.proto", "// Why.\nmessage A {\n  string key = 1;\n}", "key needs"),
    (protos, "proto/a.proto", "// Why.\nenum A {\n  NONE = 0;\n}", "NONE needs"),
    (protos, "proto/a.proto", "// Why.\nservice S {\n  rpc Get(A) returns (B);\n}", "Get needs"),
    (protos, "proto/a.proto", "// Why.\nmessage A {\n  bytes k = 1;  // Of one key.\n}", None),
    (rooms, "README.md", _TABLE + "x", "in the table but not"),
    (text, "raft/a.h", "#ifndef A_H\n#define A_H\n#endif\n", "header-guard"),
    (text, "raft/a.h", "#ifndef RAFT_A_H_\n#define RAFT_A_H_\n#endif\n", None),
    (text, "docs/a.md", "a TO" "DO here", "marker"),
    (text, "docs/a.md", "see /ho" "me/someone/x", "local-path"),
    (text, "docs/a.md", "network/wor" "k/x and -home/ are fine", None),
    (text, "raft/a.cc", "int a;", "dead-file"),
)


def _with_company(path, content):
    """Some rules look at the tree around a file."""
    files = {path: content}
    if path != "README.md":
        files["README.md"] = ""
    return files


def _unity_failures():
    anonymous = "namespace {{\n\n{}\n\n}}  // namespace\n"
    for first, second, wanted in (
            ("constexpr int kA = 1;", "constexpr long kA = 2;", True),
            ("struct A {\n};", "class A final : B {\n};", True),
            ("int F(int a) {\n}", "int F(int a) {\n}", True),
            ("TEST(A, B) {\n}", "TEST(A, B) {\n}", True),
            ("int F(int a) {\n}", "int F(char a) {\n}", False),
            ("constexpr int kA = 1;", "constexpr int kB = 1;", False),
            ("struct A;", "struct A;", False),
            ("int F() {\n  const int a = 1;\n}", "int G() {\n  const int a = 1;\n}", False)):
        files = {"raft/CMakeLists.txt": "quorate_library(raft\n  SOURCES a.cc b.cc\n  DEPENDS x)",
                 "raft/a.cc": anonymous.format(first), "raft/b.cc": anonymous.format(second)}
        if bool(unity.check(files)) != wanted:
            yield f"unity: {first!r} and {second!r}: got {unity.check(files)}"


def _failures():
    for module, path, content, wanted in CASES:
        found = module.check(_with_company(path, content))
        if wanted is None and found:
            yield f"{module.__name__}: must not be found in {content[:60]!r}: {found}"
        elif wanted is not None and not any(wanted in finding for finding in found):
            yield f"{module.__name__}: must be found ({wanted}) in {content[:60]!r}, got {found}"
    both = {"raft/a.cc": '#include "b.h"\n', "raft/a.h": "", "raft/CMakeLists.txt": "a.cc"}
    if not any("first-include" in finding for finding in text.check(both)):
        yield "text: a first include of another header must be found"
    yield from _unity_failures()
    missing_row = rooms.check({"README.md": _TABLE, "raft/a.h": "", "proto/a.proto": ""})
    if len(missing_row) != 1 or "proto/" not in missing_row[0]:
        yield f"rooms: exactly the missing row must be found, got {missing_row}"
    if exceptions.apply(["a.cc:1: rule: x"], {("a.cc", "rule"): "why"}):
        yield "exceptions: a covered finding must go"
    if len(exceptions.apply([], {("a.cc", "rule"): "why"})) != 1:
        yield "exceptions: one that covers nothing must be found"


def run():
    failures = list(_failures())
    for failure in failures:
        print(failure)
    print(f"tidy self-test: {len(CASES) + 12} cases, {len(failures)} failed")
    return 1 if failures else 0
