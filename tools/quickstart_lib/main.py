"""What tools/quickstart does once python3 is there; see there for the options."""

import argparse
import os
import signal
import sys
import time

import building
import catalogue
import cluster as nodes
import failure
import screen
import state
from screen import QuickstartError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEYSPACE = "catalog"


def options(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--action", choices=("run", "stop", "clean"), required=True)
    parser.add_argument("--base-port", type=int)
    parser.add_argument("--nodes", type=int)
    parser.add_argument("--data-dir", required=True)
    return parser.parse_args(arguments)


def on_signal(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def bring_up(folder, binaries):
    cluster = nodes.Cluster(folder, binaries)
    try:
        started = cluster.start_missing()
        screen.say("nodes started: " + ", ".join(map(str, started)) if started
                   else "all nodes run already; using them as they are")
        cluster.form()
    except BaseException:
        cluster.abandon()
        raise
    status = cluster.kvctl.json("status")
    screen.say(f"cluster {status['cluster_id']}: {folder.nodes} node"
               f"{'s' if folder.nodes > 1 else ''} ready at {', '.join(cluster.endpoints)}")
    return cluster


def import_catalogue(cluster, folder, replicas):
    """Imports once. An import that was cut short is done again; a finished one is left alone.

    Returns the imported records, and whether this run imported them.
    """
    kvctl = cluster.kvctl
    names = [listed["name"] for listed in kvctl.json("keyspace", "list")["keyspaces"]]
    path = folder.file("catalogue.ndjson")
    if folder.imported and KEYSPACE in names:
        screen.say(f"{KEYSPACE} was imported before; what is in it is kept")
        with open(path, encoding="utf-8") as stream:
            return catalogue.read_ndjson(stream), False
    records, source = catalogue.load(screen.say)
    catalogue.write_ndjson(records, path)
    size = sum(map(len, records.values())) / 1e6
    screen.say(f"{len(records)} records, {size:.1f} MB, from {source}")
    if KEYSPACE not in names:
        failure.create_keyspace(kvctl, KEYSPACE, replicas)
    began = time.monotonic()
    summary = kvctl.watched_json("import", KEYSPACE, path, timeout="60s")
    seconds = time.monotonic() - began
    if summary["records"] != len(records):
        raise QuickstartError(f"imported {summary['records']} of {len(records)} records")
    screen.say(f"imported in {seconds:.1f} s: {len(records) / seconds:.0f} records/s")
    folder.imported = {"records": len(records), "sha256": catalogue.digest(records),
                       "source": source}
    folder.save()
    return records, True


def differences(wanted, present):
    """Keys of imported records that are not there as they were imported."""
    return {key for key, value in wanted.items() if present.get(key) != value}


def compare(cluster, folder, wanted, fresh):
    """Reads all back. A fresh import must be equal to the last byte; later, users may have written.

    Returns the keys that differ.
    """
    present = catalogue.read_ndjson(
        cluster.kvctl.lines("export", KEYSPACE, output="jsonl", timeout="300s"))
    theirs, ours = catalogue.digest(present), folder.imported["sha256"]
    if theirs == ours and len(present) == folder.imported["records"]:
        screen.say(f"{len(present)} records read back in key order, SHA-256 equal: {theirs}")
        return set()
    different = differences(wanted, present)
    extra = len(set(present) - set(wanted))
    if fresh:
        raise QuickstartError(f"what was read back is not what was imported: {len(present)} records "
                              f"for {len(wanted)}, {len(different)} missing or changed, {extra} new")
    screen.say(f"since the import {len(different)} records were changed or deleted and {extra} "
               "added by users; all other records are equal to the import")
    return different


def run(folder):
    screen.step("Ports and build")
    binaries = os.path.join(ROOT, "build", "release", "bin")
    nodes.Cluster(folder, binaries).refuse_taken_ports()
    binaries = building.build(ROOT)
    screen.step(f"Cluster of {folder.nodes}, data in {folder.path}")
    replicas = 3 if folder.nodes >= 3 else 1
    cluster = bring_up(folder, binaries)
    try:
        screen.step("Debian's package catalogue as records")
        wanted, fresh = import_catalogue(cluster, folder, replicas)
        before = compare(cluster, folder, wanted, fresh)
        screen.step("A node dies and returns")
        failure.show(cluster, folder, KEYSPACE, replicas)
        after = compare(cluster, folder, wanted, fresh)
        if after != before:
            raise QuickstartError(f"{len(after ^ before)} records changed through the failure")
    except BaseException:
        cluster.abandon()
        raise
    farewell(folder, cluster)


def farewell(folder, cluster):
    where = "" if folder.path == default_data_dir() else f" --data-dir {folder.path}"
    binary = os.path.relpath(os.path.join(ROOT, "build", "release", "bin"))
    screen.step("All equal. The cluster goes on running; try:")
    print(f"""
   export PATH=$PWD/{binary}:$PATH KVCTL_ENDPOINTS={cluster.endpoints[0]}
   kvctl status
   kvctl get {KEYSPACE} bash
   kvctl scan {KEYSPACE} --prefix python3-num --limit 5 --keys-only
   kvctl put {KEYSPACE} my-key 'my value'
   kvctl locate {KEYSPACE} my-key
   kvctl partition list {KEYSPACE}

   ./tools/quickstart --stop{where}     stops the nodes, keeps the data
   ./tools/quickstart --clean{where}    stops them and deletes the data
""")


def default_data_dir():
    return os.path.join(ROOT, "quickstart-data")


def stop_or_clean(choice):
    folder = state.find_folder(choice.data_dir)
    if folder is None:
        screen.say(f"there is no cluster in {choice.data_dir}")
        return
    nodes.stop(folder)
    if choice.action == "clean":
        left = folder.delete()
        screen.say(f"{folder.path} deleted" if not left else
                   f"quickstart's files deleted; left in {folder.path}: {', '.join(left)}")


def main(arguments):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    choice = options(arguments)
    choice.data_dir = os.path.abspath(choice.data_dir)
    try:
        if choice.action == "run":
            run(state.open_folder(choice.data_dir, choice.base_port, choice.nodes))
        else:
            stop_or_clean(choice)
    except (QuickstartError, catalogue.CatalogueError) as error:
        print(f"\nquickstart: {error}", file=sys.stderr)
        return getattr(error, "code", 1)
    except KeyboardInterrupt:
        print("\nquickstart: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
