#!/usr/bin/env python3
"""Fails when something that simulated clusters count happened in none of the batches of seeds.

  every_event.py SEEDS_MIN FILE…

Each FILE is what `run_seeds.py --sums` left of one batch. Runs without the situations that a fault is
injected for show nothing about them, so each must have come up somewhere, in SEEDS_MIN seeds at least.
What must have come up is listed here, so that an event which is counted no more is missed.
"""

import json
import sys


DEMANDED = """
    ok fail info batch_operations pair_batches counter_increments counter_repeats
    counter_remembered counter_batches_remembered client_retries remembered_answers
    lease_reads read_index_reads lease_refused
    crashes crashes_at_disk_step clean_stops restarts partitions pauses link_changes clock_changes
    failed_syncs full_disks full_disks_told messages_lost messages_flipped damage_noticed
    log_truncated snapshot_sent snapshot_installed snapshot_resumed
    elections transfers transfer_finished committed_entries
    groups_went_quiet groups_woke quiet_leaders_deposed
    move_finished move_cancelled leader_removed meta_moves drains joint_interrupted
    """.split()


def judge(seeds_min, batches, demanded=()):
    """(what is wrong, the sums), given the contents of the files."""
    totals, seeds, seconds = {}, 0, 0
    for batch in batches:
        seeds += batch["seeds"]
        seconds += batch["virtual_seconds"]
        for name, value in batch["counts"].items():
            totals[name] = totals.get(name, 0) + value
    wrong = [f"{name} never happened" for name in sorted(totals) if totals[name] == 0]
    wrong += [f"{name} is not counted" for name in demanded if name not in totals]
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
    wrong, totals = judge(int(sys.argv[1]), batches, DEMANDED)
    for name in sorted(totals, key=totals.get)[:12]:
        print(f"  {name:<28} {totals[name]:>12}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
