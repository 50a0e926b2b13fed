#!/usr/bin/env python3
"""checks_bite.py NM CC... - each check of the house rules finds what it is for.

A check that looks in the wrong place passes for ever. So a small tree that keeps every rule is made, and passes; then
one rule at a time is broken in it, and the check must fail and name the file."""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent

HEADER = """
#define API_LIKE(x) x
#define KNACKDB_API __attribute__((visibility("default")))
/* KNACKDB_API void knackdb_in_a_comment(void); */
KNACKDB_API const char *knackdb_one(void);
KNACKDB_API void
knackdb_two(void (*on_fault)(void *context, int fault), void *context);
"""
CLEAN = {
    "include/knackdb.h": HEADER,
    "base/clock.h": "int clock_read(void);\n",
    "base/clock.c": '#include "base/clock.h"\n#include <knackdb.h>\nint clock_read(void) { return 1; }\n',
    "core/store.h": "int store_read(void);\n",
    "core/store.c": '#include "core/store.h"\n#include "base/clock.h"\nint store_read(void) { return clock_read(); }\n',
    "api/life.c": '#include <knackdb.h>\nconst char *knackdb_one(void) { return "strcpy(a, b)"; }\n'
                  'void knackdb_two(void (*f)(void *, int), void *context) { (void) f; (void) context; }\n',
    "api/exports.map": "KNACKDB_0 { global: knackdb_*; local: *; };\n",
    "cli/main.c": '#include "csv.h"\n#include <knackdb.h>\nint main(void) { return 0; }\n',
    "cli/csv.h": "/* strcpy(a, b) is only talked of here */\n",
    "tests/api/store.c": '#include "scratch.h"\n#include <knackdb.h>\n',
    "tests/api/scratch.h": "",
}

INCLUDES, BANNED, EXPORTS = "check_includes.py", "check_banned.py", "check_exports.py"

# What is changed, which check must see it, and what it must say.
BREACHES = [
    ("a layer includes upward", {"base/clock.c": '#include "core/store.h"\n'}, INCLUDES, "base/clock.c:1: base must not"),
    ("a layer includes the command's header", {"core/store.c": '\n#include "cli/csv.h"\n'}, INCLUDES, "core/store.c:2:"),
    ("an include without its folder", {"core/store.c": '#include "store.h"\n'}, INCLUDES, "core/store.c:1: name it"),
    ("our header in angle brackets", {"core/store.c": '#include <base/clock.h>\n'}, INCLUDES, "core/store.c:1: our own"),
    ("two files of one name", {"core/clock.h": ""}, INCLUDES, "core/clock.h: shares its name"),
    ("the command includes a layer", {"cli/main.c": '#include <core/store.h>\n'}, INCLUDES, "cli/main.c:1: only"),
    ("the command goes round by ..", {"cli/main.c": '#include "../core/store.h"\n'}, INCLUDES, "cli/main.c:1: outside"),
    ("an example includes a layer", {"docs/examples/a.c": '#include "core/store.h"\n'}, INCLUDES, "docs/examples/a.c:1:"),
    ("a public test's header goes inside", {"tests/api/scratch.h": '#include "../../core/store.h"\n'}, INCLUDES,
     "tests/api/scratch.h:1: outside"),
    ("strcpy in the command", {"cli/main.c": "\nvoid f(char *a) { strcpy (a, a); }\n"}, BANNED, "cli/main.c:2: strcpy"),
    ("a library prints", {"core/store.c": '#include <stdio.h>\nvoid f(void) { printf("%d", 1); }\n'}, BANNED,
     "core, store.o: printf"),
    ("a library exits", {"api/life.c": "#include <stdlib.h>\nvoid f(void) { exit(1); }\n"}, BANNED, "api, life.o: exit"),
    ("core opens a file", {"core/store.c": '#include <fcntl.h>\nint f(void) { return open("a", 0); }\n'}, BANNED,
     "core, store.o: open: core opens no file"),
    ("one function too many", {"base/clock.c": "int clock_read(void) { return 1; }\nint knackdb_leak __attribute__(("
                               'visibility("default")));\n'}, EXPORTS, "knackdb_leak is exported and not declared"),
    ("one function too few", {"api/life.c": 'const char *knackdb_one(void); const char *knackdb_one(void) { return 0; }\n'},
     EXPORTS, "knackdb_two is declared and missing"),
    ("a function of another ABI", {"api/exports.map": "KNACKDB_0 { global: knackdb_o*; };\n"
                                   "KNACKDB_1 { global: knackdb_t*; local: *; };\n"},
     EXPORTS, "knackdb_two carries KNACKDB_1, not KNACKDB_0"),
]


def build(root, nm, cc):
    """Compiles the tree into an archive a layer and a shared library; gives the check's arguments for both."""
    archives, objects = [], []
    for layer in ("base", "core", "api"):
        mine = []
        for source in sorted((root / layer).glob("*.c")):
            object_file = source.with_suffix(".o")
            subprocess.run([*cc, "-c", "-fPIC", "-fvisibility=hidden", f"-I{root}", f"-I{root}/include",
                            "-D_FORTIFY_SOURCE=2", "-O2", "-o", object_file, source], check=True, capture_output=True)
            mine.append(object_file)
        archive = root / f"lib{layer}.a"
        subprocess.run(["ar", "rcs", archive, *mine], check=True)
        archives.append(f"{layer}={archive}")
        objects += mine
    library = root / "libknackdb.so"
    # Undefined symbols are let be: the breaches have calls without a callee.
    subprocess.run([*cc, "-shared", f"-Wl,--version-script={root}/api/exports.map", "-o", library, *objects],
                   check=True, capture_output=True)
    return archives, library


def check(script, root, nm, cc):
    if script == INCLUDES:
        arguments = [root, root / "tests/api/store.c"]
    else:
        archives, library = build(root, nm, cc)
        arguments = [root, nm, *archives] if script == BANNED else [root / "include/knackdb.h", "KNACKDB_0", nm, library]
    return subprocess.run([sys.executable, HERE / script, *arguments], capture_output=True, text=True)


def verdict(changes, script, expected, nm, cc):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for name, text in {**CLEAN, **changes}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        result = check(script, root, nm, cc)
    if expected is None:
        return result.returncode == 0, result
    return result.returncode == 1 and expected in result.stdout, result


def main(nm, *cc):
    cases = [(f"a clean tree passes {script}", {}, script, None) for script in (INCLUDES, BANNED, EXPORTS)] + BREACHES
    failed = 0
    for name, changes, script, expected in cases:
        good, result = verdict(changes, script, expected, nm, list(cc))
        if not good:
            failed += 1
            print(f"{name}: {script} exited {result.returncode} and said:\n{result.stdout}{result.stderr}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
