/* interrupts.h - what ends a command from outside: SIGINT, SIGTERM and SIGHUP. */
#ifndef CLI_INTERRUPTS_H
#define CLI_INTERRUPTS_H

/** Has `handler` called at each of them, but for those the process was started to ignore. `flags`: sa_flags. */
void interrupts_take(void (*handler)(int number), unsigned flags);

#endif
