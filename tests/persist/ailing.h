/* ailing.h - a store whose disk fails and comes back, and what is asked of it. For failing_disk.h. */
#ifndef TESTS_PERSIST_AILING_H
#define TESTS_PERSIST_AILING_H

#include "tests/persist/bench.h"
#include "tests/persist/failing_disk.h"

/* Small segments on a new failing disk; nothing happens by itself but healing. */
struct keeper_options healing_options(knackdb_log_io io);

void assert_degraded(struct kept *kept, const char *reason);
void assert_state(struct kept *kept, knackdb_state state, const char *reason);

/* Nobody does anything; the keeper heals by itself, and all that memory holds is then durable. */
void await_health(struct kept *kept);

/* What is on the disk now, opened: the rows are those of `dump`, no byte is at fault. */
void assert_holds(const char *path, const char *folder, const char *dump, const char *when);

/* The same while the disk fails: it opens, and holds the first so many commits at least. */
void assert_opens(const char *path, const char *folder, uint64_t sequence, const char *when);

/* The same at the beginning of an attempt to heal, so that no file comes or goes while the directory is copied. */
void assert_opens_between_attempts(const char *path, const char *folder, uint64_t sequence, const char *when);

#endif
