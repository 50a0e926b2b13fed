/* follow.c - the public face of following a writer in another process. */
#include "api/handle.h"
#include "base/error.h"

knackdb_status
knackdb_refresh(knackdb *db, uint64_t *ret_sequence, knackdb_error *error)
{
    knackdb_status status = handle_check(db, error);

    if (status != KNACKDB_OK)
        return status;
    if (db->keeper != NULL) {
        status = keeper_refresh(db->keeper, ret_sequence, error);
        if (status == KNACKDB_CORRUPT)
            error_add(error, DAMAGE_ADVICE);
        return status;
    }
    if (ret_sequence != NULL)
        *ret_sequence = store_sequence(db->store);
    return KNACKDB_OK;
}
