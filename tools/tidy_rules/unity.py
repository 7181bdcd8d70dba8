"""Names that two sources of one target both give to something of their own.

The sanitizer builds compile many sources of a target as one (CMAKE_UNITY_BUILD), where an anonymous
namespace is shared. Only what clang-format leaves at the start of a line is looked at."""

import os
import re

from tidy_rules import cpp_source

_TARGET = re.compile(r"\bquorate_(?:library|binary|test)\(\s*(\w+)([^)]*)\)")
_ANONYMOUS = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"^(?:struct|class|enum class|enum) (\w+)[^;{]*\{", re.MULTILINE)
_VARIABLE = re.compile(r"^(?:inline |static |volatile |thread_local )*(?:constexpr|const|volatile)\b"
                       r"[^=({;]*?\b(\w+)(?:\[\w*\])?\s*(?:=|\{|;)", re.MULTILINE)
_FUNCTION = re.compile(r"^[A-Za-z_][\w:<>,&* ]*?\b(\w+\([^;{}]*\))[\w ]*\{", re.MULTILINE)
_TEST = re.compile(r"^(TEST\w*\([^)]*\))", re.MULTILINE)


def _names(content):
    """(line, name) of what the source's anonymous namespaces hold; a function with its parameters."""
    for block in _ANONYMOUS.finditer(content):
        stripped = cpp_source.strip(block.group(1))
        first = cpp_source.line_of(content, block.start(1))
        for expression in (_TYPE, _VARIABLE, _FUNCTION, _TEST):
            for match in expression.finditer(stripped):
                yield (first + stripped.count("\n", 0, match.start(1)),
                       re.sub(r"\s+", " ", match.group(1)))


def _sources(path, files):
    """(target, its sources) of each target that a CMakeLists.txt makes."""
    folder = os.path.dirname(path)
    for match in _TARGET.finditer(files[path]):
        paths = [os.path.normpath(os.path.join(folder, word)) for word in match.group(2).split()
                 if word.endswith(".cc")]
        yield match.group(1), [each for each in paths if each in files]


def check(files):
    findings = []
    for path in files:
        if os.path.basename(path) != "CMakeLists.txt":
            continue
        for target, sources in _sources(path, files):
            owner = {}
            for source in sources:
                for line, name in _names(files[source]):
                    if owner.setdefault(name, source) != source:
                        findings.append(f"{source}:{line}: same-name: {name} is also in "
                                        f"{owner[name]}, which the unity build of {target} compiles "
                                        "together with it; find a name that says more")
    return findings
