/* output.h - bytes on their way to standard output or into a file. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * A large buffer before a descriptor. The first write that fails is remembered, what
 * comes after it is dropped, and output_finish() makes the complaint: nobody needs
 * to look at every byte.
 */
struct output {
    const char *command;  /**< for complaints */
    int         fd;       /**< -1 when nothing is open */
    int         os_errno; /**< of the first write that failed, else 0 */
    bool        is_on_terminal;
    char       *buffer;
    size_t      used;
    char       *path;      /**< NULL for standard output */
    char       *temporary; /**< name while it is written; NULL where it is written in place */
};

/** Opens standard output. Both opens return an exit status, after a complaint where it is not 0. */
int output_open_standard(struct output *output, const char *command);

/**
 * Opens a file for the whole of a new content: written under a temporary name beside
 * it, which output_finish() renames once all is there. What is no regular file (a
 * pipe, /dev/null) is written in place.
 */
int output_open_file(struct output *output, const char *command, const char *path);

/** Gives room for `bytes`, at most OUTPUT_ROOM_MAX, behind what is there; output_advance() says how many are used. */
char *output_room(struct output *output, size_t bytes);
void  output_advance(struct output *output, size_t bytes);
#define OUTPUT_ROOM_MAX ((size_t) 64 * 1024)

void output_put(struct output *output, const char *data, size_t length);
void output_put_string(struct output *output, const char *string);
void output_put_char(struct output *output, char c);
void output_format(struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Hands everything over to the system; false once a write has failed. */
bool output_flush(struct output *output);

/** Flushes, closes, and puts a file in its place. Returns an exit status, after a complaint where it is not 0. */
int output_finish(struct output *output);

/** Closes and removes what was written so far. Does nothing after output_finish() or on a zeroed output. */
void output_abandon(struct output *output);

#endif
