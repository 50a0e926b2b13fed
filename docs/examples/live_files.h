/* live_files.h - real files of this machine for the examples to work on. */
#ifndef EXAMPLES_LIVE_FILES_H
#define EXAMPLES_LIVE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define LIVE_FILE_BYTES_MAX ((size_t) 256 * 1024)

/** The beginning of a file, in memory. */
struct live_file {
    char           path[256];
    unsigned char *bytes;
    size_t         size;
    bool           is_text; /**< else a program or a library */
};

struct live_files {
    struct live_file *files;
    size_t            count;
};

/** Reads up to `wanted` text files and as many binary ones from /usr and /etc, large
 *  ones first. False, with a line on stderr, where there is none of a kind. */
bool live_files_find(size_t wanted, struct live_files *ret_files);
void live_files_free(struct live_files *files);

#endif
