"""tools/compare: starts everything, measures it in turns, tells the figures."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import figures
import servers
import tables
from servers import CompareError

BINARIES = os.path.join("build", "release", "bin")
KEYS = 10_000


def parse(arguments):
    def numbers(text):
        values = [int(word) for word in text.split(",")]
        if any(value < 1 for value in values):
            raise ValueError(text)
        return values

    parser = argparse.ArgumentParser(prog="tools/compare", description=(
        "Measures Quorate beside etcd and an echo server, in one run on this machine."))
    parser.add_argument("--quick", action="store_true", help="one round of half-second runs")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=float, help="counted in each run; default 3")
    parser.add_argument("--clients", type=numbers, default=[1, 16, 64, 256], metavar="N,…")
    parser.add_argument("--value-bytes", type=numbers, metavar="N,…", help="default 100,1024")
    parser.add_argument("--json", default=os.path.join("build", "compare", "figures.json"))
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.5 if options.quick else 3.0)
    options.value_bytes = options.value_bytes or ([100] if options.quick else [100, 1024])
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be above 0")
    return options


def machine():
    """What the figures depend on beside the programs."""
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        models = [line.split(":", 1)[1].strip() for line in stream if line.startswith("model name")]
    with open("/proc/meminfo", encoding="ascii") as stream:
        memory = int(stream.readline().split()[1]) // (1 << 20)
    return {"processors": os.cpu_count(), "model": models[0] if models else "unknown",
            "memory_gib": memory, "kernel": os.uname().release,
            "load_before": os.getloadavg()[0], "at": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime())}


def output_of(command):
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.stdout.strip().split("\n")[0]


class Comparison:
    """All servers, and the runs against them."""

    def __init__(self, options, folder):
        self._options = options
        self.quorate = servers.Quorate(folder, BINARIES)
        self.echo = servers.Echo(folder, BINARIES)
        self.etcd = None
        program = servers.etcd_program(os.path.join("build", "etcd"))
        self.versions = {"quorate": output_of([os.path.join(BINARIES, "kvd"), "--version"]),
                         "commit": output_of(["git", "describe", "--always", "--dirty"])}
        if program:
            self.etcd = servers.Etcd(folder, program)
            self.versions["etcd"] = servers.etcd_version(program)

    def all(self):
        return [each for each in (self.quorate, self.etcd, self.echo) if each]

    def series(self):
        """[(name, operations)] in the order of a round."""
        found = [("quorate", ("get", "put")), ("echo", ("get",))]
        if self.etcd:
            found.append(("etcd", ("get", "put")))
        found.append(("spread", ("get", "put")))
        if self.quorate.has_buffered:
            found.append(("buffered", ("put",)))
        return found

    def _kvbench(self, command, series, value_bytes, *more):
        group = {"echo": self.echo, "etcd": self.etcd}.get(series, self.quorate)
        target = series if series in ("echo", "etcd") else "quorate"
        words = [os.path.join(BINARIES, "kvbench"), command, "--target", target, "--endpoints",
                 ",".join(group.endpoints), "--keys", str(KEYS), "--value-bytes",
                 str(value_bytes), "--output", "json", "--keyspace", series, *more]
        if command == "run":
            words += ["--server-pids", ",".join(map(str, group.pids))]
        limit = 120 + 4 * self._options.seconds
        told = subprocess.run(words, capture_output=True, text=True, timeout=limit, check=False)
        if told.returncode != 0:
            raise CompareError(f"kvbench {command} on {series}: {told.stderr.strip()}")
        return json.loads(told.stdout)

    def load(self, value_bytes):
        """Reads find values of the size that is measured."""
        for name, operations in self.series():
            if "put" in operations:
                self._kvbench("load", name, value_bytes)

    def run(self, number, value_bytes, clients, operation, series):
        seconds = self._options.seconds
        found = self._kvbench("run", series, value_bytes, "--operation", operation, "--clients",
                              str(clients), "--seconds", str(seconds), "--warm-up",
                              str(seconds / 4))
        return {"series": series, "round": number, **found}


def measure(comparison, options):
    plan = figures.plan(options.rounds, options.clients, options.value_bytes, comparison.series())
    runs, loaded = [], None
    for done, (number, value_bytes, clients, operation, series) in enumerate(plan):
        if loaded != value_bytes:
            comparison.load(value_bytes)
            loaded = value_bytes
        if sys.stderr.isatty():
            print(f"\r{done + 1}/{len(plan)}: {series} {operation} {clients} clients    ", end="",
                  file=sys.stderr, flush=True)
        runs.append(comparison.run(number, value_bytes, clients, operation, series))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return runs


def report(comparison, options, about, runs):
    os.makedirs(os.path.dirname(options.json) or ".", exist_ok=True)
    table = [{"ratio": name, "value_bytes": value_bytes, "clients": clients,
              **{label: spread.as_json() for label, spread in spreads.items()}}
             for name, value_bytes, clients, spreads in figures.ratios(runs)]
    with open(options.json, "w", encoding="utf-8") as stream:
        json.dump({"machine": about, "versions": comparison.versions, "rounds": options.rounds,
                   "seconds": options.seconds, "ratios": table, "runs": runs}, stream, indent=1,
                  ensure_ascii=False)
        stream.write("\n")
    print(f"{about['processors']} × {about['model']}, {about['memory_gib']} GiB, Linux "
          f"{about['kernel']}, load before {about['load_before']:.2f}, {about['at']}")
    print(", ".join(f"{name} {version}" for name, version in comparison.versions.items()))
    print(f"{options.rounds} rounds of {options.seconds:g} s; median (lowest–highest)\n")
    print(tables.ratios(runs))
    print(tables.absolute(runs))
    if not comparison.quorate.has_buffered:
        print("put fsync ÷ buffered: this server has no keyspaces without fsync")
    print(f"every figure: {options.json}")


def main(arguments):
    options = parse(arguments)
    if not options.no_build:
        subprocess.run(["tools/setup", "build"], check=True)
        subprocess.run(["cmake", "--preset", "release"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", "--preset", "release", "--target", "kvd", "kvctl",
                        "kvbench"], check=True)
    about = machine()
    # Of the tree's own disk: fsync on a memory file system would measure nothing.
    os.makedirs(os.path.join("build", "compare"), exist_ok=True)
    folder = tempfile.mkdtemp(prefix="data-", dir=os.path.join("build", "compare"))
    comparison = Comparison(options, folder)
    keep = False
    try:
        for each in comparison.all():
            each.start()
        runs = measure(comparison, options)
    except CompareError as error:
        print(f"compare: {error}; the servers' logs are in {folder}", file=sys.stderr)
        keep = True
        return 1
    finally:
        for each in comparison.all():
            each.stop()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    report(comparison, options, about, runs)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
