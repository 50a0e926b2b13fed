/* command_stats.c - `knackdb stats`: the status struct, for people or as JSON.
 *
 * What is shown is what a reader of the directory finds: rows, memory, log, snapshot.
 * Latencies and cache hits are counted inside the process that runs the operations and
 * leave it with the process; of this one they are nearly all zero, so people see only
 * those that are not. JSON has every field. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "moment.h"
#include "output.h"
#include "row_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] = "Usage: knackdb stats DIR [--json]\n"
                           "\n"
                           "Prints the state of a store: rows, memory, log, snapshot.\n"
                           "\n"
                           "  --json  one JSON object with every field of the C struct knackdb_stats\n"
                           "\n"
                           "Counts of operations are those of this command's own process, not of a writer beside it.\n";

static const char *
state_name(knackdb_state state)
{
    switch (state) {
    case KNACKDB_STATE_OK: return "ok";
    case KNACKDB_STATE_DEGRADED: return "degraded";
    case KNACKDB_STATE_FAILED: return "failed";
    }
    return "unknown";
}

#define QUANTITY_CHARS 40

static const char *
as_bytes(uint64_t bytes, char out[QUANTITY_CHARS])
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double                   scaled = (double) bytes / 1024;
    size_t                   unit = 0;

    if (bytes < 1024) {
        (void) snprintf(out, QUANTITY_CHARS, "%" PRIu64 " B", bytes);
        return out;
    }
    while (scaled >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        scaled /= 1024;
        unit++;
    }
    (void) snprintf(out, QUANTITY_CHARS, "%.1f %s", scaled, units[unit]);
    return out;
}

static const char *
as_duration(double seconds, char out[QUANTITY_CHARS])
{
    if (seconds >= 1)
        (void) snprintf(out, QUANTITY_CHARS, "%.2f s", seconds);
    else if (seconds >= 1e-3)
        (void) snprintf(out, QUANTITY_CHARS, "%.1f ms", seconds * 1e3);
    else
        (void) snprintf(out, QUANTITY_CHARS, "%.1f us", seconds * 1e6);
    return out;
}

static void
print_tables(struct output *output, const knackdb_stats *stats)
{
    char bytes[QUANTITY_CHARS];

    output_format(output, "\n%-22s %12s %12s %12s\n", "table", "rows", "versions", "memory");
    for (uint32_t i = 0; i < stats->table_count && i < KNACKDB_TABLES_MAX; i++) {
        const knackdb_table_info *info = knackdb_table_describe((int) i);

        output_format(output, "  %-20s %12" PRIu64 " %12" PRIu64 " %12s\n", info != NULL ? info->name : "?",
                      stats->tables[i].row_count, stats->tables[i].version_count,
                      as_bytes(stats->tables[i].memory_bytes, bytes));
    }
}

static void
print_memory(struct output *output, const knackdb_stats *stats)
{
    const struct {
        const char *name;
        uint64_t    bytes;
    } parts[] = {
        { "columns", stats->memory_column_bytes }, { "text", stats->memory_text_bytes },
        { "indexes", stats->memory_index_bytes },  { "cache", stats->memory_cache_bytes },
        { "other", stats->memory_other_bytes },
    };
    char bytes[QUANTITY_CHARS];

    output_format(output, "\n%-22s %12s\n", "memory", as_bytes(stats->memory_bytes, bytes));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        output_format(output, "  %-20s %12s\n", parts[i].name, as_bytes(parts[i].bytes, bytes));
}

static void
print_disk(struct output *output, const knackdb_stats *stats)
{
    char bytes[QUANTITY_CHARS], duration[QUANTITY_CHARS], time[MOMENT_CHARS_MAX];

    output_put_string(output, "\nlog\n");
    output_format(output, "  %-20s %12" PRIu64 "\n", "newest commit", stats->sequence);
    output_format(output, "  %-20s %12s\n", "since the snapshot", as_bytes(stats->log_bytes, bytes));
    if (stats->log_unsynced_bytes > 0)
        output_format(output, "  %-20s %12s, commits after %" PRIu64 "\n", "not yet stable",
                      as_bytes(stats->log_unsynced_bytes, bytes), stats->durable_sequence);
    if (stats->torn_bytes > 0)
        output_format(output, "  %-20s %12s\n", "torn at its end", as_bytes(stats->torn_bytes, bytes));

    output_put_string(output, "\nsnapshot\n");
    if (stats->snapshot_sequence == 0 && !(stats->snapshot_at > 0)) {
        output_put_string(output, "  none\n");
    } else {
        moment_format(stats->snapshot_at, time);
        output_format(output, "  %-20s %12s\n", "finished", time);
        output_format(output, "  %-20s %12" PRIu64 "\n", "up to commit", stats->snapshot_sequence);
        output_format(output, "  %-20s %12s\n", "size", as_bytes(stats->snapshot_bytes, bytes));
    }
    output_format(output, "\nopened in %s, %" PRIu64 " commits from the log\n",
                  as_duration(stats->open_seconds, duration), stats->recovered_commits);
}

static void
print_operations(struct output *output, const knackdb_stats *stats)
{
    bool is_begun = false;

    for (int i = 0; i < KNACKDB_OPERATION_COUNT; i++) {
        const knackdb_latency *latency = &stats->operations[i];
        char                   p50[QUANTITY_CHARS], p99[QUANTITY_CHARS], most[QUANTITY_CHARS];

        if (latency->count == 0)
            continue;
        if (!is_begun)
            output_format(output, "\n%-22s %12s %12s %12s %12s\n", "operation", "count", "p50", "p99", "max");
        is_begun = true;
        output_format(output, "  %-20s %12" PRIu64 " %12s %12s %12s\n", knackdb_operation_text((knackdb_operation) i),
                      latency->count, as_duration((double) latency->p50_ns / 1e9, p50),
                      as_duration((double) latency->p99_ns / 1e9, p99),
                      as_duration((double) latency->max_ns / 1e9, most));
    }
}

static void
print_for_people(struct output *output, const char *directory, const knackdb_stats *stats)
{
    output_put_string(output, directory);
    output_format(output, ": %s", state_name(stats->state));
    if (stats->reason[0] != '\0')
        output_format(output, ", %s", stats->reason);
    output_format(output, "; schema version %" PRIu32 "\n", stats->schema_version);
    print_tables(output, stats);
    print_memory(output, stats);
    print_disk(output, stats);
    print_operations(output, stats);
}

static void
put_unsigned(struct output *output, const char *name, uint64_t value)
{
    output_format(output, ",\"%s\":%" PRIu64, name, value);
}

static void
put_real(struct output *output, const char *name, double value)
{
    knackdb_value real = knackdb_value_real(value);

    output_format(output, ",\"%s\":", name);
    row_writer_put_json(output, &real);
}

static void
put_tables(struct output *output, const knackdb_stats *stats)
{
    output_put_string(output, ",\"tables\":{");
    for (uint32_t i = 0; i < stats->table_count && i < KNACKDB_TABLES_MAX; i++) {
        const knackdb_table_info *info = knackdb_table_describe((int) i);

        output_format(output,
                      "%s\"%s\":{\"row_count\":%" PRIu64 ",\"version_count\":%" PRIu64 ",\"memory_bytes\":%" PRIu64 "}",
                      i > 0 ? "," : "", info != NULL ? info->name : "?", stats->tables[i].row_count,
                      stats->tables[i].version_count, stats->tables[i].memory_bytes);
    }
    output_put_char(output, '}');
}

static void
put_operations(struct output *output, const knackdb_stats *stats)
{
    output_put_string(output, ",\"operations\":{");
    for (int i = 0; i < KNACKDB_OPERATION_COUNT; i++) {
        const knackdb_latency *latency = &stats->operations[i];

        output_format(output,
                      "%s\"%s\":{\"count\":%" PRIu64 ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64
                      ",\"p999_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 "}",
                      i > 0 ? "," : "", knackdb_operation_text((knackdb_operation) i), latency->count, latency->p50_ns,
                      latency->p99_ns, latency->p999_ns, latency->max_ns);
    }
    output_put_char(output, '}');
}

static void
print_json(struct output *output, const knackdb_stats *stats)
{
    output_format(output, "{\"state\":\"%s\",\"reason\":", state_name(stats->state));
    row_writer_put_json_text(output, stats->reason, strlen(stats->reason));
    put_unsigned(output, "schema_version", stats->schema_version);
    put_unsigned(output, "table_count", stats->table_count);
    put_tables(output, stats);
    put_unsigned(output, "memory_bytes", stats->memory_bytes);
    put_unsigned(output, "memory_column_bytes", stats->memory_column_bytes);
    put_unsigned(output, "memory_text_bytes", stats->memory_text_bytes);
    put_unsigned(output, "memory_index_bytes", stats->memory_index_bytes);
    put_unsigned(output, "memory_cache_bytes", stats->memory_cache_bytes);
    put_unsigned(output, "memory_other_bytes", stats->memory_other_bytes);
    put_operations(output, stats);
    put_unsigned(output, "slow_operation_count", stats->slow_operation_count);
    put_unsigned(output, "cache_hits", stats->cache_hits);
    put_unsigned(output, "cache_misses", stats->cache_misses);
    put_unsigned(output, "cache_entries", stats->cache_entries);
    put_unsigned(output, "sequence", stats->sequence);
    put_unsigned(output, "durable_sequence", stats->durable_sequence);
    put_unsigned(output, "log_bytes", stats->log_bytes);
    put_unsigned(output, "log_unsynced_bytes", stats->log_unsynced_bytes);
    put_unsigned(output, "reader_count", stats->reader_count);
    put_unsigned(output, "oldest_reader_sequence", stats->oldest_reader_sequence);
    put_unsigned(output, "snapshot_count", stats->snapshot_count);
    put_unsigned(output, "snapshot_sequence", stats->snapshot_sequence);
    put_real(output, "snapshot_at", stats->snapshot_at);
    put_real(output, "snapshot_seconds", stats->snapshot_seconds);
    put_unsigned(output, "snapshot_bytes", stats->snapshot_bytes);
    output_format(output, ",\"snapshot_status\":\"%s\"", knackdb_status_text(stats->snapshot_status));
    put_unsigned(output, "recovered_commits", stats->recovered_commits);
    put_unsigned(output, "torn_bytes", stats->torn_bytes);
    put_real(output, "open_seconds", stats->open_seconds);
    put_real(output, "opened_at", stats->opened_at);
    put_unsigned(output, "refresh_count", stats->refresh_count);
    put_unsigned(output, "reload_count", stats->reload_count);
    put_real(output, "refreshed_at", stats->refreshed_at);
    output_put_string(output, "}\n");
}

static int
run(int argc, char **argv)
{
    const char         *directory = NULL;
    bool                is_json = false;
    knackdb_options     reading = knackdb_options_default();
    knackdb_stats       stats = { .struct_size = sizeof stats };
    struct output       output;
    knackdb            *db = NULL;
    knackdb_error       error = { 0 };
    knackdb_status      result;
    int                 status;
    const struct option options[] = {
        { .name = "--json", .ret_flag = &is_json },
        { 0 },
    };
    const struct positional positionals[] = {
        { "DIR", false, &directory },
        { 0 },
    };

    switch (arguments_parse(command_stats.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_stats);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    status = directory_open_to_read(command_stats.name, directory, &reading, &db);
    if (status != EXIT_DONE)
        return status;
    result = knackdb_get_stats(db, &stats, &error);
    if (result != KNACKDB_OK) {
        status = complain_status(command_stats.name, directory, result, &error);
    } else {
        status = output_open_standard(&output, command_stats.name);
        if (status == EXIT_DONE) {
            if (is_json)
                print_json(&output, &stats);
            else
                print_for_people(&output, directory, &stats);
            status = output_finish(&output);
        }
    }
    return directory_close(command_stats.name, directory, db, status);
}

const struct command command_stats = {
    .name = "stats",
    .summary = "print the state of a store: rows, memory, log, snapshot",
    .help = help,
    .run = run,
};
