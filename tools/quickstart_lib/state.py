"""The data folder: which folders are ours, what runs in them, and what was imported.

    DATA_DIR/quickstart.json   our mark; nothing is started in or deleted from a folder without it
    DATA_DIR/lock              held while quickstart works on the folder
    DATA_DIR/catalogue.ndjson  the records of the first import
    DATA_DIR/node-1/           kvd's own folder, and node-1.log beside it
"""

import fcntl
import json
import os
import shutil

import processes
from screen import QuickstartError

_MARK = "quorate quickstart"
_FILE = "quickstart.json"


class DataFolder:
    """One cluster's folder. Made and locked by `open_folder`; saved after each change."""

    def __init__(self, path, content):
        self.path = path
        self.base_port = content["base_port"]
        self.nodes = content["nodes"]
        self.imported = content.get("imported")
        # Node number (from 1) → record of its process.
        self.running = {int(node): entry for node, entry in content.get("running", {}).items()}
        self._lock = None

    def file(self, name):
        return os.path.join(self.path, name)

    def save(self):
        content = {"mark": _MARK, "format": 1, "base_port": self.base_port, "nodes": self.nodes,
                   "imported": self.imported, "running": self.running}
        with open(self.file(_FILE + ".new"), "w", encoding="utf-8") as out:
            json.dump(content, out, indent=2)
            out.flush()
            os.fsync(out.fileno())
        os.replace(self.file(_FILE + ".new"), self.file(_FILE))

    def lock(self):
        self._lock = open(self.file("lock"), "w", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise QuickstartError(f"another quickstart is at work in {self.path}; "
                                  "wait for it, or choose another --data-dir") from None

    def alive(self):
        """{node: record} of the nodes that run."""
        return {node: entry for node, entry in sorted(self.running.items())
                if processes.is_alive(entry)}

    def delete(self):
        """Deletes what quickstart made, and the folder if nothing else is in it."""
        for node in range(1, 10):
            shutil.rmtree(self.file(f"node-{node}"), ignore_errors=True)
            _remove(self.file(f"node-{node}.log"))
        for name in ("catalogue.ndjson", "writer.ndjson", "writer.log", "lock", _FILE):
            _remove(self.file(name))
        try:
            os.rmdir(self.path)
        except OSError:
            return sorted(os.listdir(self.path))
        return []


def _remove(path):
    if os.path.lexists(path):
        os.remove(path)


def _read(path):
    """Content of the mark of a folder, or None where there is none."""
    try:
        with open(os.path.join(path, _FILE), encoding="utf-8") as stream:
            content = json.load(stream)
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise QuickstartError(f"cannot read {os.path.join(path, _FILE)}: {error}") from error
    if content.get("mark") != _MARK or content.get("format") != 1:
        raise QuickstartError(f"{os.path.join(path, _FILE)} was not written by this quickstart")
    return content


def find_folder(path):
    """The marked folder at `path`, or None; for --stop and --clean, which make nothing."""
    content = _read(path)
    if content is None:
        if os.path.isdir(path) and os.listdir(path):
            raise QuickstartError(f"{path} does not carry quickstart's mark; it is left alone")
        return None
    folder = DataFolder(path, content)
    folder.lock()
    return folder


def open_folder(path, base_port, nodes):
    """The folder to work in: a new one, or one whose cluster has the wanted shape.

    base_port and nodes are None where the user named none: an existing cluster then keeps its own.
    """
    content = _read(path)
    if content is None:
        if os.path.isdir(path) and os.listdir(path):
            raise QuickstartError(f"{path} has files that quickstart did not make; "
                                  "choose an empty or a new --data-dir")
        os.makedirs(path, exist_ok=True)
        content = {}
    if not os.path.isdir(os.path.join(path, "node-1")):
        # No node has run here yet, so nothing holds the user to an earlier choice.
        content |= {"base_port": base_port or 7400, "nodes": nodes or 3}
    folder = DataFolder(path, content)
    for name, wanted, present in (("--base-port", base_port, folder.base_port),
                                  ("--nodes", nodes, folder.nodes)):
        if wanted is not None and wanted != present:
            raise QuickstartError(f"{path} holds a cluster made with {name} {present}; use that, "
                                  f"another --data-dir, or --clean it first")
    folder.lock()
    folder.save()
    return folder
