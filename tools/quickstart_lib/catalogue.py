"""Debian's package catalogue as records: key = package name, value = the stanza that describes it.

A package of a foreign architecture gets `name:arch`, as dpkg spells it. `apt-cache dumpavail` gives
one version (apt's candidate) of each package and architecture, so a key that occurs twice means
that the input is not what we take it for: an error, never an overwrite.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess

DPKG_STATUS = "/var/lib/dpkg/status"
STANZAS_MIN = 10_000


class CatalogueError(Exception):
    """The input cannot be made into records; the text says where and why."""


def _fields(stanza, wanted):
    """The values of the wanted fields; continuation lines are not looked at."""
    found = {}
    for line in stanza.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name in wanted and name not in found:
            found[name] = value.strip()
    return found


def key_of(stanza, native):
    fields = _fields(stanza, (b"Package", b"Architecture"))
    name = fields.get(b"Package")
    if not name:
        raise CatalogueError(f"a stanza names no package: it begins {stanza[:60]!r}")
    architecture = fields.get(b"Architecture", b"all")
    if architecture in (native, b"all"):
        return name
    return name + b":" + architecture


def stanzas(data):
    """Paragraphs of a Debian control file, without the empty lines between them."""
    paragraph = []
    for line in data.splitlines(keepends=True):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield b"".join(paragraph)
            paragraph = []
    if paragraph:
        yield b"".join(paragraph)


def parse(data, native):
    """Records {key: stanza}, in key order."""
    records = {}
    for stanza in stanzas(data):
        key = key_of(stanza, native)
        if key in records:
            raise CatalogueError(f"the key {key.decode(errors='replace')!r} occurs twice")
        records[key] = stanza
    return dict(sorted(records.items()))


def _text_or_base64(name, value):
    try:
        return {name: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {name + "_b64": base64.b64encode(value).decode("ascii")}


def write_ndjson(records, path):
    """One JSON object a line, in the form that `kvctl import` reads."""
    with open(path + ".new", "w", encoding="utf-8") as out:
        for key, value in records.items():
            line = {**_text_or_base64("key", key), **_text_or_base64("value", value)}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    os.replace(path + ".new", path)


def _bytes_of(line, name):
    if name in line:
        return line[name].encode("utf-8")
    return base64.b64decode(line[name + "_b64"], validate=True)


def read_ndjson(lines):
    """Records of lines as `kvctl export` writes them; they must come in strict key order."""
    records, last = {}, None
    for text in lines:
        if not text.strip():
            continue
        line = json.loads(text)
        key = _bytes_of(line, "key")
        if last is not None and key <= last:
            raise CatalogueError(f"the export is not in key order: {key!r} after {last!r}")
        records[key] = _bytes_of(line, "value")
        last = key
    return records


def digest(records):
    """SHA-256 over all records in key order, each length before its bytes."""
    sha = hashlib.sha256()
    for key in sorted(records):
        for part in (key, records[key]):
            sha.update(len(part).to_bytes(8, "big"))
            sha.update(part)
    return sha.hexdigest()


def _dumpavail():
    if not shutil.which("apt-cache"):
        return b""
    return subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=False).stdout


def _update_lists(say):
    """Tries to bring apt's lists up to date; where that is not possible nothing happens."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and not shutil.which("sudo"):
        return
    say("apt knows few packages here; asking it to update its lists")
    command = [*as_root, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300",
               "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "update"]
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=300)
    except (subprocess.TimeoutExpired, OSError):
        pass


def load(say):
    """(records, name of the source) of this machine's catalogue."""
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True,
                            check=True).stdout.strip()
    data = _dumpavail()
    if sum(1 for _ in stanzas(data)) < STANZAS_MIN:
        _update_lists(say)
        data = _dumpavail()
    records = parse(data, native)
    if len(records) >= STANZAS_MIN:
        return records, "apt-cache dumpavail"
    say(f"apt-cache dumpavail has only {len(records)} stanzas and an update brought no more: "
        f"taking the installed packages of {DPKG_STATUS} instead")
    with open(DPKG_STATUS, "rb") as stream:
        return parse(stream.read(), native), DPKG_STATUS
