/* made_up.h - rows for `knackdb bench`: from a fixed seed, shaped like what agents store. */
#ifndef CLI_MADE_UP_H
#define CLI_MADE_UP_H

#include <knackdb.h>

#define MADE_UP_TASK_TYPES 40
#define MADE_UP_PATTERNS   200
#define MADE_UP_COMPONENTS 50
#define MADE_UP_METRICS    20
#define MADE_UP_START      1767225600.0 /* 2026 begins; a pattern every two seconds from here, a metric every one */

/** A stream of numbers, the same each time. */
struct made_up {
    uint64_t state;    /**< not 0 */
    uint64_t patterns; /**< made so far */
    uint64_t metrics;
};

/** The texts of a row; a name is good for as long as this is. */
struct made_up_texts {
    char first[24];
    char second[24];
    char context[200];
};

uint64_t made_up_below(struct made_up *made_up, uint64_t bound);
double   made_up_fraction(struct made_up *made_up);

void made_up_task_type(struct made_up *made_up, struct made_up_texts *texts);
void made_up_component_and_metric(struct made_up *made_up, struct made_up_texts *texts);

knackdb_pattern made_up_pattern(struct made_up *made_up, struct made_up_texts *texts);
knackdb_metric  made_up_metric(struct made_up *made_up, struct made_up_texts *texts);

#endif
