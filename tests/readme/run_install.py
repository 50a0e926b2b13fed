#!/usr/bin/env python3
"""run_install.py SOURCE_ROOT - `./run install` puts in place what meson would, and `./run uninstall` takes exactly that
out again. Meson is played by a program that installs what $FILES names."""

import os
import pathlib
import pty
import shutil
import subprocess
import unittest

from script_copy import ScriptCase, main

MESON = r"""
case $1 in
--version) echo 1.0 ;;
setup) for word in "$@"; do case $word in --prefix=*) echo "${word#--prefix=}" >"$CALLS" ;; esac; done ;;
install)
    for file in $FILES; do
        mkdir -p "$DESTDIR$(cat "$CALLS")/$(dirname "$file")"
        echo "$file" >"$DESTDIR$(cat "$CALLS")/$file"
    done ;;
esac
"""
FILES = "bin/knackdb lib/libknackdb.so.0.1.0 lib/pkgconfig/knackdb.pc lib/python3/knackdb/__init__.py"


def files_below(folder):
    return {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if not path.is_dir()}


def all_below(folder):
    return {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*")}


class Install(ScriptCase):
    tools = ("sh env cat head grep rm rmdir mkdir mktemp mv dirname basename printf sed sort find tar xargs ls wc id "
             "python3")
    programs = {
        "dpkg-query": "echo installed",
        "meson": MESON,
        "ninja": "echo no work to do",
        "cc": "",
        "pkg-config": "exit 1",
        "ldconfig": 'echo ldconfig >>"$CALLS"',
        "sudo": 'echo "sudo $*" >>"$CALLS"; exit 1',
    }

    def setUp(self):
        super().setUp()
        self.prefix = self.root / "a home" / ".local"
        self.prefix.mkdir(parents=True)

    def works(self, *arguments, **variables):
        done = self.call(*arguments, **{"FILES": FILES, **variables})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_takes_out_what_it_put_in_and_leaves_what_was_there(self):
        (self.prefix / "bin").mkdir()
        (self.prefix / "bin" / "other").write_text("mine")
        before = all_below(self.prefix)
        self.works("install", str(self.prefix))
        self.assertEqual(files_below(self.prefix),
                         {*FILES.split(), "bin/other", "share/knackdb/installed"})
        self.works("uninstall", str(self.prefix))
        self.assertEqual(all_below(self.prefix), before)

    def test_what_came_into_its_folders_since_stays(self):
        self.works("install", str(self.prefix))
        (self.prefix / "lib" / "other.so").write_text("mine")
        self.works("uninstall", str(self.prefix))
        self.assertEqual(all_below(self.prefix), {"lib", "lib/other.so"})

    def test_the_caches_of_python_go_with_their_modules(self):
        self.works("install", str(self.prefix))
        cache = self.prefix / "lib/python3/knackdb/__pycache__"
        cache.mkdir()
        (cache / "__init__.cpython-311.pyc").write_text("")
        self.works("uninstall", str(self.prefix))
        self.assertEqual(all_below(self.prefix), set())

    def test_another_clone_can_uninstall(self):
        self.works("install", str(self.prefix))
        shutil.rmtree(self.root / "build-release")
        self.works("uninstall", str(self.prefix))
        self.assertEqual(all_below(self.prefix), set())

    def test_a_newer_version_takes_away_what_it_no_longer_has(self):
        self.works("install", str(self.prefix))
        self.works("install", str(self.prefix), FILES=FILES.replace("so.0.1.0", "so.0.2.0") + " share/new/file")
        self.assertEqual(files_below(self.prefix),
                         {*FILES.replace("so.0.1.0", "so.0.2.0").split(), "share/new/file", "share/knackdb/installed"})
        self.works("uninstall", str(self.prefix))
        self.assertEqual(all_below(self.prefix), set())

    def test_a_file_in_use_is_replaced_and_not_written_over(self):
        self.works("install", str(self.prefix))
        with open(self.prefix / "bin/knackdb", encoding="utf-8") as in_use:
            (self.prefix / "bin/knackdb").chmod(0o555)
            self.works("install", str(self.prefix))
            self.assertNotEqual(os.fstat(in_use.fileno()).st_ino, (self.prefix / "bin/knackdb").stat().st_ino)

    def test_destdir_is_where_it_goes(self):
        stage = self.root / "stage"
        self.works("install", "/opt/knackdb", DESTDIR=str(stage))
        self.assertEqual(files_below(stage / "opt/knackdb"), {*FILES.split(), "share/knackdb/installed"})
        self.works("uninstall", "/opt/knackdb", DESTDIR=str(stage))
        self.assertEqual(all_below(stage / "opt/knackdb"), set())

    def linker_was_told(self):
        return self.calls.read_text().splitlines().count("ldconfig")

    def test_the_linker_is_told_of_what_it_looks_into_and_nothing_of_a_stage(self):
        self.works("install", DESTDIR=str(self.root / "stage"))
        self.assertEqual(self.linker_was_told(), 0)
        self.works("install", str(self.prefix))
        self.assertEqual(self.linker_was_told(), 0)
        # What the linker looks into is nothing to play with: another folder plays it.
        place = self.root / "local"
        place.mkdir()
        script = self.root / "run"
        script.write_text(script.read_text().replace("/usr/local", str(place)))
        self.works("install")
        self.assertEqual((files_below(place), self.linker_was_told()), ({*FILES.split(), "share/knackdb/installed"}, 1))
        self.works("uninstall")
        self.assertEqual((files_below(place), self.linker_was_told()), (set(), 2))

    def test_what_a_manifest_says_of_other_places_is_not_believed(self):
        self.works("install", str(self.prefix))
        mine = self.root / "a home" / "mine"
        mine.write_text("mine")
        with open(self.prefix / "share/knackdb/installed", "a", encoding="utf-8") as manifest:
            manifest.write(f"file ../mine\nfile {mine}\nfile bin/../../mine\n")
        self.works("uninstall", str(self.prefix))
        self.assertTrue(mine.exists())

    def test_where_nothing_was_installed_it_says_so(self):
        done = self.call("uninstall", str(self.prefix))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("has put nothing here", done.stderr)

    def test_says_what_the_shell_lacks(self):
        said = self.works("install", str(self.prefix))
        self.assertIn(f'PKG_CONFIG_PATH="{self.prefix}/lib/pkgconfig"', said)
        self.assertIn(f'PATH="{self.prefix}/bin:$PATH"', said)

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_where_only_root_may_write_it_is_root_who_is_asked(self):
        self.prefix.chmod(0o555)
        self.addCleanup(self.prefix.chmod, 0o755)
        done = self.call("install", str(self.prefix), FILES=FILES)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("sudo", self.calls.read_text())

    def test_somebody_at_the_terminal_is_asked_for_his_password_to_uninstall(self):
        self.works("install", str(self.prefix))
        self.write(self.bin / "sudo", """
            [ "$1" != -n ] || exit 1
            echo "sudo $*" >>"$CALLS"
            case $* in *xargs*) cat >/dev/null ;; esac""")
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        self.root.chmod(0o755)
        self.calls.chmod(0o666)
        for folder in (self.prefix, self.prefix / "share"):
            folder.chmod(0o555)
            self.addCleanup(folder.chmod, 0o755)
        ours, his = pty.openpty()
        self.addCleanup(os.close, ours)
        try:
            done = self.call("uninstall", str(self.prefix), process={
                "stdin": his, "stdout": his, "stderr": his, **nobody})
        finally:
            os.close(his)
        self.assertEqual(done.returncode, 0, os.read(ours, 4096))
        self.assertRegex(self.calls.read_text(), "(?s)sudo env .* rm -f --.*sudo env .* rmdir ")
        self.calls.write_text("")
        done = self.call("uninstall", str(self.prefix), process={"stdin": subprocess.DEVNULL, **nobody})
        self.assertIn("no sudo to do it with", done.stderr)
        self.assertEqual(self.calls.read_text(), "")


if __name__ == "__main__":
    main()
