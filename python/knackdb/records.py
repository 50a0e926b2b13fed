"""The dataclasses that go in and come out.

ExecutionPattern, PerformanceMetrics and PatternFilters are dataclasses in every respect, but their fields are kept by
a base class written in C: a row that was retrieved turns into Python objects only where it is looked at.
"""

import dataclasses
import enum
import inspect
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Union

import _knackdb

__all__ = [
    "ExecutionPattern", "LearningMetrics", "PatternFilters", "PatternType", "PerformanceMetrics", "Summary",
    "UserPreference",
]


class PatternType(enum.Enum):
    """What a pattern is about. The store's patterns are execution patterns; a filter for another type finds none."""

    EXECUTION_PATTERN = "execution_pattern"
    USER_PREFERENCE = "user_preference"
    PERFORMANCE_OPTIMIZATION = "performance_optimization"
    TASK_CLASSIFICATION = "task_classification"
    AGENT_SELECTION = "agent_selection"
    WORKFLOW_ROUTING = "workflow_routing"


class _Signature:
    """What inspect.signature() says of a class whose __init__ is C; a subclass speaks for itself."""

    def __init__(self, cls, signature):
        self.cls, self.signature = cls, signature

    def __get__(self, instance, owner):
        if owner is not self.cls:
            raise AttributeError("__signature__")
        return self.signature


def _fields_in_c(which):
    """Makes way for the base's attributes, where a default left on the class would hide the one of the same name, and
    for the base's __init__, which does the same as the dataclass's own in a fraction of the time."""
    def prepare(cls):
        fields = dataclasses.fields(cls)
        factories = {place: each.default_factory for place, each in enumerate(fields)
                     if each.default_factory is not dataclasses.MISSING}
        defaults = tuple(None if place in factories else each.default for place, each in enumerate(fields))
        _knackdb.take_defaults(which, defaults, factories)
        cls.__signature__ = _Signature(cls, inspect.signature(cls))
        for name in [each.name for each in fields] + ["__init__"]:
            if name in vars(cls):
                delattr(cls, name)
        return cls
    return prepare


