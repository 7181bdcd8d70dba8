#!/usr/bin/env python3
"""Holds docs/fault-catalogue.md to the tests: every pitfall has one, or a reason why not yet.

  catalogue.py [ROOT]

A row of the page's pitfall tables is `| NAME | rule | shown by |`. It is covered when a scenario, a test or
a regression has that name or, where the last cell names others in backticks, when all of those exist. What is
not covered stands in tests/catalogue_pending.txt as `NAME: reason`. Any other gap fails, and so does an
entry there whose test exists: the feature has landed.
"""

import pathlib
import re
import sys

PAGE = pathlib.Path("docs/fault-catalogue.md")
PENDING = pathlib.Path("tests/catalogue_pending.txt")
GOOGLE_TEST = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)")
CTEST = re.compile(r"\badd_test\(\s*NAME (\w+)")
PYTHON_TEST = re.compile(r"^ +def (test_\w+)\(", re.MULTILINE)
NAME = re.compile(r"`([\w.]+)`")
SKIPPED = {"build", ".git"}


def sources(root, pattern):
    """Files of the tree that match, without what is built."""
    for path in sorted(root.rglob(pattern)):
        if not SKIPPED.intersection(path.relative_to(root).parts[:1]):
            yield path


def existing_tests(root):
    """Names that a pitfall may have or be shown by."""
    names = {path.stem for path in (root / "tests/scenarios").glob("*/*.txt")}
    names |= {path.stem for path in (root / "tests/regressions").glob("*.txt")}
    for path in sources(root, "*_test.cc"):
        for suite, test in GOOGLE_TEST.findall(path.read_text(encoding="utf-8")):
            names |= {test, f"{suite}.{test}"}
    for path in sources(root, "CMakeLists.txt"):
        names.update(CTEST.findall(path.read_text(encoding="utf-8")))
    for path in sources(root, "*_test.py"):
        names.update(PYTHON_TEST.findall(path.read_text(encoding="utf-8")))
    return names


def pitfalls(text):
    """(name, names of the tests that show it) of each row below the heading "Pitfalls"."""
    found = []
    _, _, section = text.partition("\n## Pitfalls\n")
    for line in section.partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        name = NAME.fullmatch(cells[0]) if len(cells) == 3 else None
        if name:
            found.append((name[1], NAME.findall(cells[2]) or [name[1]]))
    return found


def pending(text):
    """NAME → reason; the reason may be empty."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name.strip(): reason.strip() for name, _, reason in (l.partition(":") for l in lines)}


def findings(rows, waiting, tests):
    """What is wrong, a line each."""
    wrong = []
    names = [name for name, _ in rows]
    wrong += [f"{PAGE}: {name} stands there twice" for name in sorted(set(names))
              if names.count(name) > 1]
    for name, shown_by in rows:
        missing = [test for test in shown_by if test not in tests]
        if not missing and name in waiting:
            wrong.append(f"{PENDING}: {name} has its test: take it out")
        if missing and name not in waiting:
            wrong.append(f"{PAGE}: {name}: no test or scenario is called {', '.join(missing)}, and "
                         f"{PENDING} gives no reason")
    for name, reason in waiting.items():
        if name not in names:
            wrong.append(f"{PENDING}: {name} is no pitfall of {PAGE}")
        if not reason:
            wrong.append(f"{PENDING}: {name} has no reason")
    return wrong


def main():
    """Reads the page, the list and the tree."""
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    rows = pitfalls((root / PAGE).read_text(encoding="utf-8"))
    waiting = pending((root / PENDING).read_text(encoding="utf-8"))
    wrong = findings(rows, waiting, existing_tests(root))
    if not rows:
        wrong.append(f"{PAGE}: no pitfall found")
    for line in wrong:
        print(line)
    print(f"catalogue: {len(rows)} pitfalls, {len(rows) - len(waiting)} shown, {len(waiting)} pending, "
          f"{len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
