"""Calls that would take the system out of the simulator's hands, each with what to use instead."""

import re

from tidy_rules import cpp_source

# Where the world is reached on purpose: the production side of the runtime, the simulator, tests
# that drive real processes, command-line tools, main functions and gRPC adapters.
_WORLD = re.compile(r"^(server/runtime/|tests/|tools/)|(^|/)([a-z0-9_]+_)?main\.cc$")
_GRPC_ADAPTER = re.compile(r"(^|/)[a-z0-9_]*grpc[a-z0-9_]*\.(cc|h)$")

_LOOP = "post to an Executor of server/runtime"
_CLOCK = "take the time from the Clock of server/runtime, or as an argument"
_RANDOM = "draw from the Random of server/runtime, or take a seed"

# (name of the call, expression, replacement)
_WORLD_CALLS = (
    ("sleep", r"\b(sleep_for|sleep_until|SleepFor|usleep|nanosleep)\s*\(", "use Executor::PostAt"),
    ("clock", r"\b(steady_clock|system_clock|high_resolution_clock)::now\b", _CLOCK),
    ("clock", r"\b(clock_gettime|gettimeofday|absl::Now|GetCurrentTimeNanos)\s*\(", _CLOCK),
    ("clock", r"(?<![\w.>:])(?:std::)?time\s*\(\s*(nullptr|NULL|0|&)", _CLOCK),
    ("random", r"\b(random_device|absl::BitGen|default_random_engine)\b", _RANDOM),
    ("random", r"\bmt19937(_64)?\s+\w+\s*;", _RANDOM),
    ("random", r"(?<![\w.>])(std::)?s?rand\s*\(", _RANDOM),
    ("socket", r"(?<![\w.>])(::)?(socket|accept4?|connect|getaddrinfo)\s*\(",
     "use the PeerNetwork of server/runtime"),
)
# A test has no main() of its own, so a seed to repeat comes from the environment; and what is made
# for several threads is tested with several.
_NOT_IN_TESTS = (
    ("std::thread", r"\bstd::(jthread|thread|async)\b(?!::id)", _LOOP),
    ("getenv", r"\b(secure_)?getenv\s*\(", "read the environment in main() and pass values down"),
)
_MUTEX = (
    ("absl::Mutex", r"\babsl::(Mutex|MutexLock|ReaderMutexLock|CondVar)\b",
     "Debian's aborts on lock inversion and hides from TSan; use server/runtime/mutex.h"),
    ("std::mutex", r"\bstd::((recursive_|shared_|timed_)*mutex|condition_variable(_any)?|"
     r"lock_guard|unique_lock|scoped_lock)\b",
     "use the annotated Mutex of server/runtime/mutex.h, so that clang checks what it guards"),
)


def _findings(path, stripped, calls):
    for name, expression, replacement in calls:
        for match in re.finditer(expression, stripped):
            line = cpp_source.line_of(stripped, match.start())
            yield f"{path}:{line}: banned-call: {name} ({match.group(0).strip()}): {replacement}"


def _reaches_world(path):
    if _WORLD.search(path):
        return True
    return bool(_GRPC_ADAPTER.search(path)) and not path.startswith("raft/")


def check(files):
    findings = []
    for path, content in files.items():
        if not cpp_source.is_cpp(path):
            continue
        stripped = cpp_source.strip(content)
        if not _reaches_world(path):
            findings.extend(_findings(path, stripped, _WORLD_CALLS))
            if not path.endswith("_test.cc"):
                findings.extend(_findings(path, stripped, _NOT_IN_TESTS))
        if path != "server/runtime/mutex.h" and not path.startswith("tests/"):
            findings.extend(_findings(path, stripped, _MUTEX))
    return findings
