/* parts.h - what the processes of a soak do, each in a function that is called behind a fork and ends with its process.
 *
 * They state the board's claims. A process that finds one broken says so there and goes on or ends; who conducts
 * the soak looks at the board. */
#ifndef TESTS_SOAK_PARTS_H
#define TESTS_SOAK_PARTS_H

#include "board.h"

/* Opens the store, looks at all that is there, and makes commits until it is killed or told to stop. Two threads read
 * beside it, a third asks for snapshots and backups. An `even` life has the options that most stores have. */
_Noreturn void write_until_killed(uint64_t seed, bool even);

/* Follows, in one of three rhythms, until it is killed or told to stop. */
_Noreturn void follow_until_killed(int which, uint64_t seed);

/* Looks at what a killed writer has left, as a reader that changes nothing, and at moments before. */
_Noreturn void inspect_remains(uint64_t seed);

/* Looks at a backup, which is complete, or was cut short with its writer. */
_Noreturn void inspect_backup(uint64_t number, bool is_complete);

/* Looks at everything, every byte included, when all have ended. */
_Noreturn void inspect_end(void);

/* The path of a backup. */
void backup_path(char path[4200], uint64_t number);

#endif
