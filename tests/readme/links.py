#!/usr/bin/env python3
"""links.py SOURCE_ROOT - every relative link of the documents leads to a file that is there.

Links to the web are not followed: a test needs no network. A link's #part is not checked."""

import pathlib
import re
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def main(root):
    root = pathlib.Path(root)
    checked, broken = 0, []
    for document in sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")]):
        text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:|#", target):
                continue
            checked += 1
            if not (document.parent / target.split("#")[0]).exists():
                broken.append(f"{document.relative_to(root)}: {target} is not there")
    for line in broken:
        print(line)
    print(f"{checked - len(broken)} passed, {len(broken)} failed")
    return 1 if broken or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
