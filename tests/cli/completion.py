#!/usr/bin/env python3
"""completion.py - what the shells complete is what the command takes.

The commands are those of `knackdb --help`; the options of each those of the table in its source, and the ones that its
help names. Each shell that is installed is asked what it would offer, bash by the function it would call, zsh with
_arguments put aside, fish by `complete -C`."""

import functools
import re
import shutil
import subprocess
import unittest

import tool

COMPLETION = tool.SOURCE_ROOT / "cli" / "completion"
TABLES = set(tool.COLUMNS)
FORMATS = {"import": {"csv", "jsonl", "sqlite"}, "dump": {"csv", "jsonl"}, "replay": {"text", "jsonl"},
           "query": {"table", "csv", "jsonl"}}


@functools.lru_cache(None)
def commands():
    return re.findall(r"^  (\w+) ", tool.run("--help").stdout.split("Commands\n")[1].split("\n\n")[0], re.MULTILINE)


@functools.lru_cache(None)
def options(command):
    """Of its table: name, and whether a value belongs to it."""
    source = (tool.SOURCE_ROOT / "cli" / f"command_{command}.c").read_text()
    table = re.search(r"const struct option\s+\w+\[\] = \{\n(.*?)\{ 0 \}", source, re.DOTALL)
    found = {}
    for entry in re.findall(r"\{ (\.name = .*?) \},$", table.group(1), re.MULTILINE) if table else []:
        for name in re.findall(r'\.(?:name|letter) = "(-[^"]*)"', entry):
            found[name] = ".needs" in entry
    return found


class Options(unittest.TestCase):
    def test_the_help_names_the_options_of_the_table(self):
        self.assertGreater(len(commands()), 5)
        self.assertGreater(sum(len(options(command)) for command in commands()), 15)
        for command in commands():
            described = tool.run(command, "--help").stdout
            named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", described.split("Example")[0]))
            self.assertLessEqual({name for name in options(command) if name.startswith("--")}, named, command)
            self.assertLessEqual({name for name in named if name.startswith("--")}, {*options(command), "--help"}, command)


class Shell:
    """What every shell must offer; offers(WORDS) gives its words for the last one."""

    def offers(self, *words):
        raise NotImplementedError

    def test_commands(self):
        self.assertEqual(self.offers("") - {"--help", "--version"}, {*commands(), "help"})

    def test_options_of_each_command(self):
        for command in commands():
            self.assertEqual(self.offers(command, "--") - {"--help"},
                             {name for name in options(command) if name.startswith("--")}, command)

    def test_formats(self):
        self.assertEqual(set(FORMATS), {command for command in commands() if "--format" in options(command)})
        for command, formats in FORMATS.items():
            self.assertEqual(self.offers(command, "--format", ""), formats, command)

    def test_tables(self):
        self.assertEqual(self.offers("replay", "--table", ""), TABLES)
        self.assertEqual(self.offers("query", "x", "user_"), {"user_preferences"})


@unittest.skipUnless(shutil.which("bash"), "bash is not installed")
class Bash(Shell, unittest.TestCase):
    SCRIPT = """source "$1"; shift; COMP_WORDS=(knackdb "$@"); COMP_CWORD=$#
                compopt() { :; }; _knackdb; printf '%s\\n' "${COMPREPLY[@]}" """

    def offers(self, *words):
        done = subprocess.run(["bash", "-c", self.SCRIPT, "bash", COMPLETION / "knackdb.bash", *words],
                              capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_a_value_behind_an_equals_sign(self):
        self.assertEqual(self.offers("query", "--format", "=", "js"), {"jsonl"})
        self.assertEqual(self.offers("query", "--format", "="), FORMATS["query"])

    def test_options_with_values_are_no_positionals(self):
        for command in commands():
            for name in (name for name, needs in options(command).items() if needs):
                if command in ("query", "dump"):
                    self.assertEqual(self.offers(command, name, "value", "directory", "user_"), {"user_preferences"})
                # nothing of its own is offered for a value that could be anything
                self.assertFalse(self.offers(command, name, "--") - FORMATS.get(command, set()), (command, name))


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class Fish(Shell, unittest.TestCase):
    def offers(self, *words):
        line = " ".join(["knackdb", *words])
        done = subprocess.run(["fish", "--no-config", "-c", f"source {COMPLETION}/knackdb.fish; complete -C '{line}'"],
                              capture_output=True, text=True, timeout=60, check=True, cwd="/proc/self/fdinfo")
        self.assertEqual(done.stderr, "")
        return {line.split("\t")[0] for line in done.stdout.splitlines()}


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(Shell, unittest.TestCase):
    SCRIPT = """
        _arguments() { print -rl -- "$@" }
        _describe() { print -rl -- "${(P@)2}" }
        words=(knackdb "$@"); CURRENT=$(($# + 1))
        source "$KNACKDB_COMPLETION"
    """

    def specifications(self, *words):
        done = subprocess.run(["zsh", "-f", "-c", self.SCRIPT, "zsh", *words], capture_output=True, text=True, timeout=60,
                              check=True, env={"PATH": "/usr/bin:/bin", "KNACKDB_COMPLETION": COMPLETION / "_knackdb"})
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def offers(self, *words):
        specifications = self.specifications(*words)
        if len(words) == 1:
            return {re.match(r"[\w-]+", line).group(0) for line in specifications}
        wanted = r"(--[a-z-]+)=?\["
        if len(words) == 3 and words[1].startswith("--"):
            line = next(line for line in specifications if line.startswith(words[1] + "="))
            return set(re.search(r":\(([^)]*)\)$", line).group(1).split())
        if len(words) == 3:
            line = next(line for line in specifications if line.startswith("2:table:"))
            return {table for table in re.search(r"\((.*)\)", line).group(1).split() if table.startswith(words[2])}
        return {found.group(1) for found in (re.search(wanted, line) for line in specifications) if found}


if __name__ == "__main__":
    tool.main()
