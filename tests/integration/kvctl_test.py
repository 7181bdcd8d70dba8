"""kvctl as scripts see it: each command in each output format, bytes, errors, exit codes."""

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import cluster
from cluster import DONE, NOT_FOUND, UNREACHABLE, USAGE, ClusterTest, run, until_served

KVCTL = os.path.join(cluster.BIN, "kvctl")
FORMATS = ("table", "plain", "json", "jsonl", "csv", "raw")

# Words that make each command succeed. FOLDER is replaced.
COMMANDS = {
    "init": ["init"],
    "status": ["status"],
    "version": ["version"],
    "node list": ["node", "list"],
    "context list": ["context", "list"],
    "context use": ["context", "use", "one"],
    "context show": ["context", "show"],
    "context set": ["context", "set", "one", "timeout=3s"],
    "context remove": ["context", "remove", "gone"],
    "keyspace create": ["keyspace", "create", "t", "--replicas", "1"],
    "keyspace describe": ["keyspace", "describe", "t"],
    "keyspace list": ["keyspace", "list"],
    "keyspace drop": ["keyspace", "drop", "t", "--dry-run"],
    "partition list": ["partition", "list", "t", "--checksum"],
    "partition describe": ["partition", "describe", "t", "0"],
    "locate": ["locate", "t", "a,\"b\"\n{tag}"],
    "put": ["put", "t", "k", "v"],
    "get": ["get", "t", "a,\"b\"\n{tag}"],
    "del": ["del", "t", "none"],
    "incr": ["incr", "t", "zz/counter"],
    "scan": ["scan", "t"],
    "import": ["import", "t", "FOLDER/records.jsonl"],
    "export": ["export", "t"],
    "load": ["load", "t", "--seconds", "0.1", "--clients", "1", "--prefix", "zz/"],
}
# Print one text whatever the format; help prints JSON where JSON is asked for.
TEXTS = {"man": ["man"], "completion": ["completion", "bash"], "help": ["help", "put"]}
# Tested where what they need is: demo_test.py, data_test.py, move_test.py.
ELSEWHERE = {"demo", "batch", "partition move", "partition recover",
             "partition transfer-leader", "node drain"}
# One object a line under json, too.
STREAMS = {"scan", "export"}
# Values of any bytes: a cell may hold a tab or a line end under plain, table and raw.
BYTES = {"get"}


