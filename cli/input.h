/* input.h - a file's bytes as a window that moves over them, unpacked where they are gzip. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct input;

/** Longest stretch a reader may need to see at once: a row of several texts of 16 MiB, all of it escapes. */
#define INPUT_WINDOW_BYTES_MAX ((size_t) 1 << 30)

/**
 * Opens a file; `-` is standard input. Where it `must_rewind`, standard input and
 * pipes are first copied into a nameless file. Gives an exit status, after a complaint
 * where it is not 0.
 */
int input_open(const char *command, const char *path, bool must_rewind, struct input **ret_input);

/** NULL is accepted. */
void input_close(struct input *input);

/** The window: bytes not yet taken. They may be changed in place. */
char *input_window(struct input *input, size_t *ret_length, bool *ret_is_all);

/** Takes bytes from the front of the window. */
void input_take(struct input *input, size_t bytes);

/** Moves the window's bytes (pointers into it end here) and reads more behind them. False after a complaint. */
bool input_read_more(struct input *input);

/** Begins again from the first byte. False after a complaint. */
bool input_rewind(struct input *input);

/** The path, or "standard input". */
const char *input_name(const struct input *input);

#endif
