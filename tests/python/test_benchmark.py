"""`./run bench python`, at a size at which no figure counts: what it says that it measured is what it measured, and
nothing stays behind, whatever a contender does."""

import json
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "python"))
import bench  # noqa: E402
import contenders  # noqa: E402


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A bench of few calls; its folder of temporaries."""
    place = tmp_path / "temporaries"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setattr(bench, "CALLS", 40)
    monkeypatch.setattr(bench, "BATCHES", 2)
    monkeypatch.setattr(bench, "OPENINGS", 3)
    return place


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bench.py", *map(str, arguments)])
    bench.main()


def test_the_rows_that_are_told_are_those_that_are_stored(small, monkeypatch, tmp_path, capsys):
    stored = {"first": set(), "second": set()}
    opened = []

    def contender(name):
        class Counting(contenders.Dict):
            async def open(self, folder):
                opened.append(name)
                await super().open(folder)

            async def store(self, pattern):
                stored[name].add(pattern.id)
                await super().store(pattern)
        return Counting

    weighed = []
    monkeypatch.setattr(bench, "memory_of", lambda name, rows: weighed.append(rows) or 1.0)
    monkeypatch.setattr(contenders, "ALL", {name: contender(name) for name in stored})
    run(monkeypatch, "--rows", 1000, "--json", tmp_path / "figures.json")
    told = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert capsys.readouterr().out.startswith(f"{told:,} rows, ")
    assert (len(stored["first"]), len(stored["second"]), *weighed) == (told,) * 4
    assert opened[:6] == ["first", "second"] * 3  # in turns
    assert list(small.iterdir()) == []


@pytest.mark.parametrize("fails", ["open", "store", "store_metrics"])
def test_nothing_stays_behind_a_contender_that_fails(small, monkeypatch, fails):
    class Failing(contenders.ALL["knackdb"]):
        pass

    async def fail(*_):
        raise RuntimeError(fails)

    async def open(self, folder):
        await super(Failing, self).open(folder)
        setattr(self, fails, fail)

    setattr(Failing, "open", fail if fails == "open" else open)
    monkeypatch.setattr(contenders, "ALL", {"failing": Failing})
    with pytest.raises(RuntimeError, match=fails):
        run(monkeypatch)
    assert list(small.iterdir()) == []
