#!/usr/bin/env python3
"""lint.py [--log FILE] SOURCE_ROOT BUILD_ROOT [WORD...] - clang-tidy, gcc -fanalyzer and cppcheck over the library and the
command, a file a core at a time; the form of every C file, and pyflakes over every Python file. With words, the first three alone, over
the files whose paths hold one.

Each finding is a failure. One that is false is listed in false_findings.py with the reason; an entry that fits nothing any
more is a failure, too. That list is of the tools' versions in Debian 12: what another version finds is told, and fails nothing.
What analyzers cannot see, as they look at one file at a time, model.h tells them.

A file that a tool finds nothing in counts as a test passed. --log: for tests/summary.py, as meson writes it."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

import formatting
import python_files
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


# How each looks at a file, and which version of which program false_findings.py is of.
TOOLS = {
    "clang-tidy": (clang_tidy, "clang-tidy", "LLVM version 14."),
    "gcc -fanalyzer": (gcc_analyzer, "gcc", " 12."),
    "cppcheck": (cppcheck, "cppcheck", "Cppcheck 2.10"),
}


def why_not(program, version):
    """Why its findings decide nothing here; None where they do."""
    if shutil.which(program) is None:
        return f"there is no {program}"
    if version not in run([program, "--version"], ".")[1]:
        return f"{program} is of another version than{version if version.startswith(' ') else ' ' + version}"
    return None


def is_false(root, tool, finding, used):
    path, line = finding.split(":")[:2]
    source = (root / path).read_text(encoding="utf-8").splitlines()
    for known in FALSE_FINDINGS:
        if (known.tool, known.path) == (tool, path) and f"[{known.check}" in finding and \
                known.line in source[int(line) - 1]:
            used.add(known)
            return True
    return False


def files_to_look_at(root, build, words):
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), root)
        if path.startswith(FOLDERS) and path.split("/")[0] in FOLDERS and (not words or any(w in path for w in words)):
            entries[path] = entry
    if not entries:
        sys.exit(f"lint: no file of the library or the command has {' or '.join(words)} in its path")
    return entries


def look_at_all(root, build, entries, tools, say):
    """What each tool has found, file by file, without what is known to be false; and what of that was met."""
    found, used = {tool: {} for tool in tools}, set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = {pool.submit(TOOLS[tool][0], root, build, path, entry): (tool, path)
                for path, entry in sorted(entries.items()) for tool in tools}
        for job in concurrent.futures.as_completed(jobs):
            tool, path = jobs[job]
            told = [finding for known in found[tool].values() for finding in known]
            new = [finding for finding in dict.fromkeys(job.result())
                   if finding not in told and not is_false(root, tool, finding, used)]
            found[tool][path] = new
            for finding in new:
                say(finding)
    return found, used


def look_at_whole_tree(root, say):
    """Of every C and every Python file; what passed, failed and was skipped."""
    passed = failed = skipped = 0
    for module in (formatting, python_files):
        found = module.check(root)
        if found is None:
            skipped += 1
            say(f"skipped: there is no {module.PROGRAM}")
            continue
        for findings in found.values():
            for finding in findings:
                say(finding)
        failed += sum(1 for findings in found.values() if findings)
        passed += sum(1 for findings in found.values() if not findings)
        say(f"{module.PROGRAM}: {len(found)} files, {sum(map(len, found.values()))} findings")
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description="clang-tidy, gcc -fanalyzer, cppcheck, formatting")
    parser.add_argument("--log", type=pathlib.Path)
    parser.add_argument("source_root", type=pathlib.Path)
    parser.add_argument("build_root", type=pathlib.Path)
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    root, build = arguments.source_root.resolve(), arguments.build_root.resolve()
    said = []

    def say(line):
        said.append(line)
        print(line, flush=True)

    begun = time.monotonic()
    entries = files_to_look_at(root, build, arguments.words)
    reasons = {tool: why_not(program, version) for tool, (_, program, version) in TOOLS.items()}
    found, used = look_at_all(root, build, entries, [tool for tool in TOOLS if shutil.which(TOOLS[tool][1])], say)

    passed = failed = skipped = 0
    for tool, findings in found.items():
        known = sum(1 for known in used if known.tool == tool)
        count = sum(len(each) for each in findings.values())
        say(f"{tool}: {len(entries)} files, {count} findings, {known} known to be false")
        if reasons[tool] is None:
            failed += sum(1 for each in findings.values() if each)
            passed += sum(1 for each in findings.values() if not each)
    outcome = (0, 0, 0) if arguments.words else look_at_whole_tree(root, say)
    passed, failed, skipped = passed + outcome[0], failed + outcome[1], skipped + outcome[2]
    stale = [] if arguments.words else [known for known in FALSE_FINDINGS if known not in used and reasons[known.tool] is None]
    for known in stale:
        say(f"tests/lint/false_findings.py: {known.tool} finds no {known.check} any more in {known.path}: {known.line}")
    failed += len(stale)
    for tool, reason in reasons.items():
        if reason is not None:
            skipped += 1
            say(f"skipped: {tool}: {reason}")
    say(f"{time.monotonic() - begun:.0f} s")
    say(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    if arguments.log:
        arguments.log.write_text(json.dumps({"name": "lint", "result": "FAIL" if failed else "OK", "returncode": int(failed > 0),
                                             "stdout": "\n".join(said) + "\n", "stderr": ""}) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
