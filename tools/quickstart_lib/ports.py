"""Who holds a TCP port of this machine, from /proc alone."""

import os

_LISTEN = "0A"


def _table(path):
    try:
        with open(path, encoding="ascii") as stream:
            return [line.split() for line in stream.readlines()[1:]]
    except OSError:
        return []


def listeners(tables=("/proc/net/tcp", "/proc/net/tcp6")):
    """{port: (inode, uid)} of all listening sockets."""
    found = {}
    for table in tables:
        for row in _table(table):
            if row[3] == _LISTEN:
                found[int(row[1].rsplit(":", 1)[1], 16)] = (row[9], int(row[7]))
    return found


def _holds(pid, inode):
    wanted = f"socket:[{inode}]"
    folder = f"/proc/{pid}/fd"
    try:
        return any(os.readlink(os.path.join(folder, fd)) == wanted for fd in os.listdir(folder))
    except OSError:
        return False


def owner_pid(inode):
    """The process that holds the socket, or None where /proc does not let us see."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return next((pid for pid in pids if _holds(pid, inode)), None)


def describe(pid, uid):
    if pid is None:
        return f"a process of user {uid} that this user may not look into"
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            command = stream.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        command = "?"
    return f"process {pid} ({command[:100]})"


def taken(wanted, ours):
    """[(port, description of its owner)] of wanted ports held by processes that are not in `ours`."""
    listening = listeners()
    found = []
    for port in sorted(set(wanted) & set(listening)):
        inode, uid = listening[port]
        pid = owner_pid(inode)
        if pid is None or pid not in ours:
            found.append((port, describe(pid, uid)))
    return found
