/* made_up.c - see made_up.h. */
#include "made_up.h"

#include <inttypes.h>
#include <stdio.h>

/* xorshift64*: any stream will do as long as it is the same each time. */
static uint64_t
next_random(struct made_up *made_up)
{
    made_up->state ^= made_up->state >> 12;
    made_up->state ^= made_up->state << 25;
    made_up->state ^= made_up->state >> 27;
    return made_up->state * UINT64_C(2685821657736338717);
}

uint64_t
made_up_below(struct made_up *made_up, uint64_t bound)
{
    return next_random(made_up) % bound;
}

double
made_up_fraction(struct made_up *made_up)
{
    return (double) (next_random(made_up) >> 11) * 0x1p-53;
}

void
made_up_task_type(struct made_up *made_up, struct made_up_texts *texts)
{
    (void) snprintf(texts->first, sizeof texts->first, "task_%d", (int) made_up_below(made_up, MADE_UP_TASK_TYPES));
}

void
made_up_component_and_metric(struct made_up *made_up, struct made_up_texts *texts)
{
    (void) snprintf(texts->first, sizeof texts->first, "component_%d",
                    (int) made_up_below(made_up, MADE_UP_COMPONENTS));
    (void) snprintf(texts->second, sizeof texts->second, "metric_%d", (int) made_up_below(made_up, MADE_UP_METRICS));
}

knackdb_pattern
made_up_pattern(struct made_up *made_up, struct made_up_texts *texts)
{
    static const char *const levels[] = { "simple", "moderate", "complex" };
    static const char *const tools[] = { "[\"sort\"]", "[\"grep\",\"sed\"]", "[\"read\",\"write\",\"run\"]" };
    knackdb_pattern          pattern = knackdb_pattern_default();
    uint64_t                 run[2], branch;
    int                      files, retries;

    made_up_task_type(made_up, texts);
    (void) snprintf(texts->second, sizeof texts->second, "pattern_%d", (int) made_up_below(made_up, MADE_UP_PATTERNS));
    /* One after the other: C leaves open in which order arguments are computed. */
    run[0] = next_random(made_up);
    run[1] = next_random(made_up);
    files = (int) made_up_below(made_up, 500);
    branch = next_random(made_up);
    retries = (int) made_up_below(made_up, 4);
    (void) snprintf(texts->context, sizeof texts->context,
                    "{\"run\":\"%016" PRIx64 "%016" PRIx64 "\",\"files\":%d,\"branch\":\"feature/%" PRIx64
                    "\",\"retries\":%d}",
                    run[0], run[1], files, branch, retries);
    pattern.task_type = knackdb_string(texts->first);
    pattern.pattern_used = knackdb_string(texts->second);
    pattern.context_factors = knackdb_string(texts->context);
    pattern.tools_used = knackdb_string(tools[made_up_below(made_up, 3)]);
    pattern.complexity_level = knackdb_string(levels[made_up_below(made_up, 3)]);
    pattern.execution_time = made_up_fraction(made_up) * 10;
    pattern.success_rate = made_up_fraction(made_up);
    pattern.confidence_score = made_up_fraction(made_up);
    pattern.agent_count = 1 + (int64_t) made_up_below(made_up, 4);
    pattern.usage_count = (int64_t) made_up_below(made_up, 100);
    pattern.created_at = MADE_UP_START + 2.0 * (double) made_up->patterns++;
    pattern.updated_at = pattern.created_at;
    return pattern;
}

knackdb_metric
made_up_metric(struct made_up *made_up, struct made_up_texts *texts)
{
    knackdb_metric metric = knackdb_metric_default();

    made_up_component_and_metric(made_up, texts);
    metric.component_name = knackdb_string(texts->first);
    metric.metric_name = knackdb_string(texts->second);
    metric.metric_value = made_up_fraction(made_up) * 1000;
    metric.baseline_value = 1 + made_up_fraction(made_up) * 1000;
    metric.measured_at = MADE_UP_START + (double) made_up->metrics++;
    return metric;
}
