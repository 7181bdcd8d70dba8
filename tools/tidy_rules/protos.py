"""A .proto file is a public header: every message, field, enum, value and rpc says what it means."""

import re

_DECLARATION = re.compile(
    r"^\s*(?:(?P<kind>message|enum|service|oneof)\s+(?P<name>\w+)"
    r"|(?P<rpc>rpc)\s+(?P<method>\w+)"
    r"|(?:repeated\s+|optional\s+)?(?:map\s*<[^>]*>|[\w.]+)\s+(?P<field>\w+)\s*=\s*\d+"
    r"|(?P<value>[A-Z][A-Z0-9_]*)\s*=\s*-?\d+)")
_NOT_FIELDS = re.compile(r"^\s*(syntax|package|import|option|reserved|extensions)\b")


def _commented(lines, index):
    if "//" in lines[index]:
        return True
    # A declaration that goes over several lines carries its comment after or before it.
    end = index
    while end + 1 < len(lines) and not re.search(r"[;{]", lines[end]):
        end += 1
    return "//" in lines[end] or (index > 0 and lines[index - 1].lstrip().startswith("//"))


def check(files):
    findings = []
    for path, content in files.items():
        if not path.endswith(".proto"):
            continue
        lines = content.split("\n")
        for index, line in enumerate(lines):
            code = line.split("//")[0]
            match = None if _NOT_FIELDS.match(code) else _DECLARATION.match(code)
            if not match or _commented(lines, index):
                continue
            name = next(v for k in ("name", "method", "field", "value") if (v := match.group(k)))
            findings.append(f"{path}:{index + 1}: proto-comment: {name} needs a comment: meaning, "
                            "unit, what its absence means")
    return findings
