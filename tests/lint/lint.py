#!/usr/bin/env python3
"""lint.py SOURCE_ROOT BUILD_ROOT [WORD...] - clang-tidy, gcc -fanalyzer and cppcheck over the library and the command, a
file a core at a time; with words, over the files whose paths hold one.

Each finding is a failure. One that is false is listed in false_findings.py with the reason; an entry that fits nothing any
more is a failure, too. What analyzers cannot see, as they look at one file at a time, model.h tells them."""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

from false_findings import FALSE_FINDINGS

FOLDERS = ("base", "schema", "core", "persist", "api", "cli")
FINDING = re.compile(r"^[^\s:]+:\d+(?::\d+)?: (?:warning|error|style|performance|portability|information): ")
TOOL_SECONDS_MAX = 600


def run(arguments, cwd):
    done = subprocess.run(arguments, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=TOOL_SECONDS_MAX)
    return done.returncode, done.stdout


def findings_in(text, root, folder):
    """Lines that are findings, each once, with paths from the root."""
    found = []
    for line in text.splitlines():
        if not FINDING.match(line):
            continue
        path, rest = line.split(":", 1)
        path = os.path.relpath(os.path.join(folder, path), root)
        if not path.startswith(".."):
            found.append(f"{path}:{rest}")
    return found


def compiler_arguments(entry):
    """The compiler's own, without the output."""
    arguments, kept = shlex.split(entry["command"]), []
    while arguments:
        argument = arguments.pop(0)
        if argument in ("-o", "-MF", "-MQ"):
            arguments.pop(0)
        elif argument not in ("-c", "-MD", "ccache", entry["file"]) and not argument.endswith("/ccache"):
            kept.append(argument)
    return kept


def model_of(root, path):
    """It comes before what the file itself says of the system's headers; the command has none of these functions."""
    if path.startswith("cli/") or path == "base/error.c":
        return []
    return ["-D_GNU_SOURCE=", "-include", str(root / "tests/lint/model.h")]


def clang_tidy(root, build, path, entry):
    extra = [f"--extra-arg={each}" for each in model_of(root, path) + ["-I" + str(root), "-Wno-unknown-warning-option"]]
    status, text = run(["clang-tidy", "-p", str(build), "--quiet", *extra, str(root / path)], build)
    return findings_in(text, root, build) or ([f"{path}: clang-tidy failed:\n{text}"] if status else [])


def gcc_analyzer(root, build, path, entry):
    arguments = ["gcc", *compiler_arguments(entry)[1:], "-I" + str(root), "-Wno-error", "-fanalyzer", "-fdiagnostics-color=never",
                 *model_of(root, path), "-c", entry["file"], "-o", os.devnull]
    status, text = run(arguments, entry["directory"])
    return findings_in(text, root, entry["directory"]) or ([f"{path}: gcc failed:\n{text}"] if status else [])


def cppcheck(root, build, path, entry):
    # The model is for those who follow paths through a file.
    status, text = run(["cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr",
                        "--suppress=missingIncludeSystem", "--template={file}:{line}: {severity}: {message} [{id}]",
                        "--error-exitcode=1", "-I.", "-Iinclude", "-Icli", path], root)
    return findings_in(text, root, root) or ([f"{path}: cppcheck failed:\n{text}"] if status else [])


TOOLS = {"clang-tidy": clang_tidy, "gcc -fanalyzer": gcc_analyzer, "cppcheck": cppcheck}


def is_false(root, tool, finding, used):
    path, line = finding.split(":")[:2]
    source = (root / path).read_text(encoding="utf-8").splitlines()
    for known in FALSE_FINDINGS:
        if (known.tool, known.path) == (tool, path) and f"[{known.check}" in finding and \
                known.line in source[int(line) - 1]:
            used.add(known)
            return True
    return False


def lines_of_another_format(root, paths):
    """How many lines clang-format would write otherwise. Told, and no failure: what stands is not reformatted."""
    count = 0
    for path in paths:
        formatted = subprocess.run(["clang-format", path], cwd=root, capture_output=True, text=True).stdout.splitlines()
        written = (root / path).read_text(encoding="utf-8").splitlines()
        count += len(written) - sum(1 for line in written if line in set(formatted))
    return count


def main(source_root, build_root, *words):
    root, build = pathlib.Path(source_root).resolve(), pathlib.Path(build_root).resolve()
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
        if path.startswith(FOLDERS) and path.split("/")[0] in FOLDERS and (not words or any(w in path for w in words)):
            entries[path] = entry
    if not entries:
        sys.exit(f"lint: no file of the library or the command has {' or '.join(words)} in its path")

    begun = time.monotonic()
    found, used = {tool: [] for tool in TOOLS}, set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = {pool.submit(look, root, build, path, entry): tool
                for path, entry in sorted(entries.items()) for tool, look in TOOLS.items()}
        for job in concurrent.futures.as_completed(jobs):
            for finding in job.result():
                if finding not in found[jobs[job]] and not is_false(root, jobs[job], finding, used):
                    print(finding, flush=True)
                    found[jobs[job]].append(finding)
    stale = [] if words else [known for known in FALSE_FINDINGS if known not in used]
    for known in stale:
        print(f"tests/lint/false_findings.py: {known.tool} finds no {known.check} any more in {known.path}: {known.line}")
    for tool, findings in found.items():
        known = sum(1 for known in used if known.tool == tool)
        print(f"{tool}: {len(entries)} files, {len(findings)} findings, {known} known to be false")
    print(f"clang-format: {lines_of_another_format(root, entries)} lines stand otherwise than it would write them")
    print(f"{time.monotonic() - begun:.0f} s")
    return 1 if stale or any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
