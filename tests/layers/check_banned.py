#!/usr/bin/env python3
"""check_banned.py ROOT NM [LAYER=ARCHIVE...] - calls that nobody here may make, and calls that a layer may not make.

After git's banned.h: some functions cannot be used safely, or only with more care than they are worth. These are
looked for in the text of every C file, since a compiler may turn them into something else. What a library must not do
to the program it lives in (print, exit, read the environment) is looked for in the undefined symbols of its archives,
since a macro or an inline function may hide it from the text. assert() is allowed: it states what only our own bug can
break.

Prints one line a fault; exit status 1 when there is one."""

import pathlib
import re
import subprocess
import sys

import c_source

FOR_EVERYONE = {
    "strcpy": "does not know how much room there is",
    "strcat": "does not know how much room there is",
    "strncpy": "leaves no NUL where the text fills the room",
    "strncat": "its length is not that of the room",
    "sprintf": "does not know how much room there is",
    "vsprintf": "does not know how much room there is",
    "gets": "does not know how much room there is",
    "atoi": "does not tell a number from none",
    "atol": "does not tell a number from none",
    "atoll": "does not tell a number from none",
    "atof": "does not tell a number from none",
    "strtok": "keeps its place in a global",
    "gmtime": "answers in a global",
    "localtime": "answers in a global",
    "ctime": "answers in a global",
    "asctime": "answers in a global",
    "mktemp": "another may take the name first",
    "tmpnam": "another may take the name first",
    "alloca": "takes the stack without asking",
}

FOR_THE_LIBRARY = {
    "a library does not print": "printf vprintf fprintf vfprintf dprintf puts fputs putchar putc fputc perror psignal "
                                "stdout stderr",
    "a library does not end its host": "exit _exit _Exit quick_exit abort atexit kill raise",
    "a library leaves its host's signals alone": "signal sigaction sigprocmask",
    "a library does not read the environment": "getenv secure_getenv setenv unsetenv environ setlocale",
    "a library starts no process": "system popen fork vfork execve execvp posix_spawn",
    "not safe beside other threads": "strerror rand srand random srandom readdir_r localtime gmtime",
}

NO_FILES_IN = ["base", "schema", "core"]
FILE_CALLS = ("open openat creat fopen fdopen freopen read write pread pwrite readv writev pwritev lseek fsync fdatasync "
              "sync_file_range msync rename renameat renameat2 unlink unlinkat remove truncate ftruncate fallocate "
              "posix_fallocate mkdir mkdirat rmdir opendir fdopendir readdir stat fstat lstat fstatat statx access flock fcntl")


def text_faults(root):
    call = re.compile(r"(?<![\w.])(?<!->)(" + "|".join(FOR_EVERYONE) + r")\s*\(")
    for folder in c_source.LAYERS + c_source.OUTSIDE + ["include", "tests"]:
        for path in c_source.files(root, folder):
            code = c_source.code_only(c_source.read(path))
            for match in call.finditer(code):
                line = code.count("\n", 0, match.start()) + 1
                yield f"{path.relative_to(root)}:{line}: {match.group(1)}: {FOR_EVERYONE[match.group(1)]}"


def plain(symbol):
    """The name that was meant: __printf_chk and open64 are printf and open."""
    symbol = symbol.split("@")[0]
    symbol = re.sub(r"^__(\w+?)(?:_chk|_2)$", r"\1", symbol)
    return re.sub(r"64(_2)?$", "", symbol)


def symbol_faults(nm, layer, archive):
    listing = subprocess.run([nm, "--undefined-only", "--format=posix", archive],
                             check=True, capture_output=True, text=True).stdout
    reasons = {name: reason for reason, names in FOR_THE_LIBRARY.items() for name in names.split()}
    if layer in NO_FILES_IN:
        reasons.update({name: f"{layer} opens no file" for name in FILE_CALLS.split()})
    member = ""
    for line in listing.splitlines():
        if line.endswith(":"):
            member = line.rstrip("]:").split("[")[-1].split("/")[-1]
        elif plain(line.split()[0]) in reasons:
            name = plain(line.split()[0])
            yield f"{layer}, {member}: {name}: {reasons[name]}"


def main(root, nm, *archives):
    faults = list(text_faults(pathlib.Path(root)))
    for argument in archives:
        layer, _, archive = argument.partition("=")
        faults += symbol_faults(nm, layer, archive)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
