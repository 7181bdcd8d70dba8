"""kvctl's completion, driven through the shells themselves, with names asked from a real cluster."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import cluster
from cluster import ClusterTest, run, wait_until

# Sources the script named $1 and completes the line $2 as bash does at TAB: words are taken apart at
# the characters of COMP_WORDBREAKS, which belong to no word of letters.
BASH = r"""
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=()
rest=$2
while [[ -n $rest ]]; do
  rest=${rest#"${rest%%[! ]*}"}
  [[ -n $rest ]] || break
  word=${rest%%[ =:]*}
  [[ -n $word ]] || { word=${rest%%[! =:]*}; [[ -n $word ]] || word=${rest%%[^=:]*}; }
  COMP_WORDS+=("$word")
  rest=${rest#"$word"}
done
[[ $2 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_kvctl
printf '%s\n' "${COMPREPLY[@]}"
"""

# The same for zsh, whose own parts that need an interactive line are replaced.
ZSH = r"""
autoload -U compinit; compinit -D -u
source $1
compadd() { print -l -- $names; }
compset() { PREFIX=${PREFIX##${~2}}; }
_files() { print -r -- FILES:$PREFIX; }
line=$2
words=(${(z)line})
[[ $line != *' ' ]] || words+=('')
CURRENT=$#words PREFIX=$words[-1]
_kvctl
"""

FISH = r"""
source $argv[1]
complete -C $argv[2] | string replace -r '\t.*' ''
"""


def needs(shell):
    return unittest.skipIf(shutil.which(shell) is None, "missing capability: shells")


class CompletionTest(ClusterTest):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="quorate-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.cluster = cluster.Cluster(1)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start_and_init()
        for name in ("orders", "orders-old", "carts"):
            cls.cluster.create_keyspace(name)
        for name in ("alpha.txt", "alpine.txt", "beta"):
            with open(os.path.join(cls.folder, name), "w", encoding="utf-8"):
                pass
        os.mkdir(os.path.join(cls.folder, "alps"))

    def complete(self, shell, line, endpoints=None):
        """The words that the shell offers at the end of the line, sorted; and the seconds it took."""
        script = os.path.join(self.folder, "script." + shell)
        with open(script, "wb") as file:
            file.write(run([os.path.join(cluster.BIN, "kvctl"), "completion", shell]).bytes)
        environment = dict(os.environ, HOME=self.folder, XDG_CONFIG_HOME=self.folder, KVCTL_TIMEOUT="120s",
                           PATH=cluster.BIN + os.pathsep + os.environ["PATH"],
                           KVCTL_ENDPOINTS=endpoints or self.cluster.nodes[0].address)
        driver = {"bash": ["bash", "--norc", "-c", BASH, "bash"],
                  "zsh": ["zsh", "-f", "-c", ZSH, "zsh"],
                  "fish": ["fish", "--no-config", "-c", FISH]}[shell]
        begin = time.monotonic()
        done = subprocess.run([*driver, script, line], cwd=self.folder, env=environment, timeout=cluster.PATIENCE_S,
                              capture_output=True, check=False)
        seconds = time.monotonic() - begin
        self.assertEqual(done.stderr.decode(), "", f"{shell}: {line}")
        return sorted(done.stdout.decode().split()), seconds

    def check(self, shell, whole_words):
        """`whole_words`: the shell itself keeps --flag=value in one piece."""
        value = "--output=" if whole_words else ""
        for line, expected in (
                ("kvctl keyspace d", ["describe", "drop"]),
                ("kvctl get ord", ["orders", "orders-old"]),
                ("kvctl --hex keyspace describe c", ["carts"]),
                ("kvctl --endpoints " + self.cluster.nodes[0].address + " get c", ["carts"]),
                ("kvctl get --output js", ["json", "jsonl"]),
                ("kvctl get --output=js", [value + "json", value + "jsonl"]),
                ("kvctl put orders k --if", ["--if-absent", "--if-version"]),
                ("kvctl partition list orders --node ", ["1"]),
                ("kvctl completion ", ["bash", "fish", "zsh"]),
        ):
            self.assert_completes(shell, line, expected)

    def assert_completes(self, shell, line, expected):
        """Where names of the cluster are wanted kvctl waits 200 ms for them and else offers nothing,
        as on a machine that is busy just then: the next TAB asks again, and so does this."""
        words = []

        def offers():
            nonlocal words
            words = self.complete(shell, line)[0]
            return words
        wait_until(offers, cluster.PATIENCE_S, f"{shell} offers something: {line}")
        self.assertEqual(words, expected, f"{shell}: {line}")

    def test_bash(self):
        self.check("bash", whole_words=False)
        for line, expected in (
                ("kvctl import orders al", ["alpha.txt", "alpine.txt", "alps"]),
                ("kvctl put orders k @alp", ["@alpha.txt", "@alpine.txt", "@alps/"]),
                ("kvctl --config be", ["beta"]),
        ):
            self.assertEqual(self.complete("bash", line)[0], expected, line)

    @needs("zsh")
    def test_zsh(self):
        self.check("zsh", whole_words=True)
        self.assertEqual(self.complete("zsh", "kvctl import orders al")[0], ["FILES:al"])
        self.assertEqual(self.complete("zsh", "kvctl put orders k @al")[0], ["FILES:al"])

    @needs("fish")
    def test_fish(self):
        self.check("fish", whole_words=True)
        self.assertEqual(self.complete("fish", "kvctl import orders alpi")[0], ["alpine.txt"])
        self.assertEqual(self.complete("fish", "kvctl put orders k @alpi")[0], ["@alpine.txt"])

    def test_contexts(self):
        kvctl = os.path.join(cluster.BIN, "kvctl")
        config = os.path.join(self.folder, "kvctl", "config.toml")
        run([kvctl, "--config", config, "context", "set", "prod", "timeout=1s"])
        run([kvctl, "--config", config, "context", "set", "test", "timeout=1s"])
        self.assertEqual(self.complete("bash", "kvctl context use p")[0], ["prod"])
        self.assertEqual(self.complete("bash", "kvctl --context ")[0], ["prod", "test"])

    def test_an_absent_or_silent_cluster_offers_nothing_soon(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            for address in (f"127.0.0.1:{silent.getsockname()[1]}", "127.0.0.1:1"):
                words, seconds = self.complete("bash", "kvctl get ", endpoints=address)
                self.assertEqual(words, [])
                # 200 ms of patience, where a request of its own would wait for 120 s; the rest is for
                # a busy machine.
                print(f"{address}: nothing offered after {seconds:.2f} s")
                self.assertLess(seconds, 60)


if __name__ == "__main__":
    cluster.main()
