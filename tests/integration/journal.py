"""The journal of `kvctl load`: what became of each write."""

import json


def acknowledged(path):
    """How many writes are, as far as the journal has been written."""
    with open(path, encoding="utf-8") as lines:
        return sum('"acknowledged"' in line for line in lines)


def outcomes(path):
    """{outcome: {key: value}} of a journal that is complete."""
    found = {"acknowledged": {}, "unknown": {}, "refused": {}}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            found[entry["outcome"]][entry["key"]] = entry["value"]
    return found


def check_stored(test, written, stored):
    """`stored` has every acknowledged write of `written`, and none that was refused."""
    lost = [key for key, value in written["acknowledged"].items() if stored.get(key) != value]
    test.assertEqual(lost[:10], [], f"{len(lost)} acknowledged writes lost or changed")
    risen = [key for key in written["refused"] if key in stored]
    test.assertEqual(risen[:10], [], f"{len(risen)} refused writes are there")
