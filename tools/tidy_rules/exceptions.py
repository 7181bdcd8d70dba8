"""The one list of exceptions: (path, rule) → why the rule does not hold there.

An exception that covers nothing is a finding itself, so the list cannot outlive its reasons.
"""

ALLOWED = {
    ("examples/unit_test/cart.cc", "first-include"):
        "an application of its own, whose includes begin in its own folder",
}


def apply(findings, allowed=None):
    allowed = ALLOWED if allowed is None else allowed
    used = set()
    left = []
    for finding in findings:
        location, rule, _ = finding.split(": ", 2)
        key = (location.rsplit(":", 1)[0], rule)
        if key in allowed:
            used.add(key)
        else:
            left.append(finding)
    for path, rule in sorted(set(allowed) - used):
        left.append(f"{path}:1: exception: no finding of '{rule}' here any more; remove it from "
                    "tools/tidy_rules/exceptions.py")
    return left
