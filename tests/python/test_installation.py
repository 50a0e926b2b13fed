"""A source distribution, a wheel made of it, and that installed in a clean virtual environment: without a network, with
Debian's meson-python alone."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

SOURCE = os.environ.get("KNACKDB_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "..", "..")

pytestmark = [
    pytest.mark.skipif(os.environ.get("KNACKDB_SANITIZED") == "1", reason="an installed package is not sanitized"),
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
    pytest.mark.skipif(importlib.util.find_spec("mesonpy") is None, reason="needs python3-mesonpy"),
    pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="needs python3-pip"),
    pytest.mark.skipif(importlib.util.find_spec("ensurepip") is None, reason="needs python3-venv"),
]


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    environment = {**environment, **options.pop("env", {})}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


SDIST = "import os, sys; import mesonpy; os.chdir(sys.argv[1]); print(mesonpy.build_sdist(sys.argv[2]))"


def test_pip_installs_a_package_that_needs_nothing_beside_it(tmp_path):
    # A copy: what is built must not lie in the source tree, and the source distribution takes what is committed.
    source = tmp_path / "source"
    names = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           capture_output=True, check=False).stdout.decode().split("\0")
    if not any(names):
        pytest.skip("no git, or no repository")
    for name in filter(None, names):
        if os.path.isfile(os.path.join(SOURCE, name)):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(os.path.join(SOURCE, name), source / name)
    git = ["git", "-C", str(source), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    run(*git, "init", "-q")
    run(*git, "add", ".")
    run(*git, "commit", "-qm", "a copy")

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    quiet = {"TMPDIR": str(scratch), "CFLAGS": "-O1"}
    sdist = tmp_path / run(sys.executable, "-c", SDIST, str(source), str(tmp_path), env=quiet).split()[-1]
    with tarfile.open(sdist) as archive:
        packed = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"PKG-INFO", "pyproject.toml", "include/knackdb.h", "python/knackdb/py.typed", "LICENSE"} <= packed

    wheels = tmp_path / "wheels"
    run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-index", "--no-deps", "-w", str(wheels),
        str(sdist), env=quiet)
    [wheel] = os.listdir(wheels)
    names = zipfile.ZipFile(wheels / wheel).namelist()
    installed = {name for name in names if ".dist-info/" not in name}
    packages = {os.path.join("knackdb", name) for name in os.listdir(os.path.join(SOURCE, "python", "knackdb"))
                if name.endswith((".py", "py.typed"))}
    assert packages | {"_knackdb.pyi"} <= installed
    assert [name for name in installed if not name.startswith(("knackdb/", "_knackdb."))] == []

    run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    run(python, "-m", "pip", "install", "--no-index", "--no-deps", str(wheels / wheel))
    said = run(python, "-c", "import asyncio, knackdb\n"
               "async def main():\n"
               "    async with knackdb.LearningDatabase('x.db') as db:\n"
               "        await db.store_execution_pattern(knackdb.ExecutionPattern(id='x'))\n"
               "        print([row.id for row in await db.retrieve_patterns(knackdb.PatternFilters())])\n"
               "asyncio.run(main())\n", cwd=str(tmp_path))
    assert said.strip() == "['x']"
