"""Runs kvctl and reads its JSON."""

import json
import os
import subprocess

from screen import QuickstartError


class Kvctl:
    """kvctl of one cluster. Its calls block; the error of a failed one carries kvctl's own words."""

    def __init__(self, binary, endpoints):
        self._binary = binary
        self._endpoints = ",".join(endpoints)
        # The caller's own KVCTL_… settings are for another cluster.
        self._environment = {name: value for name, value in os.environ.items()
                             if not name.startswith("KVCTL_")}

    def command(self, *arguments, timeout="60s", endpoints=None, output="json"):
        return [self._binary, "--endpoints", endpoints or self._endpoints, "--output", output,
                "--timeout", timeout, *arguments]

    def _run(self, command, stderr):
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=stderr, env=self._environment, check=False)

    def try_json(self, *arguments, **options):
        """(JSON, "") or (None, what went wrong)."""
        done = self._run(self.command(*arguments, **options), subprocess.PIPE)
        if done.returncode != 0:
            return None, done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}"
        return (json.loads(done.stdout) if done.stdout.strip() else {}), ""

    def json(self, *arguments, **options):
        found, error = self.try_json(*arguments, **options)
        if found is None:
            raise QuickstartError(f"kvctl {' '.join(arguments)} failed: {error}")
        return found

    def watched_json(self, *arguments, **options):
        """Like json, with what kvctl writes to stderr (progress) shown as it comes."""
        done = self._run(self.command(*arguments, **options), None)
        if done.returncode != 0:
            raise QuickstartError(f"kvctl {' '.join(arguments)} failed with exit code "
                                  f"{done.returncode}")
        return json.loads(done.stdout)

    def lines(self, *arguments, **options):
        """The lines of a streamed answer, as text."""
        done = self._run(self.command(*arguments, **options), subprocess.PIPE)
        if done.returncode != 0:
            raise QuickstartError(f"kvctl {' '.join(arguments)} failed: "
                                  f"{done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode("utf-8").split("\n")

    def start(self, *arguments, stdout, stderr, **options):
        """Starts a call that goes on while others are made."""
        return subprocess.Popen(self.command(*arguments, **options), stdin=subprocess.DEVNULL,
                                stdout=stdout, stderr=stderr, env=self._environment)
