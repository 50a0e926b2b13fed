#!/usr/bin/env python3
"""slow_calls.py [--above US] [--rows N] - what the slow ones of knackdb's stores consist of, counted call by call.

Around each call the thread's page faults and switches are read (getrusage; that time is not the call's), and the calls
that took longer than so many microseconds are told by what befell them: the first that fits of

    waited       it slept: for a lock, a page that another thread was readying, the disk
    put off      the system gave the processor to somebody else
    pages        it met pages for the first time, or had memory made ready by a system call
    nothing      none of these: it woke a thread, was interrupted by another processor, or missed the caches

    PYTHONPATH=python:build-release/python python3 benchmarks/python/slow_calls.py

Believe none of it under load, but with real-time priority: put `chrt -f 10` before it, as root."""

import argparse
import asyncio
import gc
import os
import resource
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
import contenders  # noqa: E402

CAUSES = ("waited", "put off", "pages", "nothing")


def cause_of(before, behind):
    if behind.ru_nvcsw > before.ru_nvcsw:
        return "waited"
    if behind.ru_nivcsw > before.ru_nivcsw:
        return "put off"
    return "pages" if behind.ru_minflt + behind.ru_majflt > before.ru_minflt + before.ru_majflt else "nothing"


async def counted(call, arguments, above_ns):
    """Nanoseconds of all calls, and those of the slow ones by cause."""
    spent, slow = [], {cause: [] for cause in CAUSES}
    clock, usage, thread = time.perf_counter_ns, resource.getrusage, resource.RUSAGE_THREAD
    for argument in arguments:
        before = usage(thread)
        begun = clock()
        await call(argument)
        took = clock() - begun
        spent.append(took)
        if took > above_ns:
            slow[cause_of(before, usage(thread))].append(took)
    return sorted(spent), slow


def line(name, spent, slow):
    def at(share):
        return spent[min(len(spent) - 1, int(len(spent) * share))] / 1e3
    cells = [f"{len(each)} ({sorted(each)[len(each) // 2] / 1e3:.0f})" if each else "0" for each in slow.values()]
    return (f"| {name} | {at(0.5):.2f} / {at(0.99):.2f} / {at(0.999):.1f} | {spent[-1] / 1e3:,.0f} | "
            + " | ".join(cells) + " |")


async def measure(rows, above_us):
    patterns = [contenders.pattern(i) for i in range(rows)]
    batches = [[contenders.pattern(100 * batch + i) for i in range(100)] for batch in range(rows // 100)]
    print(f"{rows:,} calls ({rows // 100} batches of 100); those above {above_us:g} us, a batch {20 * above_us:g}, by "
          f"what befell them: how many (their median, us)\n")
    print(f"| us | p50 / p99 / p99.9 | most | {' | '.join(CAUSES)} |\n|---|" + "--:|" * (2 + len(CAUSES)))
    with tempfile.TemporaryDirectory() as folder:
        one, many = contenders.Knackdb(), contenders.Knackdb()
        await one.open(tempfile.mkdtemp(dir=folder))
        await many.open(tempfile.mkdtemp(dir=folder))
        gc.collect()
        gc.freeze()
        for name in ("store", "store, replaced", "store, replaced, the dead being cleared away"):
            print(line(name, *await counted(one.store, patterns, above_us * 1e3)))
            if name != "store, replaced":
                time.sleep(0.5)  # so that what was stored is synced, the dead cleared away, and nobody at work
        print(line("bulk of 100", *await counted(many.store_many, batches, above_us * 2e4)))
        await one.close()
        await many.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--above", type=float, default=5, metavar="US", help="count calls longer than this (5)")
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    asyncio.run(measure(max(options.rows, 1000), options.above))


if __name__ == "__main__":
    main()
