#!/usr/bin/env python3
"""bench.py [--rows N] [--only NAME,NAME] [--json FILE] - the same work on knackdb, aiosqlite, sqlite3 and a dict of
dataclasses, in one run.

Each figure is the time one call takes as its caller sees it, awaited where it is to be awaited: p50, p99, p99.9 in
microseconds, over the same number of calls for every contender. Every store holds --rows patterns (10,000) with ~60
bytes of tools and ~120 bytes of context; batches go into a store of their own. The contenders take turns, work by
work, so that what else the machine does falls on all of them alike. What is timed includes the clock, about 0.05 us.
In the end each is asked the same questions, and a run in which two answer differently fails.

The first row is the floor: a microsecond of doing nothing in the same loop. What its p99 and p99.9 have above one
microsecond is the machine's, and in every other row, too. Before a contender's turn Python's garbage is collected and
what is left frozen, so that nobody pays for objects that another made.

    ./run bench python

aiosqlite is left out where it is not installed. Memory is what the process grew by, resident, in a process of its own
for each contender."""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
import contenders  # noqa: E402

PROMISED = {  # us
    "store": 5, "retrieve 10, cached": 3, "bulk of 100": 100, "1,000 stores": 5_000, "retrieve 100, not cached": 3_000,
    "initialize": 10_000,
}
AIMED = {"store": 0.8, "retrieve 10, cached": 1, "retrieve 10, not cached": 3, "bulk of 100": 50}
CALLS = 2000     # of the quick works, a quarter of the others
BATCHES = 300
OPENINGS = 100
ROWS_LEAST = 5000  # five batches of 1,000 stores

def percentiles(spent_ns):
    spent_ns.sort()
    at = lambda share: spent_ns[min(len(spent_ns) - 1, int(len(spent_ns) * share))] / 1e3
    return {"p50": at(0.5), "p99": at(0.99), "p99.9": at(0.999), "calls": len(spent_ns)}


async def timed(call, arguments):
    spent = []
    clock = time.perf_counter_ns
    for argument in arguments:
        begun = clock()
        await call(argument)
        spent.append(clock() - begun)
    return spent


def settle():
    """What there is now is no work for the collector later."""
    gc.collect()
    gc.freeze()


async def microsecond(_):
    until = time.perf_counter_ns() + 1000
    while time.perf_counter_ns() < until:
        pass


def everything_of(row):
    return tuple(getattr(row, name) for name in contenders.FIELDS)


