/* ranked.h - the first so many rows of posting lists whose tags are in the order asked for, without most of the
 * rest. */
#ifndef KNACKDB_CORE_RANKED_H
#define KNACKDB_CORE_RANKED_H

#include "core/candidates.h"
#include "core/collector.h"

/* Whether the candidates come from lists that are ranked by what the order begins with. */
bool ranked_is_asked(const struct candidates *candidates, const struct collector *collector);
/* Whether the candidates come from lists that are ranked so, and few of many are wanted. */
bool ranked_serves(const struct candidates *candidates, const struct collector *collector);

/* Collects what belongs into the answer; instead of candidates_next(). */
knackdb_status ranked_collect(struct candidates *candidates, struct collector *collector, knackdb_error *error);

#endif
