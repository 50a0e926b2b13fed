/* redis_server.h - a Redis server of the benchmark's own: started, waited for, stopped. */
#ifndef BENCHMARKS_REDIS_SERVER_H
#define BENCHMARKS_REDIS_SERVER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid;
    char  socket[108]; /**< as long as a socket's path may be */
};

/** Why no server can be started here, in words; NULL where it can. */
const char *redis_server_missing(void);

/** Version of the server program; the caller must not free it. */
const char *redis_server_version(void);

/** Starts a server whose append-only file and socket are in `directory`, with what an earlier one left there,
 *  and returns a connection to it once it has loaded everything. It dies with this program, however that ends. */
redisContext *redis_server_start(struct redis_server *server, const char *directory);

/** Another connection. */
redisContext *redis_server_connect(const struct redis_server *server);

/** Has everything written and synced, and waits for the server's end; frees the connection. */
void redis_server_stop(struct redis_server *server, redisContext *connection);

#endif
