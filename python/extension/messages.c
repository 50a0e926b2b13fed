/* messages.c - see messages.h.
 *
 * The store's thread must not wait for the GIL: a thread that holds it may be waiting for the store. So a message is
 * put aside under a lock of its own, held for a copy and nothing else, and passed on by the next call that has the
 * GIL anyway. That call only tries the lock: in a fork it may be held by a thread that did not come along. */
#include "messages.h"

#include "failure.h"

#include <stdio.h>

void
messages_init(struct messages *messages)
{
    pthread_mutex_init(&messages->lock, NULL);
    atomic_init(&messages->waiting, 0);
    messages->first = messages->lost = 0;
}

void
messages_receive(void *context, knackdb_severity severity, const char *text)
{
    struct messages *messages = context;
    unsigned         waiting;

    pthread_mutex_lock(&messages->lock);
    waiting = atomic_load_explicit(&messages->waiting, memory_order_relaxed);
    if (waiting == MESSAGES_KEPT)
        messages->lost++;
    else {
        unsigned place = (messages->first + waiting) % MESSAGES_KEPT;

        messages->kept[place].severity = severity;
        snprintf(messages->kept[place].text, sizeof messages->kept[place].text, "%s", text);
        atomic_store_explicit(&messages->waiting, waiting + 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&messages->lock);
}

void
messages_pass_on(struct messages *messages)
{
    while (atomic_load_explicit(&messages->waiting, memory_order_relaxed) != 0) {
        char             text[sizeof messages->kept[0].text + 64];
        knackdb_severity severity;
        PyObject        *message;

        if (pthread_mutex_trylock(&messages->lock) != 0)
            return;
        severity = messages->kept[messages->first].severity;
        snprintf(text, sizeof text, messages->lost != 0 ? "%s (%u messages before it were lost)" : "%s",
                 messages->kept[messages->first].text, messages->lost);
        messages->lost = 0;
        messages->first = (messages->first + 1) % MESSAGES_KEPT;
        atomic_fetch_sub_explicit(&messages->waiting, 1, memory_order_relaxed);
        pthread_mutex_unlock(&messages->lock);

        message = PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
        failure_log(severity == KNACKDB_LOG_ERROR     ? LOG_LEVEL_ERROR
                    : severity == KNACKDB_LOG_WARNING ? LOG_LEVEL_WARNING
                                                      : LOG_LEVEL_INFO,
                    message);
        if (message == NULL)
            PyErr_Clear();
        Py_XDECREF(message);
    }
}
