"""The cluster's nodes as processes: started, formed into a cluster, waited for, killed, stopped."""

import os
import signal
import time

import ports
import processes
import screen
from kvctl import Kvctl
from screen import QuickstartError

START_SECONDS_MAX = 180


def address(base_port, node, offset=0):
    return f"127.0.0.1:{base_port + 10 * (node - 1) + offset}"


class Cluster:
    """All nodes of one data folder. `abandon` leaves them as this run found them."""

    def __init__(self, folder, binaries):
        self._folder = folder
        self._kvd = os.path.realpath(os.path.join(binaries, "kvd"))
        # Nodes that did not run when this run began.
        self._started = set()
        # Of children, so that they are waited for and do not stay as zombies.
        self._children = {}
        self.numbers = range(1, folder.nodes + 1)
        self.endpoints = [address(folder.base_port, node) for node in self.numbers]
        self.kvctl = Kvctl(os.path.join(binaries, "kvctl"), self.endpoints)

    def refuse_taken_ports(self):
        """Names every port that a process of someone else holds, before anything is started."""
        wanted = [self._folder.base_port + 10 * (node - 1) + offset
                  for node in self.numbers for offset in (0, 1, 2)]
        ours = {entry["pid"] for entry in self._folder.alive().values()}
        found = ports.taken(wanted, ours)
        if found:
            lines = "; ".join(f"port {port} is taken by {owner}" for port, owner in found)
            raise QuickstartError(f"{lines}. Stop it, or choose another --base-port")

    def _command(self, node):
        base = self._folder.base_port
        command = [self._kvd, "--data-dir", self._folder.file(f"node-{node}"),
                   "--listen", address(base, node), "--http", address(base, node, 1),
                   "--peer-listen", address(base, node, 2)]
        others = [address(base, other, 2) for other in self.numbers if other != node]
        return command + (["--join", ",".join(others)] if others else [])

    def start(self, node):
        with processes.interrupts_held():
            process, entry = processes.start(self._command(node), self._log(node))
            self._children[node] = process
            self._folder.running[node] = entry
            self._folder.save()

    def _log(self, node):
        return self._folder.file(f"node-{node}.log")

    def start_missing(self):
        """Starts the nodes that do not run; returns which."""
        alive = self._folder.alive()
        missing = [node for node in self.numbers if node not in alive]
        self._started.update(missing)
        for node in missing:
            self.start(node)
        self._wait(lambda: not self._not_listening(), "open their ports")
        return missing

    def _not_listening(self):
        self._refuse_dead()
        listening = ports.listeners()
        return [node for node in self.numbers
                if int(address(self._folder.base_port, node).rsplit(":", 1)[1]) not in listening]

    def _refuse_dead(self):
        for node in self.numbers:
            if not processes.is_alive(self._folder.running.get(node)):
                with open(self._log(node), encoding="utf-8", errors="replace") as log:
                    tail = "".join(log.readlines()[-10:])
                raise QuickstartError(f"node {node} ended. The end of {self._log(node)}:\n{tail}")

    def _wait(self, condition, what, seconds=START_SECONDS_MAX):
        give_up = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up:
                raise QuickstartError(f"the nodes did not {what} within {seconds} s; "
                                      f"their logs are in {self._folder.path}")
            time.sleep(0.1)

    def form(self):
        """`kvctl init`, which is harmless when it was done before, and waits for all nodes."""
        first = self.endpoints[0]
        done, error = self.kvctl.try_json("init", endpoints=first)
        if done is None:
            raise QuickstartError(f"kvctl init failed: {error}")
        self.wait_ready()

    def wait_ready(self):
        self._wait(lambda: self._ready() == self._folder.nodes, "become ready")

    def _ready(self):
        self._refuse_dead()
        status, _ = self.kvctl.try_json("status", timeout="10s")
        nodes = (status or {}).get("nodes", [])
        return sum(1 for node in nodes if node.get("alive") and node.get("ready"))

    def number_of(self, listed):
        """Our number of a node that `kvctl status` lists: the cluster gives ids of its own."""
        return self.endpoints.index(listed["address"]) + 1

    def kill(self, node):
        """The end that no program can prepare for."""
        if not processes.send(self._folder.running[node], signal.SIGKILL):
            raise QuickstartError(f"node {node} does not run, so it cannot be killed")
        child = self._children.pop(node, None)
        if child is not None:
            child.wait()
        give_up = time.monotonic() + 60
        while processes.is_alive(self._folder.running[node]) and time.monotonic() < give_up:
            time.sleep(0.01)

    def abandon(self):
        """After an interrupt or a failure: stops what this run started, and starts a killed node
        of a cluster that was up before. The data stays."""
        mine = [self._folder.running[node] for node in sorted(self._started)
                if node in self._folder.running]
        if mine:
            screen.say("stopping the nodes that this run started; their data stays")
            processes.stop(mine)
        alive = self._folder.alive()
        for node in self.numbers:
            if node not in alive and node not in self._started:
                screen.say(f"starting node {node} again, since it ran before")
                self.start(node)


def stop(folder):
    """Stops all nodes of a folder; their data stays."""
    alive = folder.alive()
    killed = processes.stop(alive.values())
    screen.say(f"{len(alive)} node{'s' if len(alive) != 1 else ''} stopped, data kept in "
               f"{folder.path}" if alive else "no node was running")
    if killed:
        screen.say(f"{killed} of them did not end within 30 s and were killed")
    folder.running = {}
    folder.save()
