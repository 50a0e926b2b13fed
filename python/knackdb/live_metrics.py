"""`db.metrics`: LearningMetrics whose figures are those of the moment they are read.

What only an engine can know (learning_accuracy, adaptation_speed) is the engine's to set. A figure that the database
follows can be set as well; it is then what was set, until `follow()` takes it back.
"""

import dataclasses
import time
import weakref

from .records import LearningMetrics

_MEGABYTE = 1024 * 1024


def _of_operations(stats, kinds):
    """How many operations of these kinds there were, and the sum of their median times in milliseconds."""
    count = sum(stats["operations"][kind]["count"] for kind in kinds)
    time_ms = sum(stats["operations"][kind]["count"] * stats["operations"][kind]["p50_us"] / 1e3 for kind in kinds)
    return count, time_ms


def _mean_ms(stats, kinds):
    count, time_ms = _of_operations(stats, kinds)
    return time_ms / count if count else 0.0


_WRITES = ("store", "store_many", "update", "delete")
_READS = ("get", "find", "aggregate")

# What each followed figure is, given the store's status.
_FOLLOWED = {
    "patterns_learned": lambda stats: stats["patterns_stored"],
    "memory_usage_mb": lambda stats: (stats["memory_bytes"] + stats["answer_bytes"]) / _MEGABYTE,
    "learning_overhead_ms": lambda stats: _mean_ms(stats, [k for k in stats["operations"] if k in _WRITES]),
    "database_performance_ms": lambda stats: _mean_ms(stats, [k for k in stats["operations"] if k in _WRITES + _READS]),
    "pattern_cache_hits": lambda stats: stats["answer_hits"] + stats["cache_hits"],
    "pattern_cache_misses": lambda stats: stats["cache_misses"],
    "last_updated": lambda stats: time.time(),
}


class LiveMetrics(LearningMetrics):
    """See the module. Equal to a LearningMetrics with the same figures."""

    def __init__(self, database):
        object.__setattr__(self, "_database", weakref.ref(database))
        object.__setattr__(self, "_stats", None)
        super().__init__()
        self.follow()

    def follow(self):
        """Forgets what was set over the figures that the database follows."""
        for name in _FOLLOWED:
            self.__dict__.pop(name, None)

    def _status(self):
        database = object.__getattribute__(self, "_database")()
        stats = database._stats_or_none() if database is not None else None
        if stats is not None:
            object.__setattr__(self, "_stats", stats)
        return object.__getattribute__(self, "_stats")  # after the end, the last that were seen

    def to_dict(self, stats=None):
        """All fields as a new dict, of one moment: that of the store's status that is given, or of now."""
        stats = stats or self._status()
        figures = {}
        for each in dataclasses.fields(self):
            is_followed = each.name in _FOLLOWED and each.name not in self.__dict__ and stats is not None
            figures[each.name] = _FOLLOWED[each.name](stats) if is_followed else getattr(self, each.name)
        return figures

    def __eq__(self, other):
        if not isinstance(other, LearningMetrics):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None

    def __reduce__(self):
        return LearningMetrics, tuple(self.to_dict().values())


def _followed(name):
    figure = _FOLLOWED[name]
    default = next(each.default for each in dataclasses.fields(LearningMetrics) if each.name == name)

    def read(self):
        if name in self.__dict__:
            return self.__dict__[name]
        stats = self._status()
        if stats is None:
            return time.time() if default is dataclasses.MISSING else default
        return figure(stats)

    def write(self, value):
        self.__dict__[name] = value

    return property(read, write)


for _name in _FOLLOWED:
    setattr(LiveMetrics, _name, _followed(_name))
