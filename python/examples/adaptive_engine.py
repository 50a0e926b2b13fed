#!/usr/bin/env python3
"""adaptive_engine.py [DIR] [ROUNDS] - an adaptive learning engine on knackdb, at live work.

The work is real: files of this machine's Python library are compressed, each time by one of several ways. How fast
and how well a way does for a kind of file is not written anywhere; the engine finds out, remembers it in DIR
(learning.db unless told), and does the right thing from the first file on when it is started again. Where the store
is gone (no disk, no permission), it goes on from memory, and says so.

    ./run exec python3 python/examples/adaptive_engine.py
"""

import argparse
import asyncio
import bz2
import glob
import lzma
import os
import random
import sys
import time
import zlib

from knackdb import ExecutionPattern, LearningDatabase, PatternFilters, PerformanceMetrics

WAYS = {
    "zlib-1": lambda data: zlib.compress(data, 1), "zlib-9": lambda data: zlib.compress(data, 9),
    "bz2-9": lambda data: bz2.compress(data, 9), "lzma-1": lambda data: lzma.compress(data, preset=1),
}


class LearningModule:
    """What the engine asks, in turn, which way to take; None leaves it to the next."""

    name = "module"

    async def recommend(self, engine, task_type):
        raise NotImplementedError


class TryEachFirst(LearningModule):
    """A way that was never tried might be the best."""

    name = "try each first"

    async def recommend(self, engine, task_type):
        tried = {pattern.pattern_used for pattern in await engine.patterns_of(task_type)}
        return next((way for way in WAYS if way not in tried), None)


class BestByScore(LearningModule):
    """What has proven itself; one time in twenty another, for what is best may change."""

    name = "best by score"

    async def recommend(self, engine, task_type):
        if random.random() < 0.05:
            return random.choice(list(WAYS))
        best = await engine.get_recommendations(task_type, limit=1)
        return best[0].pattern_used if best else None


class AdaptiveLearningEngine:
    """initialize, track_execution_pattern, get_recommendations, update_performance_metrics, optimize_performance,
    shutdown."""

    def __init__(self, database):
        self.database = database
        self.modules = [TryEachFirst(), BestByScore()]
        self.own_memory = {}  # id -> pattern: all there is where the store is gone
        self.has_store = False

    async def initialize(self):
        self.has_store = await self.database.initialize()
        if not self.has_store:
            print(f"engine: going on without the store: {self.database.last_error}", file=sys.stderr)
        return True

    async def patterns_of(self, task_type):
        if self.has_store:
            return await self.database.retrieve_patterns(PatternFilters(task_type=task_type))
        return [pattern for pattern in self.own_memory.values() if pattern.task_type == task_type]

    async def get_recommendations(self, task_type, limit=5):
        if self.has_store:
            return await self.database.get_best_patterns(task_type, limit=limit)
        known = await self.patterns_of(task_type)
        return sorted(known, key=lambda each: each.confidence_score * each.success_rate, reverse=True)[:limit]

    async def choose(self, task_type):
        for module in self.modules:
            way = await module.recommend(self, task_type)
            if way is not None:
                return way
        return next(iter(WAYS))

    async def track_execution_pattern(self, task_type, way, seconds, worth, context):
        """Folds one more execution into what is known of this way for this kind of task: a running mean."""
        id = f"pattern_{zlib.crc32(f'{task_type}/{way}'.encode()):08x}"
        known = self.own_memory.get(id) or (await self.database.get_pattern(id) if self.has_store else None)
        pattern = known or ExecutionPattern(id=id, task_type=task_type, pattern_used=way, success_rate=0.0)
        count = pattern.usage_count = pattern.usage_count + 1
        pattern.execution_time += (seconds - pattern.execution_time) / count
        pattern.success_rate += (worth - pattern.success_rate) / count
        pattern.confidence_score = 1 - 1 / (1 + count)
        pattern.tools_used, pattern.context_factors = [way.split("-")[0]], context
        pattern.updated_at = time.time()
        self.own_memory[id] = pattern
        if self.has_store and not await self.database.store_execution_pattern(pattern):
            self.has_store = False
            print(f"engine: going on without the store: {self.database.last_error}", file=sys.stderr)

    async def update_performance_metrics(self, component, metric, value, baseline):
        measurement = PerformanceMetrics(component, metric, value, baseline)
        measurement.calculate_improvement()
        if self.has_store:
            await self.database.store_performance_metric(measurement)
        return measurement.improvement_percentage

    async def optimize_performance(self):
        """Halves the trust in ways that nothing speaks for any more, and forgets what is a month old."""
        for pattern in list(self.own_memory.values()):
            best = await self.get_recommendations(pattern.task_type, limit=1)
            if best and pattern.success_rate < best[0].success_rate / 2:
                pattern.confidence_score /= 2
                if self.has_store:
                    await self.database.update_pattern_weights(pattern.id, pattern.confidence_score)
        if self.has_store:
            await self.database.cleanup_old_data(30 * 86400)

    async def shutdown(self):
        await self.database.shutdown()


def worth_of(before, after, seconds):
    """0..1: the share of bytes saved, less a tenth for each 10 ms a megabyte took."""
    saved = 1 - after / before
    return max(0.0, min(1.0, saved - 0.1 * (seconds / 0.01) / (before / 1e6)))


def files_to_work_on(count):
    library = os.path.dirname(os.__file__)
    found = [path for path in glob.glob(os.path.join(library, "**", "*"), recursive=True)
             if os.path.isfile(path) and 2000 < os.path.getsize(path) < 400_000]
    return random.sample(found, min(count, len(found)))


async def main(path="learning.db", rounds=300):
    engine = AdaptiveLearningEngine(LearningDatabase(path))
    await engine.initialize()
    known_before = engine.database.get_database_status().get("pattern_count", 0)
    worths, asking = [], []
    for file in files_to_work_on(rounds):
        with open(file, "rb") as content:
            data = content.read()
        task_type = f"compress {os.path.splitext(file)[1] or 'other'}"
        begun = time.perf_counter()
        way = await engine.choose(task_type)
        asked = time.perf_counter()
        result = WAYS[way](data)
        seconds = time.perf_counter() - asked
        worths.append(worth_of(len(data), len(result), seconds))
        tracked = time.perf_counter()
        await engine.track_execution_pattern(task_type, way, seconds, worths[-1], {"bytes": len(data)})
        asking.append(asked - begun + time.perf_counter() - tracked)
    half = max(1, len(worths) // 2)
    first, second = sum(worths[:half]) / half, sum(worths[half:]) / max(1, len(worths) - half)
    improvement = await engine.update_performance_metrics("engine", "worth of a compression", second, first)
    await engine.optimize_performance()
    print(f"{known_before} patterns known before, {len(engine.own_memory)} used or learned; "
          f"worth {first:.3f} in the first half, {second:.3f} in the second ({improvement:+.1f} %)")
    print(f"asking and remembering took {sorted(asking)[len(asking) // 2] * 1e6:.0f} us a file (median)")
    for task_type in sorted({pattern.task_type for pattern in engine.own_memory.values()}):
        [best] = await engine.get_recommendations(task_type, limit=1)
        print(f"  {task_type:<18} {best.pattern_used:<7} {best.usage_count:>4} times, worth {best.success_rate:.2f}")
    await engine.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1], epilog="It works on files it only reads.")
    parser.add_argument("path", metavar="DIR", nargs="?", default="learning.db", help="what is learned (learning.db)")
    parser.add_argument("rounds", metavar="ROUNDS", nargs="?", type=int, default=300, help="files (300)")
    options = parser.parse_args()
    asyncio.run(main(options.path, options.rounds))
