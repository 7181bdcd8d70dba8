"""Just enough of C++'s lexical structure for rules that must not look into comments or strings."""

import re

# A raw string, a string, a character (not a digit separator), a line comment, a block comment.
_TOKEN = re.compile(
    r'(?P<raw>\b(?:u8|u|U|L)?R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<char>(?<![0-9A-Fa-f_])'(?:\\.|[^'\\\n])+')"
    r"|(?P<line>//[^\n]*)"
    r"|(?P<block>/\*.*?\*/)",
    re.DOTALL)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.MULTILINE)


def _blank(match):
    kept = "\n" * match.group(0).count("\n")
    if match.lastgroup in ("line", "block"):
        return kept or " "
    return '""' + kept


def strip(source):
    """The source without comments and literals; line numbers stay."""
    return _TOKEN.sub(_blank, source)


def line_of(source, offset):
    return source.count("\n", 0, offset) + 1


def includes(source):
    """(line, path, is_system) of each include directive."""
    return [(line_of(source, m.start()), m.group(2), m.group(1) == "<")
            for m in _INCLUDE.finditer(source)]


def is_cpp(path):
    return path.endswith((".cc", ".h"))
