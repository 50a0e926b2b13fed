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

static void
hear_name(void *context, const char *name)
{
    struct manifest_list *list = context;
    uint64_t              generation;
    size_t                at;

    if (file_name_read(name, &generation) != FILE_MANIFEST)
        return;
    if (list->count == list->capacity) {
        size_t    capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        uint64_t *moved = allocator_resize(list->allocator, list->generations, list->capacity * sizeof *moved,
                                           capacity * sizeof *moved);

        if (moved == NULL) {
            list->no_memory = true;
            return;
        }
        list->generations = moved;
        list->capacity = capacity;
    }
    for (at = list->count; at > 0 && list->generations[at - 1] < generation; at--)
        list->generations[at] = list->generations[at - 1];
    list->generations[at] = generation;
    list->count++;
}

knackdb_status
manifest_list_read(struct manifest_list *list, struct allocator *allocator, const struct dir *dir,
                   knackdb_error *error)
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

knackdb_status
manifest_file_read(struct manifest *manifest, const struct dir *dir, uint64_t generation, knackdb_error *error)
{
    struct file    file = { 0 };
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_error  why = { 0 };
    unsigned char *data = NULL;
    size_t         capacity = 0;
    uint64_t       bytes;
    size_t         read;
    knackdb_status status;

    file_name_write(name, FILE_MANIFEST, generation);
    status = file_open(dir, name, DISK_READ, 0, &file, error);
    if (status == KNACKDB_OK)
        status = file_size(&file, &bytes, error);
    if (status != KNACKDB_OK)
        goto out;
    if (bytes == 0 || bytes > MANIFEST_BYTES_MAX) {
        status = error_set(error, KNACKDB_CORRUPT, "%s/%s: offset 0: this is not a manifest", dir->path, name);
        goto out;
    }
    capacity = (size_t) bytes;
    data = allocator_get(manifest->allocator, capacity);
    if (data == NULL) {
        status = error_no_memory(error, "the manifest");
        goto out;
    }
    status = file_read(&file, 0, data, capacity, &read, error);
    if (status != KNACKDB_OK)
        goto out;
    status = manifest_read(manifest, data, read, &why);
    if (status == KNACKDB_OK && manifest->generation != generation)
        status = error_set(&why, KNACKDB_CORRUPT, "offset 40: its name belongs to another manifest");
    if (status != KNACKDB_OK)
        (void) error_set(error, status, "%s/%s: %s", dir->path, name, why.message);

out:
    allocator_put(manifest->allocator, data, capacity);
    file_close(&file);
    if (status != KNACKDB_OK)
        manifest_clear(manifest);
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
