#!/usr/bin/env python3
"""Runs the commands of a page as they stand, and holds the output that the page shows to theirs.

    doc_commands.py alone PAGE…    each page in a network, process and folder of its own
    doc_commands.py here PAGE…     in this tree's folder, with the network and environment as they are
    doc_commands.py shows FILE     0 if standard input has the lines of FILE; what `retry` uses

A fenced block behind the line `<!-- check: run -->` is run by bash, all blocks of a page one after
the other in one shell that stops at the first command that fails. A block behind
`<!-- check: expect -->` is what the last one prints: each of its lines must come, in that order,
possibly with others in between; … stands for any text, and runs of blanks count as one. A block behind
`<!-- check: retry -->` only looks, or does the same however often it is run: it has a shell of its own,
and is run again for up to a minute until it succeeds and prints what is expected, since a node on a
busy machine may be late with an answer, or without its leaderships for a moment.

Commands find kvd and kvctl in the PATH and start in a folder that holds nothing but `quorate`, a
link to this tree. They may use any port of 127.0.0.1, and what they leave running ends with the page. Where the system permits no namespaces,
the exit code is 77.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE_SECONDS_MAX = 900
RETRY_SECONDS = 60
_MARK = re.compile(r"^<!-- check: (run|retry|expect) -->$")
_LOOPBACK_UP = """
import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
"""


class Mistake(Exception):
    """A page that cannot be run, or does not say what happens."""


class Block:
    """Commands, the line where they begin, and the lines that they should print."""

    def __init__(self, line, commands, retry=False):
        self.line = line
        self.commands = commands
        self.retry = retry
        self.expected = []


def blocks_of(text):
    blocks = []
    mark = None
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        if fence is not None:
            if line.startswith("```"):
                kind, start, content = fence
                if kind in ("run", "retry"):
                    blocks.append(Block(start, content, kind == "retry"))
                elif kind == "expect":
                    blocks[-1].expected.extend(item for item in content if item.strip())
                fence = None
            else:
                fence[2].append(line)
        elif line.startswith("```"):
            fence = (mark, number, [])
            mark = None
        elif found := _MARK.match(line):
            mark = found.group(1)
            if mark == "expect" and not blocks:
                raise Mistake(f"line {number}: output is expected before any command")
        elif mark is not None and line.strip():
            raise Mistake(f"line {number}: a mark stands before a fenced block")
    return blocks


def _as_expression(line):
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("…")]
    return re.compile(r"^\s*" + r".*".join(parts) + r"\s*$")


def missing_line(expected, printed):
    """The first expected line that does not come; None: all come in order."""
    lines = iter(printed)
    for line in expected:
        expression = _as_expression(line)
        if not any(expression.match(candidate) for candidate in lines):
            return line
    return None


# Commands go to a file of their own: in a condition bash would not stop at the first that fails.
_RETRY = """
give_up=$((SECONDS + {seconds}))
until bash -euo pipefail {file}.commands >{file}.printed 2>&1 &&
  python3 -B {program} shows {file}.expected <{file}.printed; do
  ((SECONDS < give_up)) || {{ cat {file}.printed; false; }}
  sleep 0.5
done
cat {file}.printed
"""


def script_of(blocks, folder, banner=None):
    """Writes what it needs beside itself into the folder."""
    lines = ["set -euo pipefail"]
    for index, block in enumerate(blocks):
        if banner:
            lines.append(f"echo '{banner} {index}'")
        if block.retry:
            file = folder / f"block-{index}"
            file.with_suffix(".commands").write_text("\n".join(block.commands) + "\n")
            file.with_suffix(".expected").write_text("\n".join(block.expected) + "\n")
            program = pathlib.Path(__file__).resolve()
            lines.append(_RETRY.format(seconds=RETRY_SECONDS, file=file, program=program))
        else:
            lines.extend(block.commands)
    return "\n".join(lines) + "\n"


def _by_block(output, banner, count):
    printed = [[] for _ in range(count)]
    at = -1
    for line in output.splitlines():
        if line.startswith(banner + " "):
            at = int(line.rsplit(" ", 1)[1])
        elif at >= 0:
            printed[at].append(line)
    return printed, at


def _isolated():
    """The command that gives a new network and makes everything in it end together."""
    command = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        command[1:1] = ["--user", "--map-root-user", "--mount"]
    probe = subprocess.run(command + ["true"], capture_output=True, text=True)
    return command if probe.returncode == 0 else None


def _run_alone(script, isolated):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("KVCTL_", "KVD_"))}
    # Debian's python3 goes first: its packages are the ones that tools/setup installs.
    environment["PATH"] = f"{ROOT}/build/release/bin:/usr/bin:{environment['PATH']}"
    environment["KVCTL_OUTPUT"] = "table"  # as on the terminal that the reader has
    environment["KVCTL_TIMEOUT"] = "60s"  # the reader's default is for a machine that is not busy
    environment["HOME"] = str(script.parent)
    folder = script.parent / "work"
    folder.mkdir()
    (folder / "quorate").symlink_to(ROOT)
    start = f"python3 -c '{_LOOPBACK_UP}' && exec bash {script}"
    return _run(isolated + ["timeout", str(PAGE_SECONDS_MAX), "bash", "-c", start], folder,
                environment)


def _run(command, folder, environment):
    return subprocess.run(command, cwd=folder, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def run_page(page, isolated):
    """`isolated`: the command that makes a network; None: here."""
    blocks = blocks_of(page.read_text())
    if not blocks:
        raise Mistake(f"{page}: no commands to run")
    banner = "doc_commands: block"
    with tempfile.TemporaryDirectory(prefix="quorate-docs-", ignore_cleanup_errors=True) as home:
        # Not by standard input: the commands would read on in it.
        script = pathlib.Path(home) / "commands"
        script.write_text(script_of(blocks, pathlib.Path(home), banner))
        if isolated is None:
            environment = dict(os.environ, KVCTL_OUTPUT="table", KVCTL_TIMEOUT="60s")
            done = _run(["timeout", str(PAGE_SECONDS_MAX), "bash", str(script)], ROOT, environment)
        else:
            done = _run_alone(script, isolated)
    print(done.stdout)
    printed, last = _by_block(done.stdout, banner, len(blocks))
    if done.returncode != 0:
        raise Mistake(f"{page}:{blocks[max(last, 0)].line}: the commands end with {done.returncode}")
    for block, lines in zip(blocks, printed):
        line = missing_line(block.expected, lines)
        if line is not None:
            raise Mistake(f"{page}:{block.line}: the page shows a line that does not come: {line}")
    print(f"{page}: {len(blocks)} blocks, {sum(len(b.expected) for b in blocks)} lines shown")


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("alone", "here", "shows"):
        sys.exit(__doc__)
    if sys.argv[1] == "shows":
        expected = pathlib.Path(sys.argv[2]).read_text().split("\n")
        expected = [line for line in expected if line.strip()]
        sys.exit(missing_line(expected, sys.stdin.read().splitlines()) is not None)
    isolated = None
    if sys.argv[1] == "alone":
        isolated = _isolated()
        if isolated is None:
            print("not run: missing capability: network namespaces")
            sys.exit(77)
    try:
        for name in sys.argv[2:]:
            run_page(pathlib.Path(name), isolated)
    except Mistake as mistake:
        sys.exit(f"doc_commands: {mistake}")


if __name__ == "__main__":
    main()
