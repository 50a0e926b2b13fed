"""false_findings.py - what lint.py finds and is none, and why. `line` is a part of the source line that is pointed at."""

from typing import NamedTuple


class FalseFinding(NamedTuple):
    tool: str
    path: str
    check: str
    line: str
    why: str


TIDY, GCC, CPPCHECK = "clang-tidy", "gcc -fanalyzer", "cppcheck"

EMBEDDED = "the source is the first field of what was allocated, and is what is handed out and freed"
KEY_FILLED = "key_search_init*() fills as many values as the key has columns, and a key has one at least"
CELLS_FILLED = "row_cells_load() or the writer has filled a cell for every column, and places for every key"
TABLES_SET = "manifest.c refuses a part whose table is not one of the manifest's, and each of these was set"
BYTES_READ = "only what was read can be found to be corrupt: the calls before it fail otherwise"
ONE_ROW = "a run without tags is the one row of a list, and is there"

FALSE_FINDINGS = [
    FalseFinding(TIDY, "core/candidates.c", "clang-analyzer-core.NullDereference", "run.rows[0]", ONE_ROW),
    FalseFinding(GCC, "core/posting_compact.c", "-Wanalyzer-use-of-uninitialized-value", "run.rows", ONE_ROW),
    FalseFinding(TIDY, "core/table.c", "clang-analyzer-core.uninitialized.Assign", "cells->bits[c]", CELLS_FILLED),
    FalseFinding(TIDY, "core/table.c", "clang-analyzer-core.uninitialized.Assign", "cells->bits[0]", CELLS_FILLED),
    FalseFinding(TIDY, "core/table.c", "clang-analyzer-core.UndefinedBinaryOperatorResult", "places[k].head != ROW_NONE",
                 CELLS_FILLED),
    FalseFinding(TIDY, "core/table.c", "clang-analyzer-core.CallAndMessage", "table_put_sparse(table, row, c, cells->bits[c])",
                 CELLS_FILLED),
    FalseFinding(TIDY, "core/table.c", "clang-analyzer-core.UndefinedBinaryOperatorResult", "cells.bits[c] == TEXT_CELL_NULL",
                 CELLS_FILLED),
    FalseFinding(TIDY, "core/table_keys.c", "clang-analyzer-core.UndefinedBinaryOperatorResult", "search->integers[i]",
                 KEY_FILLED),
    FalseFinding(TIDY, "core/table_keys.c", "clang-analyzer-core.CallAndMessage", "search->integers[0]", KEY_FILLED),
    FalseFinding(TIDY, "core/text.h", "clang-analyzer-core.UndefinedBinaryOperatorResult", "a.length == b.length", KEY_FILLED),
    FalseFinding(TIDY, "core/text.h", "clang-analyzer-core.NonNullParamChecker", "memcmp(a.data, b.data, a.length)",
                 "both have data or neither has, and a text without has no length"),
    FalseFinding(GCC, "cli/arguments.c", "-Wanalyzer-malloc-leak", "", "the list that grew is the caller's"),
    FalseFinding(GCC, "cli/csv_source.c", "-Wanalyzer-malloc-leak", "", EMBEDDED),
    FalseFinding(GCC, "cli/jsonl_source.c", "-Wanalyzer-malloc-leak", "", EMBEDDED),
    FalseFinding(TIDY, "cli/json.c", "bugprone-not-null-terminated-result", 'memcpy(to, "u00", 3)',
                 "a part of a line that is no string yet"),
    FalseFinding(CPPCHECK, "cli/json.c", "uninitvar", "is_object[depth - 1]", "set where the depth was raised"),
    FalseFinding(CPPCHECK, "cli/sqlite_source.c", "incorrectLogicOperator", "-0x1p63",
                 "cppcheck 2.10 does not read hexadecimal floating constants"),
    FalseFinding(CPPCHECK, "persist/keeper.c", "uninitvar", "tables[part.table]", TABLES_SET),
    FalseFinding(GCC, "persist/repair_parts.c", "-Wanalyzer-use-of-uninitialized-value",
                 "description_map_table(&part->scan.table", "blocks are found without a head only where a version was guessed"),
    FalseFinding(GCC, "persist/repair_ends.c", "-Wanalyzer-null-dereference", "bytes->data", BYTES_READ),
    FalseFinding(TIDY, "persist/repair_ends.c", "clang-analyzer-core.NullDereference", "bytes->data", BYTES_READ),
    FalseFinding(GCC, "persist/keeper.c", "-Wanalyzer-use-of-uninitialized-value", "tables[part.table]", TABLES_SET),
]
