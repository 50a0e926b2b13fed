/* manifest_files.c - a new manifest takes effect by appearing.
 *
 * Each has a name of its own, made from its generation, and the highest generation
 * counts; older ones stay as long as the options keep their snapshots. It is
 * written under an unfinished name, synced, renamed, and the directory synced: after
 * a crash at any moment the newest finished one is whole and so is all that it
 * names. A finished manifest that does not read is damage, never a crash's work, and is
 * reported: falling back to an older one could lose what its log no longer has. */
#include "persist/manifest_files.h"

#include "base/error.h"
#include "persist/file_name.h"

#include <string.h>

/* A writer would have to replace the manifest in each of these short moments. */
#define TRIES_MAX 100

static void
hear_name(void *context, const char *name)
{
    struct manifest_list *list = context;
    uint64_t             *generations;
    uint64_t              generation;
    size_t                at;

    if (file_name_read(name, &generation) != FILE_MANIFEST)
        return;
    generations =
        allocator_make_room(list->allocator, list->generations, list->count + 1, &list->capacity, sizeof *generations);
    if (generations == NULL) {
        list->no_memory = true;
        return;
    }
    list->generations = generations;
    for (at = list->count; at > 0 && list->generations[at - 1] < generation; at--)
        list->generations[at] = list->generations[at - 1];
    list->generations[at] = generation;
    list->count++;
}

knackdb_status
manifest_list_read(struct manifest_list *list, struct allocator *allocator, const struct dir *dir, knackdb_error *error)
{
    knackdb_status status;

    memset(list, 0, sizeof *list);
    list->allocator = allocator;
    status = dir_list(dir, hear_name, list, error);
    if (status == KNACKDB_OK && list->no_memory)
        status = error_no_memory(error, "the list of manifests");
    if (status != KNACKDB_OK)
        manifest_list_clear(list);
    return status;
}

void
manifest_list_clear(struct manifest_list *list)
{
    if (list->allocator != NULL)
        allocator_put(list->allocator, list->generations, list->capacity * sizeof *list->generations);
    memset(list, 0, sizeof *list);
}

static void
hear_rows(void *context, const char *name)
{
    bool          *found = context;
    uint64_t       number;
    enum file_kind kind = file_name_read(name, &number);

    *found |= kind == FILE_LOG || kind == FILE_PART;
}

knackdb_status
manifest_expect_no_rows(const struct dir *dir, knackdb_error *error)
{
    bool           found = false;
    knackdb_status status = dir_list(dir, hear_rows, &found, error);

    if (status == KNACKDB_OK && found)
        status = error_set(error, KNACKDB_CORRUPT,
                           "%s: there are rows here, but no manifest: it is lost, or this is a copy "
                           "that was never finished",
                           dir->path);
    return status;
}

knackdb_status
manifest_file_fetch(struct byte_buffer *ret_bytes, const struct dir *dir, uint64_t generation, knackdb_error *error)
{
    struct file    file = { 0 };
    char           name[DISK_NAME_BYTES_MAX];
    uint64_t       bytes = 0;
    knackdb_status status;

    file_name_write(name, FILE_MANIFEST, generation);
    status = file_open(dir, name, DISK_READ, 0, &file, error);
    if (status == KNACKDB_OK)
        status = file_size(&file, &bytes, error);
    if (status == KNACKDB_OK && bytes > MANIFEST_BYTES_MAX)
        status = error_set(error, KNACKDB_CORRUPT, "%s/%s: offset 0: this is not a manifest", dir->path, name);
    if (status == KNACKDB_OK && !byte_buffer_reserve(ret_bytes, (size_t) bytes + 1))
        status = error_no_memory(error, "the manifest");
    if (status == KNACKDB_OK)
        status = file_read(&file, 0, ret_bytes->data, (size_t) bytes, &ret_bytes->bytes, error);
    file_close(&file);
    return status;
}

knackdb_status
manifest_file_read(struct manifest *manifest, const struct dir *dir, uint64_t generation, knackdb_error *error)
{
    struct byte_buffer bytes;
    char               name[DISK_NAME_BYTES_MAX];
    knackdb_error      why = { 0 };
    size_t             offset = 0;
    knackdb_status     status;

    file_name_write(name, FILE_MANIFEST, generation);
    byte_buffer_init(&bytes, manifest->allocator);
    status = manifest_file_fetch(&bytes, dir, generation, error);
    if (status != KNACKDB_OK)
        goto out;
    status = manifest_read(manifest, bytes.data, bytes.bytes, &offset, &why);
    if (status == KNACKDB_OK && manifest->generation != generation) {
        offset = 40;
        status = error_set(&why, KNACKDB_CORRUPT, "its name belongs to another manifest");
    }
    if (status != KNACKDB_OK) {
        (void) error_set(error, status, "%s/%s: offset %zu: %s", dir->path, name, offset, why.message);
        manifest_clear(manifest);
    }

out:
    byte_buffer_clear(&bytes);
    return status;
}

