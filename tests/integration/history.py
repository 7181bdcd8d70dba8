"""The history of `history_load`: what its clients saw."""

import json


def operations(path):
    """(invocation, end) of each operation of a history, as docs/formats.md has them; no end: None."""
    found, open_ones = [], {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["type"] == "invoke":
                open_ones[entry["process"]] = entry
            else:
                found.append((open_ones.pop(entry["process"]), entry))
    return found + [(begin, None) for begin in open_ones.values()]


def write_with_a_stale_read(path, stale_path):
    """Copies a history with one read of a value that had been replaced before the read began. Says
    which; None when no read has two writes before it."""
    by_key = {}
    for begin, end in operations(path):
        if end is not None and end["type"] == "ok":
            by_key.setdefault(begin["key"], []).append((begin, end))
    for done in by_key.values():
        writes = [(begin, end) for begin, end in done if begin["f"] == "write"]
        for read, answer in (each for each in done if each[0]["f"] == "read"):
            for newer, newer_end in (each for each in writes if each[1]["time"] < read["time"]):
                older = next((begin for begin, end in writes if end["time"] < newer["time"]), None)
                if older is not None:
                    stale = dict(answer, value=older["value"])
                    replace_line(path, stale_path, answer, stale)
                    return f"{stale}, replaced by {newer_end}"
    return None


def replace_line(path, new_path, old, new):
    with open(path, encoding="utf-8") as lines, open(new_path, "w", encoding="utf-8") as out:
        for line in lines:
            out.write(json.dumps(new) + "\n" if json.loads(line) == old else line)
