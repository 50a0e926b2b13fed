/* messages.h - what the store has to say from its own thread, until a call from Python passes it on. */
#ifndef PYTHON_MESSAGES_H
#define PYTHON_MESSAGES_H

#include <knackdb.h>

#include <pthread.h>
#include <stdatomic.h>

#define MESSAGES_KEPT 16

struct messages {
    pthread_mutex_t lock;
    atomic_uint     waiting; /* written under the lock; read without it, to see that there is nothing */
    unsigned        first;
    unsigned        lost; /* since the last one was passed on */
    struct {
        knackdb_severity severity;
        char             text[400];
    } kept[MESSAGES_KEPT];
};

void messages_init(struct messages *messages);

/* A log_message function of the store's options; `context` is the queue. Any thread, no GIL. */
void messages_receive(void *context, knackdb_severity severity, const char *text);

/* Hands what waits to the package's logger. With the GIL. */
void messages_pass_on(struct messages *messages);

#endif