class _ToAndFromDict:
    __slots__ = ()

    def to_dict(self) -> Dict[str, Any]:
        """All fields as a new dict; lists and dicts in it are copies."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data):
        """The reverse of to_dict(). A key that is no field is left out; a field without a key has its default."""
        known = {each.name for each in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


@_fields_in_c(0)
@dataclass
class ExecutionPattern(_knackdb.PatternRecord, _ToAndFromDict):
    """How a task was done once, and how well that went.

    >>> pattern = ExecutionPattern(task_type="sort", pattern_used="radix", tools_used=["numpy"])
    >>> pattern.success_rate, pattern.complexity_level
    (1.0, 'simple')
    >>> dataclasses.replace(pattern, pattern_used="merge").pattern_used
    'merge'
    """

    id: Optional[str] = None
    task_type: str = ""
    pattern_used: str = ""
    execution_time: float = 0.0
    success_rate: float = 1.0
    confidence_score: float = 0.0
    agent_count: int = 1
    complexity_level: str = "simple"
    tools_used: List[str] = field(default_factory=list)
    context_factors: Dict[str, Any] = field(default_factory=dict)
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    usage_count: int = 0


@_fields_in_c(1)
@dataclass
class PerformanceMetrics(_knackdb.MetricRecord, _ToAndFromDict):
    """One measurement of a component, beside the value it is compared with.

    >>> metric = PerformanceMetrics("router", "latency_ms", metric_value=80.0, baseline_value=100.0)
    >>> metric.calculate_improvement()
    -20.0
    """

    component_name: str = ""
    metric_name: str = ""
    metric_value: float = 0.0
    baseline_value: float = 0.0
    improvement_percentage: float = 0.0
    sample_count: int = 1
    confidence_interval: float = 0.95
    measured_at: float = field(default_factory=time.time)
    metadata: Dict[str, Any] = field(default_factory=dict)

    def calculate_improvement(self) -> float:
        """Sets improvement_percentage to the change against the baseline, in percent, and returns it.

        Without a baseline (0, or None) there is nothing to compare with: it is 0.
        """
        if not self.baseline_value or self.metric_value is None:
            self.improvement_percentage = 0.0
        else:
            change = self.metric_value - self.baseline_value
            self.improvement_percentage = change / abs(self.baseline_value) * 100
        return self.improvement_percentage


@_fields_in_c(2)
@dataclass
class PatternFilters(_knackdb.FilterRecord, _ToAndFromDict):
    """Which patterns, and in which order.

    None asks nothing. A text field takes a str, or a list of which one must be equal; `tool` a str, or a list of
    which all must have been used. Without order_by the most trusted come first: confidence_score, then success_rate,
    falling. order_by names a number or time column, or is "score": see LearningDatabase.get_best_patterns().

    >>> PatternFilters(task_type="sort", min_success_rate=0.8).limit
    100
    """

    pattern_type: Optional[PatternType] = None
    task_type: Union[str, Sequence[str], None] = None
    min_confidence: Optional[float] = 0.0
    min_success_rate: Optional[float] = 0.0
    max_age_seconds: Optional[float] = None
    limit: Optional[int] = 100
    offset: int = 0
    pattern_used: Union[str, Sequence[str], None] = None
    complexity_level: Union[str, Sequence[str], None] = None
    tool: Union[str, Sequence[str], None] = None
    max_confidence: Optional[float] = None
    max_success_rate: Optional[float] = None
    min_execution_time: Optional[float] = None
    max_execution_time: Optional[float] = None
    min_agent_count: Optional[int] = None
    max_agent_count: Optional[int] = None
    min_usage_count: Optional[int] = None
    max_usage_count: Optional[int] = None
    min_created_at: Optional[float] = None
    max_created_at: Optional[float] = None
    min_updated_at: Optional[float] = None
    max_updated_at: Optional[float] = None
    order_by: Optional[str] = None
    descending: bool = True
    half_life_seconds: Optional[float] = None


@dataclass
class UserPreference:
    """A stored preference. The value is text: JSON where it came by store_user_preference()."""

    preference_type: Optional[str] = None
    preference_value: Optional[str] = None
    weight: Optional[float] = 1.0
    usage_count: Optional[int] = 1
    last_used: Optional[float] = field(default_factory=time.time)


@dataclass
class Summary:
    """Figures of a number column over the rows of one group: see LearningDatabase.aggregate().

    Rows without a value count as rows and play no other part. Where no row has one, the figures are None.
    percentiles: what was asked for -> its value, linear between the two nearest ranks.
    """

    row_count: int = 0
    value_count: int = 0
    mean: Optional[float] = None
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    percentiles: Dict[float, Optional[float]] = field(default_factory=dict)


@dataclass
class LearningMetrics:
    """How learning goes. A database's own, `db.metrics`, follows what the database does.

    >>> LearningMetrics(pattern_cache_hits=3, pattern_cache_misses=1).get_cache_hit_ratio()
    0.75
    """

    patterns_learned: int = 0
    learning_accuracy: float = 0.0
    adaptation_speed: float = 0.0
    memory_usage_mb: float = 0.0
    learning_overhead_ms: float = 0.0
    database_performance_ms: float = 0.0
    pattern_cache_hits: int = 0
    pattern_cache_misses: int = 0
    last_updated: float = field(default_factory=time.time)

    def get_cache_hit_ratio(self) -> float:
        """Hits among all look-ups, 0..1; 0 before the first."""
        hits, misses = self.pattern_cache_hits, self.pattern_cache_misses
        return hits / (hits + misses) if hits + misses else 0.0

    def to_dict(self) -> Dict[str, Any]:
        """All fields as a new dict."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
