#!/usr/bin/env python3
"""names.py SOURCE_ROOT - what the documents name is there: files, functions as `name()`, and words of code in
backquotes, those with an underscore. A word that was renamed in the code must be renamed in the documents.

That a name exists does not make true what is said of it: that is for who reads."""

import pathlib
import re
import sys

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"\b[a-z0-9_./]*[a-z0-9_]\.(?:c|h|py)\b")
FUNCTION = re.compile(r"\b([a-z_][a-z0-9_]*)\(\)")
QUOTED = re.compile(r"`([^`]+)`")
WORD = re.compile(r"\b(?:[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")
CODE = {".c", ".h", ".py", ".pyi", ".build", ".options", ".1", ".sh", ".in"}

# Named, and not ours.
ELSEWHERE = {
    "util.c": "a file that is not to be",
    "target_link_libraries": "CMake's",
    "dependency_names": "Meson's",
    "claim_as_a_sentence": "stands for a test's name",
    "page_reporting": "the kernel's",
    "read_ahead_kb": "the kernel's",
}


def tree(root):
    """Every file that somebody wrote."""
    return [path for path in root.rglob("*") if path.is_file()
            and not any(folder.startswith((".", "build", "__pycache__")) for folder in path.relative_to(root).parts[:-1])]


def names_in(text):
    """What a document says is in the tree: files, and words of its code."""
    # The system's headers, <so.h>, and what a program of the document itself is called are none of ours.
    told = re.sub(r"<[a-z/]+\.h>", "", text)
    files = {name for name in FILE.findall(told) if not name.startswith("/")}
    words = set(FUNCTION.findall(told))
    for quoted in QUOTED.findall(told):
        words.update(WORD.findall(quoted))
    return files, words


def main(root):
    root = pathlib.Path(root)
    files = tree(root)
    paths = ["/" + str(path.relative_to(root)) for path in files]
    words = set()
    for path in files:
        if (path.suffix in CODE or path.name == "run") and path.name != "names.py":
            words.update(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", path.read_text(encoding="utf-8")))
    checked, missing, elsewhere = 0, [], set()
    for document in sorted([*root.glob("*.md"), *root.glob("docs/*.md")]):
        text = document.read_text(encoding="utf-8")
        programs = "\n".join(FENCED.findall(text))
        named_files, named_words = names_in(FENCED.sub("", text))
        for name in sorted(named_files | named_words):
            checked += 1
            if name in words:
                continue
            if name in ELSEWHERE:
                elsewhere.add(name)
                continue
            place = "/" + name.lstrip("./")
            if name in named_files and (name in programs or any(path.endswith(place) for path in paths)):
                continue
            missing.append(f"{document.relative_to(root)}: there is no {name}")
    missing += [f"names.py: no document names {name} any more" for name in sorted(set(ELSEWHERE) - elsewhere)]
    for line in missing:
        print(line)
    print(f"{checked - len(missing)} passed, {len(missing)} failed")
    return 1 if missing or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
