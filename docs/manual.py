#!/usr/bin/env python3
"""manual.py HEADER VERSION - knackdb.3, the manual page of the library, out of the comments of knackdb.h.

The header is the reference; this only sets it as a page: its opening is the description, each of its groups a section,
each declaration a paragraph under its comment. The body of an inline function is left out."""

import re
import sys

GROUP = re.compile(r"^/\* ---- (.*?) -+ \*/$")
FUNCTION = re.compile(r"\b(knackdb_\w+)\s*\(")


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def comment_lines(comment):
    """The words of a comment, without what makes it one."""
    lines = re.sub(r"^/\*+ ?|\s*\*/$", "", comment).split("\n")
    return [re.sub(r"^ ?\* ?| {4}$", "", line).rstrip() if line.lstrip().startswith("*") else line.strip()
            for line in lines]


def paragraphs(lines):
    """Comment text as man macros: filled, but for what is indented, which is an example or a list."""
    previous = ""
    for line in lines:
        parameter = re.match(r"\s*@param (\w+(?:, \w+)*)\s+(.*)", line)
        returned = re.match(r"\s*@return\s+(.*)", line)
        if not line.strip():
            yield ".PP"
        elif parameter:
            yield f".TP\n.I {parameter.group(1)}\n{escaped(parameter.group(2))}"
        elif returned:
            yield f".TP\n.B returns\n{escaped(returned.group(1))}"
        elif previous == "@" and line.startswith(" "):
            yield escaped(line.strip())
            continue
        elif line.startswith("  - "):
            yield f".IP \\(bu 3\n{escaped(line[4:])}"
        elif line.startswith("    ") and previous != "-":
            yield f".br\n\\&{escaped(line)}"
        else:
            yield (".PP\n" if previous == "@" else "") + escaped(line.strip())
        previous = "@" if parameter or returned else "-" if line.startswith("  - ") or (
            previous == "-" and line.startswith("    ")) else line[:1]


def blocks(text):
    """Comments and declarations of a group, in their order."""
    code, depth = [], 0
    for part in re.split(r"(^/\*.*?\*/\n)", text, flags=re.MULTILINE | re.DOTALL):
        if part.startswith("/*"):
            yield "comment", part.strip()
            continue
        for line in part.split("\n"):
            if not line.strip() and depth == 0:
                if code:
                    yield "code", "\n".join(code)
                code = []
            else:
                code.append(line)
                depth += line.count("{") - line.count("}")
    if code:
        yield "code", "\n".join(code)


def declaration(code):
    """As one writes it to read it; empty where the compiler alone is meant."""
    lines = [line for line in code.split("\n") if not re.match(r"#(if|else|elif|endif|undef)|extern \"C\"|}$", line)]
    code = "\n".join(lines).replace("KNACKDB_API ", "")
    if code.startswith("static inline"):
        code = code.split("\n{")[0].replace("static inline ", "") + ";"
    return code if code.strip() else ""


def page(header, version):
    opening, *rest = re.split(r"(?=^/\* ---- )", header, flags=re.MULTILINE)
    names = sorted(set(FUNCTION.findall("\n".join(
        declaration(code) for group in rest for kind, code in blocks(group.split("\n", 1)[1])
        if kind == "code" and (code.startswith(("KNACKDB_API", "static inline")))))))
    yield '.\\" Made by docs/manual.py from knackdb.h.'
    yield f'.TH KNACKDB 3 "" "knackdb {version}" "Library Functions Manual"'
    yield f".SH NAME\n{', '.join(names)} \\- an embedded store for what software agents learn"
    yield ".SH SYNOPSIS\n.nf\n.B #include <knackdb.h>\n.fi\n.PP\ncc ... $(pkg\\-config \\-\\-cflags \\-\\-libs knackdb)"
    yield ".SH DESCRIPTION"
    yield from paragraphs(comment_lines(re.match(r"/\*.*?\*/", opening, re.DOTALL).group(0))[2:])
    for group in rest:
        title, body = group.split("\n", 1)
        yield f".SH {GROUP.match(title).group(1).upper()}"
        for kind, text in blocks(body):
            if kind == "comment":
                yield ".PP"
                yield from paragraphs(comment_lines(text))
            elif declaration(text):
                yield ".PP\n.nf\n.RS 4"
                yield from (escaped(line) for line in declaration(text).split("\n"))
                yield ".RE\n.fi"
    yield ".SH SEE ALSO\n.BR knackdb (1)"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print("\n".join(page(file.read(), sys.argv[2])))
