"""The table of rooms in README.md against the folders of the tree."""

import re

_BEGIN, _END = "<!-- rooms -->", "<!-- /rooms -->"
_ROW = re.compile(r"^\|\s*\[?`([\w./-]+)/`")


def folders(files):
    """Top-level folders and those of server/, without hidden ones."""
    found = set()
    for path in files:
        parts = path.split("/")
        if len(parts) > 1 and not parts[0].startswith("."):
            found.add(parts[0])
        if len(parts) > 2 and parts[0] == "server":
            found.add("/".join(parts[:2]))
    return found


def check(files):
    readme = files.get("README.md", "")
    if _BEGIN not in readme or _END not in readme:
        return [f"README.md:1: rooms: the table between {_BEGIN} and {_END} is missing"]
    first = readme[:readme.index(_BEGIN)].count("\n") + 1
    table = readme[readme.index(_BEGIN):readme.index(_END)]
    listed = {}
    for number, line in enumerate(table.split("\n")):
        match = _ROW.match(line)
        if match:
            listed[match.group(1)] = first + number
    present = folders(files)
    findings = [f"README.md:{first}: rooms: {room}/ is in the tree but not in the table"
                for room in sorted(present - set(listed))]
    findings.extend(f"README.md:{listed[room]}: rooms: {room}/ is in the table but not in the tree"
                    for room in sorted(set(listed) - present))
    return findings
