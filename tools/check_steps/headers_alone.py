"""Compiles alone each header that has no source file of its own.

Usage: headers_alone.py BUILD JOBS

A header with an x.cc is shown to compile alone by the build, since tools/tidy makes x.cc include it
first. The others are compiled here, with the flags of some source of the same folder or above.
"""

import concurrent.futures
import os
import subprocess
import sys

import compile_commands


def flags_for(header, commands):
    """The include and language flags of the source that is nearest to the header."""
    def nearness(command):
        return len(os.path.commonprefix([os.path.dirname(header), os.path.dirname(command[0])]))
    arguments = max(commands, key=nearness)[1]
    # A folder may have no source yet, so the folders of all sources' headers are searched.
    folders = dict.fromkeys(a for _, each, _ in commands for a in each if a.startswith("-I"))
    system = dict.fromkeys(each[i + 1] for _, each, _ in commands for i, a in enumerate(each)
                           if a == "-isystem")
    flags = [a for a in arguments if a.startswith(("-D", "-std", "-W", "-f"))]
    return [*flags, *folders, *(flag for path in system for flag in ("-isystem", path))]


def compile_alone(header, commands):
    command = ["clang++-19", *flags_for(header, commands), "-Wno-pragma-once-outside-header",
               "-fsyntax-only", "-x", "c++", header]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return header, done.returncode, done.stderr


def main(build, jobs):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.h"], check=True,
                            capture_output=True, text=True).stdout.split()
    headers = [h for h in listed if os.path.exists(h) and not os.path.exists(h[:-2] + ".cc")]
    commands = compile_commands.own_commands(build)
    if not commands:
        print("nothing is compiled yet, so there are no flags to compile headers with")
        return 0
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        for header, code, errors in pool.map(lambda h: compile_alone(h, commands), headers):
            if code != 0:
                failed += 1
                print(f"{header} does not compile alone:\n{errors}")
    print(f"{len(headers)} headers without a source file, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
