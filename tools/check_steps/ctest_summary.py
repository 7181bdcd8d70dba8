"""Counts the tests of one ctest run from its junit file.

Usage: ctest_summary.py [--require-all] RESULT.xml COUNTS

Writes "passed failed skipped" to COUNTS and the names of skipped tests, with the reason, to a file
beside it that ends in .skipped. A test may be skipped only for a capability of the machine that is
listed here, named in its output as "missing capability: NAME"; any other skip counts as failed.
Exit code 1 if a test failed or none passed.
"""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree

CAPABILITIES = {
    "address-randomisation": "personality(ADDR_NO_RANDOMIZE), for runs that must repeat exactly",
    "network-namespaces": "network namespaces and iptables, which need root",
    "containers": "a container engine",
    "memory": "enough memory for the test",
}

_REASON = re.compile(r"missing capability: ([a-z-]+)")


def skip_reason(case, require_all):
    """The listed capability for want of which a test was skipped, else None."""
    output = "".join(case.itertext())
    found = _REASON.search(output)
    if require_all or not found or found.group(1) not in CAPABILITIES:
        return None
    return found.group(1)


def classify(case, require_all):
    """One of passed, failed or skipped, and the reason."""
    status = case.get("status")
    if case.find("failure") is not None or case.find("error") is not None or status == "fail":
        return "failed", "failed"
    if status in ("notrun", "disabled") or case.find("skipped") is not None:
        reason = skip_reason(case, require_all)
        if reason:
            return "skipped", f"missing capability: {reason}"
        return "failed", "skipped without a capability that check knows"
    return "passed", ""


def main(arguments):
    require_all = arguments[:1] == ["--require-all"]
    junit, counts_path = arguments[-2:]
    if not os.path.exists(junit):
        print(f"ctest wrote no {junit}: did it find any test?")
        return 1
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    skipped = []
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        verdict, reason = classify(case, require_all)
        counts[verdict] += 1
        if verdict == "failed":
            print(f"{case.get('name')}: {reason}")
        elif verdict == "skipped":
            skipped.append(f"  {case.get('name')}: {reason}\n")
    with open(counts_path, "w", encoding="utf-8") as out:
        out.write("{passed} {failed} {skipped}\n".format(**counts))
    if skipped:
        with open(counts_path + ".skipped", "w", encoding="utf-8") as out:
            out.writelines(skipped)
    if not sum(counts.values()):
        print("no test carries this label: what the step is for is not being tested")
    return 0 if counts["passed"] and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
