#!/usr/bin/env python3
"""bench.py [--rows N] [--json FILE] - the same work on knackdb, aiosqlite, sqlite3 and a dict of dataclasses, in one run.

Each figure is the time one call takes as its caller sees it, awaited where it is to be awaited: p50, p99, p99.9 in
microseconds. Every store holds --rows patterns (10,000) with ~60 bytes of tools and ~120 bytes of context. The
contenders take turns, work by work, so that what else the machine does falls on all of them alike. What is timed
includes the clock, about 0.05 us.

    ./run bench python

aiosqlite is left out where it is not installed. Memory is what the process grew by, resident, in a process of its own
for each contender."""

import argparse
import asyncio
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
    "store": 5, "retrieve 10, cached": 3, "bulk of 100": 100, "1,000 stores": 5_000, "retrieve 100": 3_000,
    "initialize": 10_000,
}
AIMED = {"store": 0.8, "retrieve 10, cached": 1, "retrieve 10, not cached": 3, "bulk of 100": 50}


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


async def works(store, rows, quick):
    """Yields (name, nanoseconds of each call). `quick` contenders do each work more often."""
    patterns = [contenders.pattern(i) for i in range(rows)]
    few = 2000 if quick else 200
    yield "store", await timed(store.store, patterns)
    async def thousand(batch):
        for each in batch:
            await store.store(each)
    yield "1,000 stores", await timed(thousand, [patterns[:1000]] * (10 if quick else 2))
    yield "bulk of 100", await timed(store.store_many, [patterns[i:i + 100] for i in range(0, 5000, 100)]
                                     * (6 if quick else 1))
    same = contenders.question(3, 0.5)
    await store.retrieve(same, 10)
    yield "retrieve 10, cached", await timed(lambda _: store.retrieve(same, 10), range(few))
    fresh = [contenders.question(i % contenders.TASKS, 0.2 + i / few / 2) for i in range(few)]
    yield "retrieve 10, not cached", await timed(lambda question: store.retrieve(question, 10), fresh)
    spent = []
    for i in range(few):
        await store.store(patterns[i])
        spent += await timed(lambda question: store.retrieve(question, 10), [same])
    yield "retrieve 10, after a store", spent
    yield "retrieve 100", await timed(lambda _: store.retrieve(same, 100), range(few // 4))
    yield "ten at once", await timed(lambda i: asyncio.gather(*[store.retrieve(contenders.question(t, 0.3 + i / 1e5), 10)
                                                                for t in range(10)]), range(few // 4))
    yield "update a weight", await timed(lambda i: store.update_weight(patterns[i].id, 0.5), range(few))
    await store.store_metrics([contenders.metric(i) for i in range(5000)])
    yield "history of 100", await timed(lambda i: store.history(f"component{i % 50}"), range(few // 4))


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
    async def fill():
        folder = tempfile.mkdtemp()
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
        shutil.rmtree(folder)
    asyncio.run(fill())


async def measure(names, rows):
    figures = {name: {} for name in names}
    stores, folders, runs = {}, {}, {}
    for name in names:
        spent = []
        for attempt in range(5):
            folder = tempfile.mkdtemp()
            store = contenders.ALL[name]()
            begun = time.perf_counter_ns()
            await store.open(folder)
            spent.append(time.perf_counter_ns() - begun)
            if attempt < 4:
                await store.close()
                shutil.rmtree(folder)
        figures[name]["initialize"] = percentiles(spent)
        stores[name], folders[name] = store, folder
        runs[name] = works(store, rows, name in contenders.QUICK)
    gc.collect()
    gc.freeze()
    while runs:
        for name in list(runs):
            try:
                work, spent = await runs[name].__anext__()
            except StopAsyncIteration:
                del runs[name]
                continue
            figures[name][work] = percentiles(spent)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for name in names:
        await stores[name].close()
        shutil.rmtree(folders[name])
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
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--json", help="write the figures there, too")
    options = parser.parse_args()
    names = list(contenders.ALL)
    figures = asyncio.run(measure(names, max(options.rows, 5000)))
    memory = {name: memory_of(name, options.rows) for name in names}
    print(f"{options.rows:,} rows, Python {sys.version.split()[0]}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}\n")
    print(table(figures, memory))
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"rows": options.rows, "figures": figures, "memory_mb": memory}, out, indent=1)


if __name__ == "__main__":
    main()
