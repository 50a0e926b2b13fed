"""c_source.py - what the layer checks need to know of C text, which is little: its folders, its words and its includes."""

import pathlib
import re

LAYERS = ["base", "schema", "core", "persist", "api"]
OUTSIDE = ["cli", "benchmarks", "docs/examples"]  # programs a user could have written

COMMENT_OR_LITERAL = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def files(root, folder):
    """The C files of a folder, as paths, in order."""
    return sorted(path for suffix in ("*.c", "*.h", "*.cc") for path in pathlib.Path(root, folder).rglob(suffix))


def read(path):
    return pathlib.Path(path).read_text(encoding="utf-8")


def blank(match):
    """As many lines as before, nothing in them; a literal stays one."""
    return re.sub(r"[^\n]", " ", match.group(0)) if match.group(0)[0] == "/" else '""'


def code_only(text):
    """The text without comments and without what stands in literals; line numbers stay."""
    return COMMENT_OR_LITERAL.sub(blank, text)


def includes(path):
    """(line number, '<' or '"', name) of each include; one that is commented out does not count."""
    text = COMMENT_OR_LITERAL.sub(lambda m: blank(m) if m.group(0)[0] == "/" else m.group(0), read(path))
    return [(text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)) for match in INCLUDE.finditer(text)]