class KvctlTest(ClusterTest):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="quorate-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.cluster = cluster.Cluster(1)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start_and_init()
        cls.cluster.create_keyspace("t")
        with open(os.path.join(cls.folder, "records.jsonl"), "w", encoding="utf-8") as file:
            file.write('{"key":"r","value":"1"}\n')
        cls.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KVCTL_")},
            "KVCTL_ENDPOINTS": cls.cluster.nodes[0].address, "XDG_CONFIG_HOME": cls.folder,
            "KVCTL_TIMEOUT": "50s"}  # a node on a busy machine may lose its leaderships for a while
        for key, value in ((b'a,"b"\n{tag}', b"x\ty\n"), (b"\xff\0", b"\xfe\n"), (b"", None)):
            if value is not None:
                path = os.path.join(cls.folder, "key")
                with open(path, "wb") as file:
                    file.write(key)
                cls.kvctl_run("put", "t", "@" + path, "-", stdin=value)

    @classmethod
    def kvctl_run(cls, *words, stdin=b"", **environment):
        def ask():
            done = subprocess.run([KVCTL, *words], input=stdin, timeout=cluster.PATIENCE_S, capture_output=True,
                                  env={**cls.environment, **environment}, check=False)
            done.code, done.bytes = done.returncode, done.stdout
            done.output, done.errors = done.stdout.decode("utf-8", "replace"), done.stderr.decode()
            return done
        return until_served(ask, 0 if "--timeout" in words else 60)

    def verbs(self):
        """Name → description, of every command that kvctl knows."""
        found = {}

        def walk(command, name):
            if not command["commands"]:
                found[name] = command
            for child in command["commands"]:
                walk(child, (name + " " + child["name"]).strip())

        walk(json.loads(self.kvctl_run("help", "-o", "json").output), "")
        return found

    def check_form(self, name, form, result):
        lines = result.output.split("\n")
        if form == "json" and name not in STREAMS:
            self.assertIsInstance(json.loads(result.output), dict)
        elif form in ("json", "jsonl") or name == "export":
            for line in result.output.splitlines():
                self.assertIsInstance(json.loads(line), dict)
        elif form == "csv":
            # Universal newlines would hide what RFC 4180 asks for.
            rows = list(csv.reader(io.StringIO(result.output, newline=""), strict=True))
            self.assertGreaterEqual(len(rows), 2)
            self.assertEqual({len(row) for row in rows}, {len(rows[0])}, rows)
            self.assertEqual(len(set(rows[0])), len(rows[0]), "columns have names of their own")
            self.assertTrue(result.output.endswith("\r\n"))
        elif name not in BYTES:
            self.assertEqual(lines[-1], "", "the last line ends")
            if form in ("plain", "raw"):
                self.assertEqual(len({line.count("\t") for line in lines[:-1]}), 1, lines)

    def test_each_command_in_each_format(self):
        verbs = self.verbs()
        self.assertEqual(set(verbs) - set(COMMANDS) - set(TEXTS) - ELSEWHERE, set(),
                         "each command of kvctl is tried here")
        for name, words in COMMANDS.items():
            words = [word.replace("FOLDER", self.folder) for word in words]
            for form in FORMATS:
                with self.subTest(command=name, format=form):
                    for prepared in ("one", "gone") if name.startswith("context") else ():
                        self.kvctl_run("context", "set", prepared, "timeout=3s")
                    result = self.kvctl_run(*words, "--output", form)
                    self.assertEqual(result.code, DONE, result.errors)
                    self.assertNotEqual(result.output, "")
                    self.assertNotIn("\x1b", result.output, "no colours but on a terminal")
                    self.check_form(name, form, result)

    def test_texts(self):
        for words in TEXTS.values():
            result = self.kvctl_run(*words)
            self.assertEqual(result.code, DONE, result.errors)
            self.assertTrue(result.output.endswith("\n"))

    def check_error(self, result, form, code):
        self.assertEqual(result.code, code, result.errors)
        self.assertEqual(result.output, "")
        if form.startswith("json"):
            error = json.loads(result.errors)["error"]
            self.assertEqual(error["exit_code"], code)
            for field in ("command", "reason", "outcome", "message"):
                self.assertIsInstance(error[field], str)
        else:
            self.assertTrue(result.errors.startswith("kvctl"), result.errors)

    def test_usage_errors_of_each_command(self):
        for name, words in {**COMMANDS, **TEXTS}.items():
            words = [word.replace("FOLDER", self.folder) for word in words]
            for form in ("plain", "jsonl"):
                with self.subTest(command=name, format=form):
                    result = self.kvctl_run(*words, "--no-such-flag", "--output", form)
                    self.check_error(result, form, USAGE)

    def test_errors_when_nobody_answers(self):
        offline = {"version", "load", "import"} | {each for each in COMMANDS if "context" in each}
        for name, words in COMMANDS.items():
            if name in offline:
                continue
            for form in ("json", "plain"):
                with self.subTest(command=name, format=form):
                    result = self.kvctl_run(*words, "-o", form, "--timeout", "200ms",
                                            "--endpoints", "127.0.0.1:1")
                    self.check_error(result, form, UNREACHABLE)

    def test_keys_and_values_are_bytes(self):
        key, value = b"\xff\0 \n-", bytes(range(256))
        for name, content in (("k", key), ("v", value)):
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(content)
        at_key, at_value = "@" + os.path.join(self.folder, "k"), "@" + os.path.join(self.folder, "v")
        self.assertEqual(self.kvctl_run("put", "t", at_key, at_value).code, DONE)
        for words, stdin in ((["get", "t", at_key], b""), (["get", "t", "-"], key),
                             (["get", "t", "@@k"], None)):
            result = self.kvctl_run(*words, "-o", "raw", stdin=stdin or b"")
            self.assertEqual(result.code, NOT_FOUND if stdin is None else DONE, result.errors)
            self.assertEqual(result.bytes, b"" if stdin is None else value)
        for flag, encode in (("--hex", bytes.hex),
                             ("--base64", lambda b: __import__("base64").b64encode(b).decode())):
            result = self.kvctl_run("get", "t", encode(key), flag, "-o", "raw")
            self.assertEqual(result.output, encode(value))
            scanned = self.kvctl_run("scan", "t", "--prefix", encode(key), flag, "-o", "plain")
            self.assertEqual(scanned.output, f"{encode(key)}\t{encode(value)}\n")
        self.assertEqual(self.kvctl_run("put", "t", "-", "-", stdin=b"x").code, USAGE)
        self.assertEqual(self.kvctl_run("del", "t", at_key).code, DONE)

    def test_contexts_give_settings(self):
        config = os.path.join(self.folder, "other.toml")
        address = self.cluster.nodes[0].address
        words = ["--config", config, "context", "set", "here", f"endpoints={address}",
                 "output=json", "keyspace=t"]
        self.assertEqual(self.kvctl_run(*words, KVCTL_ENDPOINTS="").code, DONE)
        here = {"KVCTL_ENDPOINTS": "", "KVCTL_CONFIG": config, "KVCTL_CONTEXT": "here"}
        self.assertEqual(self.kvctl_run("put", "ctx", "1", **here).code, DONE)
        got = self.kvctl_run("get", "ctx", **here)
        self.assertEqual(json.loads(got.output)["value"], "1")
        self.assertEqual(self.kvctl_run("get", "ctx", "-oraw", **here).output, "1")
        self.assertEqual(self.kvctl_run("get", "nope", "ctx", **here).code, NOT_FOUND)
        self.assertEqual(self.kvctl_run("context", "use", "nope", **here).code, NOT_FOUND)
        self.assertEqual(self.kvctl_run("status", "--context", "nope", **here).code, USAGE)
        with open(config, "a", encoding="utf-8") as file:
            file.write("[context.bad]\ntimeout = 'soon'\n")
        broken = self.kvctl_run("get", "ctx", **here)
        self.assertEqual(broken.code, USAGE)
        self.assertRegex(broken.errors, r"other\.toml:\d+: context\.bad\.timeout: 'soon' is not")

    def test_interrupted_is_130_for_shells(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            with subprocess.Popen([KVCTL, "--endpoints", address, "--timeout", "60s", "status"],
                                  env=self.environment) as process:
                silent.accept()[0].close()  # it runs, and has begun to ask
                process.send_signal(signal.SIGINT)
                # Ended by the signal itself, so that a shell ends a loop around it, and says 130.
                self.assertEqual(process.wait(timeout=cluster.PATIENCE_S), -signal.SIGINT)

    def test_manual_pages_are_good_roff(self):
        pages = [self.kvctl_run("man").bytes, run([os.path.join(cluster.BIN, "kvd_page")]).bytes]
        for page in pages:
            self.assertTrue(page.startswith(b".TH "))
            if shutil.which("mandoc"):
                lint = run(["mandoc", "-T", "lint", "-W", "warning"], stdin=page)
                # Made from the tables of a build: no date is its own.
                found = [line for line in lint.output.splitlines() if "missing date" not in line]
                self.assertEqual(found, [])
            if shutil.which("groff"):
                self.assertEqual(run(["groff", "-man", "-Tutf8", "-ww", "-K", "utf8", "-z"],
                                     stdin=page).errors, "")


if __name__ == "__main__":
    cluster.main()
