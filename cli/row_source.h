/* row_source.h - rows out of a file, whatever its format. */
#ifndef CLI_ROW_SOURCE_H
#define CLI_ROW_SOURCE_H

#include "columns.h"
#include "input.h"

#include <knackdb.h>
#include <stdbool.h>

enum row_result {
    ROW_READY,   /**< values hold a row */
    ROW_BAD,     /**< the next row cannot be read; `place` and `why` tell. Rows after it can. */
    ROW_DRAINED, /**< rows given so far are about to lose their text: use them, then refill */
    ROW_END,     /**< no more rows */
    ROW_FAILED,  /**< no more can be read; the complaint has been made */
};

#define ROW_PLACE_BYTES 1200

/** A source of rows. Each kind's own struct begins with this one. */
struct row_source {
    const char               *command;
    const knackdb_table_info *table;
    char                      why[COLUMN_WHY_BYTES]; /**< of a bad row */
    int                       column;                /**< at fault in a bad row, or -1 */

    /** Reads the next row into the table's column_count values. Texts stay until the next refill. */
    enum row_result (*next)(struct row_source *source, knackdb_value *values);
    /** After ROW_DRAINED. False after a complaint. */
    bool (*refill)(struct row_source *source);
    /** Begins again with the first row. False after a complaint. */
    bool (*rewind)(struct row_source *source);
    /** Says where the last row stands: "FILE:LINE". */
    void (*tell_place)(const struct row_source *source, char place[ROW_PLACE_BYTES]);
    void (*close)(struct row_source *source);
};

/* Each open reads as far as the names of the columns, takes over the input where there
 * is one, also on failure, and gives an exit status after a complaint where it is not 0. */
int csv_source_open(const char *command, struct input *input, const knackdb_table_info *table,
                    struct row_source **ret_source);
int jsonl_source_open(const char *command, struct input *input, const knackdb_table_info *table,
                      struct row_source **ret_source);
int sqlite_source_open(const char *command, const char *path, const knackdb_table_info *table,
                       struct row_source **ret_source);

#endif
