"""Reads the tree's own files and runs every rule over them."""

import os
import subprocess

from tidy_rules import banned, exceptions, layering, lengths, protos, rooms, text, unity

# Each rule is a function from {path: content} to findings "path:line: rule: message".
RULES = (banned.check, layering.check, lengths.check, protos.check, rooms.check, text.check,
         unity.check)


def own_paths(root):
    """Tracked files and new ones that are not ignored, relative to the root."""
    command = ["git", "-C", root, "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True).stdout
    return sorted(path for path in listed.decode().split("\0") if path)


def load(root):
    """Content by path; files that are not text are left out."""
    files = {}
    for path in own_paths(root):
        full = os.path.join(root, path)
        if not os.path.isfile(full) or os.path.islink(full):
            continue
        try:
            with open(full, encoding="utf-8") as stream:
                files[path] = stream.read()
        except UnicodeDecodeError:
            continue
    return files


def check(files):
    """All findings that no exception covers, and exceptions that cover none."""
    findings = []
    for rule in RULES:
        findings.extend(rule(files))
    return exceptions.apply(findings)
