/* redis_server.c - nothing of a server already on the machine is touched: ours has a
 * socket in the benchmark's directory and no port, and takes no configuration file.
 *
 * Append-only file, synced every second, no RDB files beside it: that is the setting
 * whose promise is nearest to knackdb's default. All else is as Redis comes. */
#define _GNU_SOURCE /* prctl */
#include "redis_server.h"

#include "clock.h"
#include "failure.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM  "redis-server"
#define START_NS (UINT64_C(120) * 1000000000) /* loading ten million rows takes its time */

const char *
redis_server_version(void)
{
    static char version[64];
    FILE       *answer;
    char        line[256] = "";

    if (version[0] != '\0')
        return version;
    answer = popen(PROGRAM " --version 2>/dev/null", "r"); /* "Redis server v=7.0.15 sha=..." */
    if (answer != NULL) {
        if (fgets(line, sizeof line, answer) == NULL || sscanf(line, "Redis server v=%63s", version) != 1)
            version[0] = '\0';
        pclose(answer);
    }
    return version;
}

const char *
redis_server_missing(void)
{
    return redis_server_version()[0] == '\0' ? "there is no " PROGRAM " to start" : NULL;
}

static void
become_server(const struct redis_server *server, const char *directory)
{
    int log = open("/dev/null", O_WRONLY);

    /* Not left behind by a benchmark that is killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execlp(PROGRAM, PROGRAM, "--port", "0", "--unixsocket", server->socket, "--unixsocketperm", "700", "--dir",
           directory, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--daemonize", "no",
           (char *) NULL);
    _exit(127);
}

redisContext *
redis_server_connect(const struct redis_server *server)
{
    redisContext *connection = redisConnectUnix(server->socket);

    if (connection == NULL || connection->err != 0)
        fail("redis: %s: %s", server->socket, connection != NULL ? connection->errstr : "no memory");
    return connection;
}

/* Whether the server is there and has loaded its file. */
static bool
answers(redisContext *connection)
{
    redisReply *reply = redisCommand(connection, "PING");
    bool        is_ready = reply != NULL && reply->type == REDIS_REPLY_STATUS;

    if (reply != NULL)
        freeReplyObject(reply);
    return is_ready;
}

redisContext *
redis_server_start(struct redis_server *server, const char *directory)
{
    uint64_t start = clock_ns();
    int      length = snprintf(server->socket, sizeof server->socket, "%s/redis.sock", directory);

    if (length < 0 || (size_t) length >= sizeof server->socket)
        fail("redis: %s: too long for the path of a socket", directory);
    server->pid = fork();
    if (server->pid < 0)
        fail("fork: %s", strerror(errno));
    if (server->pid == 0)
        become_server(server, directory);
    while (clock_ns() - start < START_NS) {
        redisContext *connection = redisConnectUnix(server->socket);

        if (connection != NULL && connection->err == 0 && answers(connection))
            return connection;
        if (connection != NULL)
            redisFree(connection);
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            fail("redis: " PROGRAM " does not start in %s", directory);
        usleep(100); /* it is part of what opening costs */
    }
    fail("redis: " PROGRAM " does not answer");
}

void
redis_server_stop(struct redis_server *server, redisContext *connection)
{
    redisReply *reply = redisCommand(connection, "SHUTDOWN"); /* answers by hanging up */
    int         status;

    if (reply != NULL)
        fail("redis: SHUTDOWN: %s", reply->str);
    redisFree(connection);
    if (waitpid(server->pid, &status, 0) != server->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("redis: the server did not end in good order");
}