async def works(store, rows, fresh_store):
    """Yields (name, nanoseconds of each call)."""
    patterns = [contenders.pattern(i) for i in range(rows)]
    settle()
    yield "a microsecond of nothing", await timed(microsecond, patterns)
    yield "store", await timed(store.store, patterns)
    yield "store, replaced", await timed(store.store, patterns)

    async def thousand(batch):
        for each in batch:
            await store.store(each)
    yield "1,000 stores", await timed(thousand, [patterns[i:i + 1000] for i in range(0, ROWS_LEAST, 1000)] * 2)
    same = contenders.question(3, 0.5)
    await store.retrieve(same, 10)
    yield "retrieve 10, cached", await timed(lambda _: store.retrieve(same, 10), range(CALLS))
    new = [contenders.question(i % contenders.TASKS, 0.2 + i % CALLS / CALLS / 2 + i / 1e9) for i in range(2 * CALLS)]
    yield "retrieve 10, not cached", await timed(lambda question: store.retrieve(question, 10), new[:CALLS])

    async def look(question):
        for row in await store.retrieve(question, 10):
            everything_of(row)
    yield "the same, every field read", await timed(look, new[CALLS:])
    spent = []
    for i in range(CALLS):
        await store.store(patterns[i])
        spent += await timed(lambda question: store.retrieve(question, 10), [same])
    yield "retrieve 10, after a store", spent
    new = [contenders.question(i % contenders.TASKS, 0.1 + i / CALLS) for i in range(CALLS // 4)]
    yield "retrieve 100, not cached", await timed(lambda question: store.retrieve(question, 100), new)
    ten = lambda i: asyncio.gather(*[store.retrieve(contenders.question(t, 0.3 + i / 1e5), 10) for t in range(10)])
    yield "ten at once", await timed(ten, range(CALLS // 4))
    yield "update a weight", await timed(lambda i: store.update_weight(patterns[i].id, 0.5), range(CALLS))
    await store.store_metrics([contenders.metric(i) for i in range(5000)])
    yield "history of 100", await timed(lambda i: store.history(f"component{i % 50}"), range(CALLS // 4))
    batches = [[contenders.pattern(100 * batch + i) for i in range(100)] for batch in range(BATCHES)]
    settle()
    yield "bulk of 100", await timed(fresh_store.store_many, batches)
    yield "bulk of 100, replaced", await timed(fresh_store.store_many, batches)


async def answers(store, fresh_store):
    """What a store says in the end, the same for all: rows by id where their order is not told, the time of a weight's
    update left out."""
    said = []
    for task in range(contenders.TASKS):
        found = await store.retrieve(contenders.question(task, 0.25), 10 ** 6)
        said.append([(row.confidence_score, row.success_rate) for row in found])
        said.append(sorted(everything_of(row)[:-1] for row in found))
        said.append([(row.confidence_score, row.success_rate)
                     for row in await store.retrieve(contenders.question(task, 0.0), 10)])
        found = await fresh_store.retrieve(contenders.question(task, 0.9), 10 ** 6)
        said.append(sorted(map(everything_of, found)))
    for component in range(50):
        said.append([tuple(getattr(row, name) for name in contenders.METRIC_FIELDS)
                     for row in await store.history(f"component{component}")])
    return said


def memory_of(name, rows):
    """MB a process grows by when it stores these rows."""
    program = ("import sys; sys.path.insert(0, sys.argv[1]); import bench; bench.grow(sys.argv[2], int(sys.argv[3]))")
    done = subprocess.run([sys.executable, "-c", program, os.path.dirname(os.path.abspath(__file__)), name, str(rows)],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(name, rows):
    async def fill(folder):
        store = contenders.ALL[name]()
        await store.open(folder)
        for i in range(10):
            await store.store(contenders.pattern(rows + i))
        gc.collect()
        before = resident()
        for i in range(rows):
            await store.store(contenders.pattern(i))
        gc.collect()
        print((resident() - before) / 2 ** 20)
        await store.close()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill(folder))


async def opened(name, place):
    folder = tempfile.mkdtemp(dir=place)
    store = contenders.ALL[name]()
    begun = time.perf_counter_ns()
    await store.open(folder)
    return store, time.perf_counter_ns() - begun, folder


async def measure(names, rows, place):
    async with contextlib.AsyncExitStack() as stack:  # what is open is closed, whatever is thrown
        return await measure_open(names, rows, place, stack)


async def measure_open(names, rows, place, stack):
    figures = {name: {} for name in names}
    opening_ns = {name: [] for name in names}
    stores, runs = {}, {}
    for _ in range(OPENINGS):
        for name in names:
            store, took_ns, folder = await opened(name, place)
            opening_ns[name].append(took_ns)
            await store.close()
            shutil.rmtree(folder)
    for name in names:
        figures[name]["initialize"] = percentiles(opening_ns[name])
        stores[name] = []
        for _ in range(2):
            store, *_ = await opened(name, place)
            stack.push_async_callback(store.close)
            stores[name].append(store)
        runs[name] = works(stores[name][0], rows, stores[name][1])
    while runs:
        for name in list(runs):
            settle()
            try:
                work, spent = await runs[name].__anext__()
            except StopAsyncIteration:
                del runs[name]
                continue
            figures[name][work] = percentiles(spent)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    said = {name: await answers(*stores[name]) for name in names}
    for name in names:
        if said[name] != said[names[0]]:
            raise SystemExit(f"bench: {name} and {names[0]} do not give the same answers")
    return figures


def short(number):
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def table(figures, memory):
    names = list(figures)
    lines = ["| us: p50 / p99 / p99.9 | " + " | ".join(names) + " | promised | aimed at |",
             "|---|" + "--:|" * (len(names) + 2)]
    for work in figures[names[0]]:
        cells = [" / ".join(short(figures[name][work][p]) for p in ("p50", "p99", "p99.9")) for name in names]
        lines.append(f"| {work} | " + " | ".join(cells) + f" | {PROMISED.get(work, '')} | {AIMED.get(work, '')} |")
    lines.append("| memory for the rows, MB | " + " | ".join(f"{memory[name]:.1f}" for name in names) + " | 5 | |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000, help=f"at least {ROWS_LEAST:,}")
    parser.add_argument("--only", help="these contenders, by name, separated by commas")
    parser.add_argument("--json", help="write the figures there, too")
    options = parser.parse_args()
    rows = max(options.rows, ROWS_LEAST)
    names = options.only.split(",") if options.only else list(contenders.ALL)
    with tempfile.TemporaryDirectory() as place:  # gone afterwards, whatever is thrown
        figures = asyncio.run(measure(names, rows, place))
    memory = {name: memory_of(name, rows) for name in names}
    print(f"{rows:,} rows, Python {sys.version.split()[0]}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}\n")
    print(table(figures, memory))
    print(f"\n{len(names)} contenders gave the same answers" if len(names) > 1 else "")
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"rows": rows, "figures": figures, "memory_mb": memory}, out, indent=1)


if __name__ == "__main__":
    main()
