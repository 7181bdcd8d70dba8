"""What the user sees: headed steps, and one line that moves while something takes long."""

import shutil
import sys


class QuickstartError(Exception):
    """Ends the run with exit code `code`; the text names the cause and the mend."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


def step(text):
    print(f"\n== {text}", flush=True)


def say(text):
    print(f"   {text}", flush=True)


def progress(done, total, text):
    """Redraws one line on a terminal; elsewhere stays silent."""
    if not sys.stdout.isatty():
        return
    width = 30
    filled = width * done // max(total, 1)
    line = f"   [{'#' * filled}{'.' * (width - filled)}] {done}/{total} {text}"
    columns = shutil.get_terminal_size().columns - 1
    print("\r" + line[:columns].ljust(columns), end="", flush=True)


def end_progress():
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns - 1
        print("\r" + " " * columns, end="\r", flush=True)
