"""Running commands with a limit, and waiting with one."""

import subprocess
import time


class Failure(Exception):
    """Something that was promised does not hold."""


class CannotRun(Exception):
    """The machine lacks what the test needs; nothing has been shown."""


# podman asks systemd to schedule health checks and tells so wherever there is none.
_NOISE = ("systemd", "connect to syslog")


def _without_noise(text):
    return "\n".join(line for line in text.splitlines()
                     if not any(noise in line for noise in _NOISE))


def run(command, env=None, seconds=600, check=True):
    """The finished process, its output as text. With `check` a non-zero end is a Failure."""
    try:
        done = subprocess.run(command, env=env, timeout=seconds, check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)
    except FileNotFoundError as problem:
        raise Failure(f"{command[0]}: {problem.strerror}") from problem
    except subprocess.TimeoutExpired as problem:
        raise Failure(f"took more than {seconds} s: {' '.join(command)}") from problem
    done.stderr = _without_noise(done.stderr)
    if check and done.returncode != 0:
        output = (done.stdout + done.stderr).strip().splitlines()[-40:]
        raise Failure(f"exit code {done.returncode}: {' '.join(command)}\n" + "\n".join(output))
    return done


def wait_for(what, seconds, holds):
    """Polls until `holds()` is true; it may raise Failure meanwhile."""
    give_up = time.monotonic() + seconds
    while True:
        problem = ""
        try:
            if holds():
                return
        except Failure as failure:
            problem = f": {failure}"
        if time.monotonic() > give_up:
            raise Failure(f"after {seconds} s still not: {what}{problem}")
        time.sleep(0.25)


def expect(holds, claim):
    if not holds:
        raise Failure(f"not so: {claim}")
    print(f"  ok  {claim}", flush=True)