knackdb_status
manifest_file_read_newest(struct manifest *manifest, const struct dir *dir, knackdb_error *error)
{
    struct manifest_list list;
    knackdb_status       status;

    for (int tries = 0; tries < TRIES_MAX; tries++) {
        status = manifest_list_read(&list, manifest->allocator, dir, error);
        if (status != KNACKDB_OK)
            return status;
        if (list.count == 0)
            return error_set(error, KNACKDB_NOT_FOUND, "%s: there is no store in this directory", dir->path);
        status = manifest_file_read(manifest, dir, list.generations[0], error);
        manifest_list_clear(&list);
        if (status != KNACKDB_NOT_FOUND)
            return status;
    }
    return error_set(error, KNACKDB_BUSY, "%s: snapshots follow each other too fast to read one", dir->path);
}

knackdb_status
manifest_file_find(struct manifest *manifest, const struct dir *dir, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    knackdb_status found = KNACKDB_OK;

    for (int looks = 0; looks < 2; looks++) { /* somebody may have begun a store in between */
        knackdb_status status = manifest_file_read_newest(manifest, dir, error);

        if (status == KNACKDB_NOT_FOUND)
            found = manifest_expect_no_rows(dir, &why);
        if (status != KNACKDB_NOT_FOUND || found == KNACKDB_OK)
            return status;
    }
    if (error != NULL)
        *error = why;
    return found;
}

knackdb_status
manifest_file_read_newer(struct manifest *manifest, const struct dir *dir, uint64_t generation, bool *ret_newer,
                         knackdb_error *error)
{
    struct manifest_list list;
    knackdb_status       status = manifest_list_read(&list, manifest->allocator, dir, error);

    if (status != KNACKDB_OK)
        return status;
    *ret_newer = list.count > 0 && list.generations[0] > generation;
    if (list.count == 0)
        return KNACKDB_NOT_FOUND;
    manifest_list_clear(&list);
    return *ret_newer ? manifest_file_read_newest(manifest, dir, error) : KNACKDB_OK;
}

knackdb_status
manifest_file_find_mode(struct allocator *allocator, const struct dir *dir, uint32_t *ret_mode, knackdb_error *error)
{
    struct manifest_list list;
    struct file          file = { 0 };
    char                 name[DISK_NAME_BYTES_MAX];
    knackdb_error        why = { 0 };
    uint32_t             mode = 0;
    knackdb_status       status = KNACKDB_NOT_FOUND;

    for (int tries = 0; status == KNACKDB_NOT_FOUND && tries < TRIES_MAX; tries++) {
        status = manifest_list_read(&list, allocator, dir, &why);
        if (status != KNACKDB_OK || list.count == 0)
            break;
        file_name_write(name, FILE_MANIFEST, list.generations[0]);
        manifest_list_clear(&list);
        status = file_open(dir, name, DISK_READ, 0, &file, &why);
        if (status == KNACKDB_OK)
            status = file_find_mode(&file, &mode, &why);
        file_close(&file);
    }
    if (status == KNACKDB_OK)
        *ret_mode = mode | 0600;
    else if (error != NULL)
        *error = why;
    return status;
}

knackdb_status
manifest_file_publish(const struct manifest *manifest, const struct dir *dir, uint32_t file_mode, knackdb_error *error)
{
    struct byte_buffer bytes;
    struct file        file = { 0 };
    char               name[DISK_NAME_BYTES_MAX];
    char               unfinished[DISK_NAME_BYTES_MAX];
    knackdb_status     status;

    file_name_write(name, FILE_MANIFEST, manifest->generation);
    file_name_write_unfinished(unfinished, name);
    byte_buffer_init(&bytes, manifest->allocator);
    manifest_write(manifest, &bytes);
    if (bytes.failed) {
        status = error_no_memory(error, "the manifest");
        goto out;
    }
    status = file_open(dir, unfinished, DISK_CREATE, file_mode, &file, error);
    if (status != KNACKDB_OK)
        goto out;
    status = file_write(&file, 0, bytes.data, bytes.bytes, error);
    if (status == KNACKDB_OK)
        status = file_sync(&file, error);
    /* The names of its parts before its own: a rename may reach the disk ahead of them. */
    if (status == KNACKDB_OK && manifest->part_count > 0)
        status = dir_sync(dir, error);
    if (status == KNACKDB_OK)
        status = dir_rename(dir, unfinished, name, error);
    if (status == KNACKDB_OK)
        status = dir_sync(dir, error);
    if (status != KNACKDB_OK)
        (void) dir_remove(dir, unfinished, NULL);

out:
    file_close(&file);
    byte_buffer_clear(&bytes);
    return status;
}
