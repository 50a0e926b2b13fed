/* manifest_files.h - the manifests of a directory: found, read, published. */
#ifndef KNACKDB_PERSIST_MANIFEST_FILES_H
#define KNACKDB_PERSIST_MANIFEST_FILES_H

#include "persist/disk.h"
#include "persist/manifest.h"

/* Generations of the manifests that are there, newest first. */
struct manifest_list {
    struct allocator *allocator;
    uint64_t         *generations;
    size_t            count;
    size_t            capacity;
    bool              no_memory;
};

knackdb_status manifest_list_read(struct manifest_list *list, struct allocator *allocator, const struct dir *dir,
                                  knackdb_error *error);
void           manifest_list_clear(struct manifest_list *list);

/* Where there is no manifest. CORRUPT if parts or log segments are there all the same: a copy that was never finished,
 * or the manifest is lost. OK otherwise: there is no store. */
knackdb_status manifest_expect_no_rows(const struct dir *dir, knackdb_error *error);

/* Fills a manifest that was init'ed. NOT_FOUND where the file is gone; errors name it. */
knackdb_status manifest_file_read(struct manifest *manifest, const struct dir *dir, uint64_t generation,
                                  knackdb_error *error);

/* The same for the newest one. NOT_FOUND where there is none. Beside a writer, too. */
knackdb_status manifest_file_read_newest(struct manifest *manifest, const struct dir *dir, knackdb_error *error);

/* The same for who comes to a directory: CORRUPT where there is none, but something that only a manifest makes sense
 * of. */
knackdb_status manifest_file_find(struct manifest *manifest, const struct dir *dir, knackdb_error *error);

/* The same, if there is one newer than `generation` (*ret_newer); otherwise nothing but names is looked at. NOT_FOUND
 * without a word where there is none at all. */
knackdb_status manifest_file_read_newer(struct manifest *manifest, const struct dir *dir, uint64_t generation,
                                        bool *ret_newer, knackdb_error *error);

/* The bytes of one, into an empty buffer; for who wants to look at them himself. */
knackdb_status manifest_file_fetch(struct byte_buffer *ret_bytes, const struct dir *dir, uint64_t generation,
                                   knackdb_error *error);

/* Of the newest manifest's file, who may read and write it; its owner may do both. 0600 where there is none. */
knackdb_status manifest_file_find_mode(struct allocator *allocator, const struct dir *dir, uint32_t *ret_mode,
                                       knackdb_error *error);

/* Makes a manifest the newest of its directory: once this returns KNACKDB_OK it will be found after any crash, and
 * before that either it or the one before. What it names must be on stable storage already. */
knackdb_status manifest_file_publish(const struct manifest *manifest, const struct dir *dir, uint32_t file_mode,
                                     knackdb_error *error);

#endif
