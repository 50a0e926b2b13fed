/* asking.h - what a directory says to those who come to it by the ways there are, on the system's disk. Nothing stays
 * open. */
#ifndef TESTS_PERSIST_ASKING_H
#define TESTS_PERSIST_ASKING_H

#include "tests/persist/bench.h"

knackdb_status asked_to_verify(const char *path, uint32_t version, knackdb_error *error);
knackdb_status asked_to_replay(const char *path, uint32_t version, knackdb_error *error); /* all of its log */
knackdb_status asked_to_open(const char *path, uint32_t version, bool follows, knackdb_error *error); /* to read */

#endif
