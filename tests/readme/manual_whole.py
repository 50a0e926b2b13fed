#!/usr/bin/env python3
"""manual_whole.py SOURCE_ROOT PAGE - knackdb(3) has every function of the header, every group of it, and all its words.

Where mandoc is installed, it has to find no error in the page."""

import pathlib
import re
import shutil
import subprocess
import sys


def words(text):
    return re.findall(r"[A-Za-z_]\w+", text)


def main(root, page):
    header = pathlib.Path(root, "include/knackdb.h").read_text(encoding="utf-8")
    text = pathlib.Path(page).read_text(encoding="utf-8")
    plain = re.sub(r"\\[-e&]", lambda escape: {"\\-": "-", "\\e": "\\", "\\&": ""}[escape.group(0)], text)
    names = re.search(r"^\.SH NAME\n(.*)", plain, re.MULTILINE).group(1)
    faults = [f"{name} is not in NAME" for name in re.findall(r"KNACKDB_API[^;{]*?(knackdb_\w+)\s*\(", header)
              if name not in words(names)]
    faults += [f"{group} is no section" for group in re.findall(r"^/\* ---- (.*?) -", header, re.MULTILINE)
               if f"\n.SH {group.upper()}\n" not in text]
    # The order of words, too, within a comment; macros stand in between.
    said = words(re.sub(r"^\.(?:TP|PP|nf|fi|br|RS 4|RE|IP.*|SH.*)$|^\.[IB] ", "", plain, flags=re.MULTILINE))
    said = " " + " ".join(said) + " "
    comments = re.findall(r"^/\*\*?(?! ----)(.*?)\*/", header, re.MULTILINE | re.DOTALL)[1:]
    for comment in comments:
        wanted = " ".join(words(comment.replace("@param", "").replace("@return", "returns")))
        if f" {wanted} " not in said:
            faults.append(f"not whole: {wanted[:100]}")
    if len(comments) < 50:
        faults.append(f"the header has {len(comments)} comments")
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "error", page], capture_output=True, text=True,
                              check=False)
        faults += lint.stdout.splitlines()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
