"""Files and functions stay short enough to read in one sitting."""

import ast
import re

from tidy_rules import cpp_source

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60

_SCOPE = re.compile(r"^\s*(template\s*<.*>\s*)?(inline\s+)?(\[\[[^\]]*\]\]\s*)?"
                    r"(namespace|class|struct|union|enum|extern\s*\"\")\b", re.DOTALL)
_ACCESS = re.compile(r"^(\s*(public|private|protected)\s*:)+")
_ENDS_LIKE_FUNCTION = re.compile(r"\)\s*(const|noexcept|override|final|&&?|->[^;{}]*|\s)*$")
_BASH_FUNCTION = re.compile(r"^(?:function\s+)?([\w:.-]+)\s*\(\)\s*\{\s*$")


def is_bash(path, content):
    return path.endswith(".sh") or bool(re.match(r"#!.*\b(ba)?sh\n", content))


def is_python(path, content):
    return path.endswith(".py") or bool(re.match(r"#!.*\bpython3\n", content))


def _matching_brace(source, start):
    depth = 0
    for offset in range(start, len(source)):
        if source[offset] == "{":
            depth += 1
        elif source[offset] == "}":
            depth -= 1
            if depth == 0:
                return offset
    return len(source)


def _without_directives(source):
    """Preprocessor lines emptied, their continuations too; line numbers stay."""
    kept, inside = [], False
    for line in source.split("\n"):
        directive = inside or line.lstrip().startswith("#")
        inside = directive and line.endswith("\\")
        kept.append("" if directive else line)
    return "\n".join(kept)


def _is_scope(header):
    """True for what opens a scope in which functions are declared: namespaces and classes."""
    header = _ACCESS.sub("", header)
    return bool(_SCOPE.match(header)) and not _ENDS_LIKE_FUNCTION.search(header)


def cpp_functions(source):
    """(name, first line, number of lines) of each function body outside another function."""
    source = _without_directives(cpp_source.strip(source))
    functions, start, offset = [], 0, 0
    while offset < len(source):
        char = source[offset]
        if char in ";}":
            start = offset + 1
        elif char == "{":
            header = source[start:offset]
            if not _is_scope(header):
                end = _matching_brace(source, offset)
                # `: a_{1}, b_{2} {`: a constructor's braces belong to one function, so its start stays.
                initialiser = re.match(r"\s*[,{]", source[end + 1:end + 80]) is not None
                if "(" in header and not initialiser:
                    first = cpp_source.line_of(source, start + len(header) - len(header.lstrip()))
                    name = re.search(r"([~\w:]+)\s*\(", header)
                    functions.append((name.group(1) if name else "function", first,
                                      cpp_source.line_of(source, end) - first + 1))
                offset = end
                if not initialiser:
                    start = end + 1
            else:
                start = offset + 1
        offset += 1
    return functions


def python_functions(source):
    nodes = [node for node in ast.walk(ast.parse(source))
             if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [(node.name, node.lineno, node.end_lineno - node.lineno + 1) for node in nodes]


def bash_functions(source):
    functions, name, first = [], None, 0
    for number, line in enumerate(source.split("\n"), 1):
        match = _BASH_FUNCTION.match(line)
        if match:
            name, first = match.group(1), number
        elif name and line == "}":
            functions.append((name, first, number - first + 1))
            name = None
    return functions


def _functions(path, content):
    if cpp_source.is_cpp(path):
        return cpp_functions(content)
    if is_python(path, content):
        return python_functions(content)
    return bash_functions(content)


def check(files):
    findings = []
    for path, content in files.items():
        if not (cpp_source.is_cpp(path) or is_python(path, content) or is_bash(path, content)):
            continue
        lines = content.count("\n")
        if lines > FILE_LINES_MAX:
            findings.append(f"{path}:{lines}: file-length: {lines} lines, at most {FILE_LINES_MAX}: "
                            "one noun, one file")
        for name, first, count in _functions(path, content):
            if count > FUNCTION_LINES_MAX:
                findings.append(f"{path}:{first}: function-length: {name} has {count} lines, at most "
                                f"{FUNCTION_LINES_MAX}: name its parts")
    return findings
