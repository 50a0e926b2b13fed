"""A directory's files looked over, and what can be read of damaged ones saved."""

import os
from dataclasses import dataclass, field
from typing import List, Optional, Union

import _knackdb

from .elsewhere import elsewhere

__all__ = ["Loss", "RepairReport", "VerifyReport", "repair", "verify"]

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


@dataclass
class VerifyReport:
    """What verify() read, and the faults it found, by file and offset."""

    files: int = 0
    bytes: int = 0
    records: int = 0
    blocks: int = 0
    torn_bytes: int = 0
    fault_count: int = 0
    faults: List[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether there is no fault. What is torn at the log's end is none: any open cuts it."""
        return self.fault_count == 0


@dataclass
class Loss:
    """One thing that could not be saved. `kind` is manifest, rows, values, commits or operation; torn and frame are
    told of and are no loss of data. 0 and None stand for none, or not known."""

    kind: str = ""
    file: str = ""
    reason: str = ""
    offset: int = 0
    bytes: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    table: Optional[str] = None
    column: Optional[str] = None
    row_count: int = 0
    first_id: int = 0
    last_id: int = 0

    def __str__(self):
        what = ".".join(filter(None, (self.table, self.column)))
        what = f"{what}: " if what else ""
        return f"{self.file}:{self.offset}: {what}{self.reason}"


@dataclass
class RepairReport:
    """What repair() saved, and what was lost: counted, and the first thousand losses one by one."""

    rows_saved: int = 0
    sequence: int = 0
    commits_saved: int = 0
    loss_count: int = 0
    rows_lost: int = 0
    values_lost: int = 0
    blocks_lost: int = 0
    commits_lost: int = 0
    bytes_lost: int = 0
    losses: List[Loss] = field(default_factory=list)


async def verify(path: Path) -> VerifyReport:
    """Reads and checks every byte of every file of a directory; changes nothing, and works beside a writer.

    Raises knackdb.Error where it cannot look.

    >>> import asyncio, knackdb, tempfile
    >>> async def look():
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         async with knackdb.LearningDatabase(folder) as db:
    ...             await db.store_execution_pattern(knackdb.ExecutionPattern(task_type="sort"))
    ...             return (await knackdb.verify(folder)).is_sound
    >>> asyncio.run(look())
    True
    """
    return VerifyReport(**await elsewhere(_knackdb.verify, path))


async def repair(path: Path, to: Path) -> RepairReport:
    """Writes all that can still be read of a damaged directory into a new one, `to`, and tells what was lost. `path`
    is never changed; `to` must not be there or be empty, and has been checked and opened once when this returns.

    Only what was hit is lost: one record of the log, one block of a snapshot. Raises knackdb.Error where nothing can
    be saved; `to` is then not made.

    >>> import asyncio, knackdb, os, tempfile
    >>> async def save():
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         async with knackdb.LearningDatabase(os.path.join(folder, "a")) as db:
    ...             await db.store_execution_pattern(knackdb.ExecutionPattern(task_type="sort"))
    ...         report = await knackdb.repair(os.path.join(folder, "a"), os.path.join(folder, "b"))
    ...         return report.rows_saved, report.loss_count
    >>> asyncio.run(save())
    (1, 0)
    """
    figures = await elsewhere(_knackdb.repair, path, to)
    losses = [Loss(*each) for each in figures.pop("losses")]
    return RepairReport(**figures, losses=losses)
