/* interrupts.h - what ends a command from outside: SIGINT, SIGTERM and SIGHUP. */
#ifndef CLI_INTERRUPTS_H
#define CLI_INTERRUPTS_H

/** Has `handler` called at each of them, but for those that the caller has ignored, which stay so. `flags`: sa_flags. */
void interrupts_take(void (*handler)(int number), unsigned flags);

#endif
