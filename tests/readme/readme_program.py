#!/usr/bin/env python3
"""readme_program.py SOURCE_ROOT BUILD_ROOT MESON CC... - the README's programs are what one gets who copies them.

The C program is cut out of README.md, compiled without a warning and run, in the three ways the README offers: from the
build tree through knackdb.pc, against an installed library, and against the installed archive. What it prints must be
what the README says it prints. The header opens with an example of its own; the program must contain it line for line,
so that the two cannot drift apart. The Python program is run with the package as it was built, where it was. Both fit
on a screen."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

STRICT = ["-Wall", "-Wextra", "-Werror"]
LINES_OF_A_SCREEN = 50


class Failure(Exception):
    pass


def command(arguments, **options):
    result = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise Failure(f"{' '.join(map(str, arguments))}: exit status {result.returncode}\n"
                      f"{result.stdout}{result.stderr}")
    return result.stdout


def readme_program(root, language):
    programs = re.findall(rf"^```{language}\n(.*?)^```", (root / "README.md").read_text(encoding="utf-8"),
                          re.MULTILINE | re.DOTALL)
    if len(programs) != 1:
        raise Failure(f"README.md has {len(programs)} programs in {language}; one is expected")
    if programs[0].count("\n") > LINES_OF_A_SCREEN:
        raise Failure(f"the program in {language} has {programs[0].count(chr(10))} lines; "
                      f"{LINES_OF_A_SCREEN} fit on a screen")
    return programs[0]


def readme_output(root, command_begins):
    """The lines behind a command, up to the next one."""
    shown = re.search(rf"^\$ {re.escape(command_begins)}.*\n((?:(?!\$ |```).*\n)+)",
                      (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    if not shown:
        raise Failure(f"README.md does not show what '{command_begins}' prints")
    return shown.group(1)


def contains_the_header_example(root, program):
    opening = (root / "include/knackdb.h").read_text(encoding="utf-8").split("*/")[0]
    example = [line.strip() for line in re.findall(r"^ \*     (.*)$", opening, re.MULTILINE) if line.strip()]
    example = example[:next(i for i, line in enumerate(example) if "knackdb_close" in line)]
    if len(example) < 5:
        raise Failure("the example at the top of knackdb.h was not found")
    lines = [line.strip() for line in program.splitlines() if line.strip()]
    if not any(lines[i:i + len(example)] == example for i in range(len(lines))):
        raise Failure("README.md's program does not contain knackdb.h's example:\n" + "\n".join(example))


def run_twice(arguments, environment, expected):
    with tempfile.TemporaryDirectory() as folder:
        for turn in ("a new", "an existing"):
            printed = command(arguments, cwd=folder, env={**os.environ, **environment})
            if printed != expected:
                raise Failure(f"on {turn} store the program printed {printed!r}; README.md says {expected!r}")


def compile_and_run(cc, source, flags, library_path, expected):
    program = source.parent / "program"
    command([*cc, *STRICT, source, "-o", program, *flags])
    run_twice([program], {"LD_LIBRARY_PATH": library_path}, expected)


def pkg_config(arguments, **variables):
    return command(["pkg-config", *arguments, "knackdb"], env={**os.environ, **variables}).split()


def main(source_root, build_root, meson, *cc):
    root, build = pathlib.Path(source_root), pathlib.Path(build_root)
    failed = total = skipped = 0

    def check(name, function, *arguments):
        nonlocal failed, total
        total += 1
        try:
            return function(*arguments)
        except Failure as failure:
            failed += 1
            print(f"{name}: {failure}")
            return None

    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "learn.c")
        program, expected = readme_program(root, "c"), readme_output(root, "./run exec sh -c")
        source.write_text(program, encoding="utf-8")
        check("the same example as the header", contains_the_header_example, root, program)

        def from_the_build_tree():
            flags = pkg_config(["--cflags", "--libs"], PKG_CONFIG_PATH=str(build / "meson-uninstalled"))
            compile_and_run(cc, source, flags, str(build), expected)

        check("from the build tree", from_the_build_tree)

        stage = pathlib.Path(folder, "stage")

        def installed():
            command([meson, "install", "-C", build, "--no-rebuild", "--destdir", stage])
            found = list(stage.rglob("knackdb.pc"))
            if len(found) != 1:
                raise Failure(f"installed {len(found)} files named knackdb.pc")
            return found[0]

        pc = check("installing", installed)
        if pc is not None:
            where = {"PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(stage)}
            library_folder = pc.parent.parent

            def against_the_shared_library():
                compile_and_run(cc, source, pkg_config(["--cflags", "--libs"], **where), str(library_folder), expected)

            def against_the_archive():
                (library_folder / "libknackdb.so").unlink() # so that -lknackdb can only mean the archive
                compile_and_run(cc, source, pkg_config(["--static", "--cflags", "--libs"], **where), "", expected)

            check("against the installed library", against_the_shared_library)
            check("against the installed archive", against_the_archive)

        def the_python_program():
            lesson = pathlib.Path(folder, "learn.py")
            lesson.write_text(readme_program(root, "python"), encoding="utf-8")
            interpreter = (build / "python/interpreter").read_text(encoding="utf-8").strip()
            run_twice([interpreter, lesson], {"PYTHONPATH": f"{root / 'python'}:{build / 'python'}"},
                      readme_output(root, "./run exec python3 learn.py"))

        if (build / "python/interpreter").exists():
            check("the Python program", the_python_program)
        else:
            print("skipped: the Python program, as the package was not built")
            skipped += 1

    print(f"{total - failed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
