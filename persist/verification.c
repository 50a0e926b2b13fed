/* verification.c - manifests, then what they name, then the log.
 *
 * Files are checked if a reader could come to depend on them: every manifest that is there, the
 * parts they name, every log segment. A part that no manifest names is a snapshot being
 * written, or one that was never finished, and means nothing; so do unfinished files. What was
 * cut from a log and set aside has no form that could be checked. Other people's files are
 * theirs. */
#include "persist/verification_state.h"

#include "base/error.h"
#include "persist/directory.h"
#include "persist/file_name.h"
#include "persist/manifest_files.h"

#include <string.h>

/* One manifest and its parts. *ret_read: it could be read, and is in `manifest`. */
static knackdb_status
verify_manifest(struct verification *verification, uint64_t generation, struct manifest *manifest, bool *ret_read,
                knackdb_error *error)
{
    struct byte_buffer bytes;
    char               name[DISK_NAME_BYTES_MAX];
    knackdb_error      why = { 0 };
    size_t             offset = 0;
    knackdb_status     status;

    *ret_read = false;
    file_name_write(name, FILE_MANIFEST, generation);
    byte_buffer_init(&bytes, verification->allocator);
    status = manifest_file_fetch(&bytes, &verification->dir, generation, &why);
    if (status == KNACKDB_NOT_FOUND) { /* replaced meanwhile */
        status = KNACKDB_OK;
        goto out;
    }
    if (status == KNACKDB_OK) {
        verification->report.file_count++;
        verification->report.byte_count += bytes.bytes;
        status = manifest_read(manifest, bytes.data, bytes.bytes, &offset, &why);
        if (status == KNACKDB_OK && manifest->generation != generation) {
            offset = 40;
            status = error_set(&why, KNACKDB_CORRUPT, "its name belongs to another manifest");
        }
    }
    if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED) {
        verify_fault(verification, status, name, offset, "%s", why.message);
        status = KNACKDB_OK;
    } else if (status != KNACKDB_OK) {
        if (error != NULL)
            *error = why;
    } else if (manifest->schema_version > verification->options->schema->version) {
        verify_fault(verification, KNACKDB_UNSUPPORTED, name, 96, "schema version %u; this library knows up to %u",
                     (unsigned) manifest->schema_version, (unsigned) verification->options->schema->version);
    } else {
        *ret_read = true;
        status = verify_parts(verification, manifest, error);
    }

out:
    byte_buffer_clear(&bytes);
    return status;
}

static knackdb_status
verify_all(struct verification *verification, const struct manifest_list *list, knackdb_error *error)
{
    struct manifest newest;
    struct manifest older;
    knackdb_status  status = KNACKDB_OK;
    bool            has_newest = false;
    bool            read;

    manifest_init(&newest, verification->allocator);
    manifest_init(&older, verification->allocator);
    for (size_t i = 0; i < list->count && status == KNACKDB_OK; i++) {
        manifest_clear(&older);
        status = verify_manifest(verification, list->generations[i], has_newest ? &older : &newest, &read, error);
        has_newest |= read;
        if (!has_newest)
            manifest_clear(&newest);
    }
    /* Without a manifest nobody knows which store the log is of, and that is a fault already told. */
    if (status == KNACKDB_OK && has_newest)
        status = verify_log(verification, &newest, error);
    manifest_clear(&newest);
    manifest_clear(&older);
    return status;
}

/* The manifests there are. Where there is none, but something that only a manifest makes sense of, that is the fault;
 * NOT_FOUND where there is no store. */
static knackdb_status
find_manifests(struct verification *verification, struct manifest_list *list, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    knackdb_status found;
    knackdb_status status = manifest_list_read(list, verification->allocator, &verification->dir, error);

    if (status != KNACKDB_OK || list->count > 0)
        return status;
    found = manifest_expect_no_rows(&verification->dir, &why);
    if (found == KNACKDB_CORRUPT) /* unless somebody began a store here between the two looks */
        status = manifest_list_read(list, verification->allocator, &verification->dir, error);
    if (status != KNACKDB_OK || list->count > 0)
        return status;
    if (found == KNACKDB_CORRUPT) {
        verify_fault(verification, found, "manifest-*.knm", 0,
                     "there are rows here, but no manifest: it is lost, or this is a copy that was never finished");
        return KNACKDB_OK;
    }
    if (found == KNACKDB_OK)
        return error_set(error, KNACKDB_NOT_FOUND, "%s: there is no store in this directory", verification->dir.path);
    if (error != NULL)
        *error = why;
    return found;
}

knackdb_status
verify_directory(struct allocator *allocator, const char *path, const struct verify_options *options,
                 knackdb_verify_report *ret_report, knackdb_error *error)
{
    struct verification *verification = allocator_get_zeroed(allocator, sizeof *verification);
    struct manifest_list list = { 0 };
    knackdb_status       status;
    bool                 made;

    if (verification == NULL)
        return error_no_memory(error, "a verification");
    verification->allocator = allocator;
    verification->options = options;
    verification->dir.handle = DISK_NONE;
    status = directory_open(options->disk, path, false, 0, &verification->dir, &made, error);
    if (status == KNACKDB_OK)
        status = find_manifests(verification, &list, error);
    if (status == KNACKDB_OK)
        status = verify_all(verification, &list, error);
    if (status == KNACKDB_OK && ret_report != NULL)
        *ret_report = verification->report;
    if (status == KNACKDB_OK && verification->report.fault_count > 0)
        status = error_set(error, KNACKDB_CORRUPT, "%s: %llu faults", path,
                           (unsigned long long) verification->report.fault_count);
    manifest_list_clear(&list);
    dir_close(&verification->dir);
    allocator_put(allocator, verification, sizeof *verification);
    return status;
}
