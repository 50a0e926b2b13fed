/* interrupts.c - see interrupts.h. */
#define _GNU_SOURCE /* sigaction */
#include "interrupts.h"

#include <signal.h>
#include <stddef.h>

void
interrupts_take(void (*handler)(int number), unsigned flags)
{
    static const int interrupts[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = handler, .sa_flags = (int) flags };

    (void) sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof interrupts / sizeof interrupts[0]; i++) {
        struct sigaction before;

        if (sigaction(interrupts[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            (void) sigaction(interrupts[i], &action, NULL);
    }
}
