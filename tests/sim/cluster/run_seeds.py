#!/usr/bin/env python3
"""Runs the cluster simulation over a range of seeds, one process a seed, and sums up.

  run_seeds.py BINARY --seeds 1..50 [--jobs 2] [--twice-every 20] [--minutes M] [--expect EVENT]…
               [--sums FILE] [-- ARGUMENTS…]

Every --twice-every-th seed is run twice, and the hashes over all events must be equal. Exit 1 when a
seed failed, a hash differed, or an expected event happened in no seed; with --expect-failure exit 1
when none failed (for mutants: builds or disks that break a promise, which the checkers must notice).
--sums: what happened how often goes to that file, for every_event.py.
"""

import argparse
import concurrent.futures
import json
import subprocess
import sys
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--seeds", default="1..50", help="A..B, both included")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--twice-every", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60, help="begin no seed after this")
    parser.add_argument("--expect-failure", action="store_true")
    parser.add_argument("--expect", action="append", default=[], metavar="EVENT",
                        help="must happen in at least one of the seeds")
    parser.add_argument("--sums")
    own, _, passed_on = " ".join(sys.argv[1:]).partition(" -- ")
    options = parser.parse_args(own.split())
    options.arguments = passed_on.split()
    return options


def run_once(options, seed):
    """One run's report; `ok` is false when it failed or did not end."""
    command = [options.binary, "--seed", str(seed), *options.arguments]
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        lines = done.stdout.strip().splitlines()
        report = json.loads(lines[-1]) if lines else {}
        report["ok"] = done.returncode == 0 and bool(report)
        report["output"] = "\n".join(lines[:-1][-30:] + done.stderr.strip().splitlines()[-20:])
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        report = {"ok": False, "output": f"{type(error).__name__}: {error}"}
    report["seed"] = seed
    report["wall_seconds"] = time.monotonic() - began
    report["command"] = " ".join(command)
    return report


def run_seed(options, seed):
    """One seed, perhaps twice."""
    report = run_once(options, seed)
    if report["ok"] and options.twice_every and seed % options.twice_every == 0:
        again = run_once(options, seed)
        report["again"] = True
        if again.get("hash") != report.get("hash"):
            report["ok"] = False
            report["output"] = (f"not deterministic: hash {report.get('hash')}, "
                                f"then {again.get('hash')}")
    return report


def print_summary(reports, elapsed):
    """Prints the sums that docs may quote, and returns them."""
    totals = {}
    for report in reports:
        for name, value in report.get("counts", {}).items():
            totals[name] = totals.get(name, 0) + value
    virtual = sum(r.get("virtual_seconds", 0) for r in reports)
    failed = [r for r in reports if not r["ok"]]
    twice = sum(1 for r in reports if r.get("again"))
    print(f"{len(reports)} seeds, {virtual:.0f} virtual seconds in {elapsed:.1f} s "
          f"({virtual / max(elapsed, 0.001):.0f} virtual seconds a second), "
          f"{twice} run twice with equal hash, {len(failed)} failed")
    for name in sorted(totals):
        print(f"  {name:<28} {totals[name]:>12}")
    return {"seeds": len(reports), "virtual_seconds": virtual, "counts": totals}


def main():
    """Runs all seeds and decides."""
    options = parse_arguments()
    first, _, last = options.seeds.partition("..")
    seeds = range(int(first), int(last or first) + 1)
    began = time.monotonic()
    reports = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        pending = {}
        waiting = iter(seeds)
        while True:
            while len(pending) < options.jobs and time.monotonic() - began < options.minutes * 60:
                seed = next(waiting, None)
                if seed is None:
                    break
                pending[pool.submit(run_seed, options, seed)] = seed
            if not pending:
                break
            ended, _ = concurrent.futures.wait(
                pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                del pending[future]
                report = future.result()
                reports.append(report)
                if not report["ok"] and not options.expect_failure:
                    print(f"seed {report['seed']} FAILED; again: {report['command']}\n"
                          f"{report['output']}", flush=True)
    sums = print_summary(reports, time.monotonic() - began)
    if options.sums:
        with open(options.sums, "w", encoding="utf-8") as file:
            json.dump(sums, file)
    failed = sum(1 for r in reports if not r["ok"])
    if options.expect_failure:
        print(f"expected failures: {failed} of {len(reports)} seeds failed")
        return 0 if failed else 1
    missed = [name for name in options.expect if sums["counts"].get(name, 0) == 0]
    if missed:
        print("expected, and happened in no seed: " + ", ".join(missed))
    return 1 if failed or missed or not reports else 0


if __name__ == "__main__":
    sys.exit(main())
