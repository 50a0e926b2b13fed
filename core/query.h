/* query.h - a query: checked, copied, run over a view. */
#ifndef KNACKDB_CORE_QUERY_H
#define KNACKDB_CORE_QUERY_H

#include "core/store.h"

/* Fills in the defaults and checks everything; INVALID names what is wrong. Conditions stay borrowed. */
knackdb_status query_check(const struct schema *schema, const knackdb_query *query, knackdb_query *ret_checked,
                           knackdb_error *error);

/* A checked query with conditions and texts of its own, in one block. */
struct query_copy {
    knackdb_query query;
    size_t        bytes;
};
knackdb_status query_copy_new(struct allocator *allocator, const knackdb_query *checked, struct query_copy **ret_copy,
                              knackdb_error *error);
void           query_copy_free(struct allocator *allocator, struct query_copy *copy);

/* Rows found, in order. The caller clears it. */
struct row_list {
    struct allocator *allocator;
    knackdb_row      *rows;
    size_t            count, capacity;
    struct led_rows  *led;     /* where they stand among leaders (leaders.h); NULL: unknown */
    struct carried   *carried; /* where their cells stand side by side (carried.h); NULL: unknown */
    bool              is_lent; /* `rows` is somebody else's memory, which stays his */
    void             *note_room;
    size_t            note_room_bytes; /* somebody else's, too, for one of `led` and `carried` */
};
void           row_list_init(struct row_list *list, struct allocator *allocator);
/* Room for so many rows, which an empty list takes instead of memory of its own as long as that is enough; and so for
 * what is noted of them. */
void           row_list_lend(struct row_list *list, knackdb_row *room, size_t capacity);
void           row_list_lend_notes(struct row_list *list, void *room, size_t bytes);
/* Memory for what is noted of the rows, `led` or `carried`: its own, or what was lent for it. NULL: there is none. */
void          *row_list_note_get(struct row_list *list, size_t bytes);
void           row_list_note_put(struct row_list *list, void *note, size_t bytes);
void           row_list_clear(struct row_list *list);
knackdb_status row_list_reserve(struct row_list *list, size_t count, knackdb_error *error); /* for so many in all */
void           row_list_shrink(struct row_list *list, size_t count); /* to so many; may do nothing */

/* Runs a checked query; through the result cache where that serves. */
knackdb_status view_find(const struct view *view, const knackdb_query *checked, struct row_list *list,
                         knackdb_error *error);
knackdb_status view_count(const struct view *view, const knackdb_query *checked, uint64_t *ret_count,
                          knackdb_error *error);

struct aggregate_request {
    uint32_t      value_column;
    int32_t       group_column; /* -1: one group */
    const double *percentiles;
    size_t        percentile_count;
    bool          is_plain; /* without the processor's vector instructions: for tests; the answer is the same */
};
/* ret_groups is an array from the view's allocator, ret_count long; NULL where no row matched. */
knackdb_status view_aggregate(const struct view *view, const knackdb_query *checked,
                              const struct aggregate_request *request, knackdb_group **ret_groups, size_t *ret_count,
                              knackdb_error *error);

#endif
