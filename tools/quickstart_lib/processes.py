"""Processes that outlive the program that started them: recorded, recognised, stopped.

A pid alone names nothing once its process is gone, so a record holds the boot, the start time and
the executable too, and nothing is signalled unless all of them still match.
"""

import contextlib
import os
import signal
import subprocess
import time


def boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def start_ticks(pid):
    """When the process started, in clock ticks since boot; None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    # A zombie has ended; only its parent has not looked yet.
    return None if fields[0] == "Z" else int(fields[19])


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        return None


def record(pid):
    return {"pid": pid, "boot": boot_id(), "start": start_ticks(pid), "exe": executable(pid)}


def is_alive(entry):
    """True if the recorded process still runs and is the one that was recorded."""
    return bool(entry and entry["start"] is not None and entry["boot"] == boot_id()
                and start_ticks(entry["pid"]) == entry["start"]
                and executable(entry["pid"]) == entry["exe"])


def send(entry, number):
    """Signals a recorded process, if it is still that one. True if the signal was sent."""
    if not is_alive(entry):
        return False
    try:
        os.kill(entry["pid"], number)
    except ProcessLookupError:
        return False
    return True


_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextlib.contextmanager
def interrupts_held():
    """Holds interrupts back: one between the start of a process and its record would lose it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def start(command, log_path):
    """Starts a server of its own session, so that the terminal's Ctrl-C does not reach it."""
    with open(log_path, "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING))
    # Between fork and exec the child still shows our own executable.
    give_up = time.monotonic() + 60
    while executable(process.pid) != os.path.realpath(command[0]) and process.poll() is None:
        if time.monotonic() > give_up:
            break
        time.sleep(0.005)
    return process, record(process.pid)


def stop(entries, seconds=30):
    """SIGTERM to all, SIGKILL to those that do not end in time. Returns how many were killed."""
    alive = [entry for entry in entries if send(entry, signal.SIGTERM)]
    give_up = time.monotonic() + seconds
    while alive and time.monotonic() < give_up:
        time.sleep(0.05)
        alive = [entry for entry in alive if is_alive(entry)]
    for entry in alive:
        send(entry, signal.SIGKILL)
    return len(alive)
