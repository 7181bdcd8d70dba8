#!/usr/bin/env python3
"""Fails when something that simulated clusters count happened in none of the batches of seeds.

  every_event.py SEEDS_MIN FILE…

Each FILE is what `run_seeds.py --sums` left of one batch. Runs without the situations that a fault is
injected for show nothing about them, so each must have come up somewhere, in SEEDS_MIN seeds at least.
"""

import json
import sys


def judge(seeds_min, batches):
    """(what is wrong, the sums), given the contents of the files."""
    totals, seeds, seconds = {}, 0, 0
    for batch in batches:
        seeds += batch["seeds"]
        seconds += batch["virtual_seconds"]
        for name, value in batch["counts"].items():
            totals[name] = totals.get(name, 0) + value
    wrong = [f"{name} never happened" for name in sorted(totals) if totals[name] == 0]
    if not totals:
        wrong.append("nothing was counted")
    if seeds < seeds_min:
        wrong.append(f"{seeds} seeds are fewer than {seeds_min}")
    if seconds < 60 * seeds:
        wrong.append(f"{seconds:.0f} virtual seconds are fewer than 60 for each of {seeds} seeds")
    return wrong, totals


def main():
    """Reads the files and prints the rarest events."""
    batches = []
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            batches.append(json.load(file))
    wrong, totals = judge(int(sys.argv[1]), batches)
    for name in sorted(totals, key=totals.get)[:12]:
        print(f"  {name:<28} {totals[name]:>12}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
