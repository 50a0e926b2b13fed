/* memory_vfs.c - see memory_vfs.h and https://www.sqlite.org/vfs.html. There is no journal and no write-ahead log.
 *
 * SQLite also gets memory of its own, blocks of powers of two that are given again: it is not SQLite's
 * memory that AddressSanitizer is to watch, and watching it takes nine tenths of a run. */
#include "memory_vfs.h"

#include "target.h"

#include <sqlite3.h>
#include <string.h>

static const uint8_t *shown;
static size_t         shown_bytes;

static int
close_file(sqlite3_file *file)
{
    (void) file;
    return SQLITE_OK;
}

static int
read_file(sqlite3_file *file, void *to, int bytes, sqlite3_int64 offset)
{
    size_t available = (sqlite3_uint64) offset < shown_bytes ? shown_bytes - (size_t) offset : 0;

    (void) file;
    if (available >= (size_t) bytes) {
        memcpy(to, shown + offset, (size_t) bytes);
        return SQLITE_OK;
    }
    if (available > 0)
        memcpy(to, shown + offset, available);
    memset((char *) to + available, 0, (size_t) bytes - available);
    return SQLITE_IOERR_SHORT_READ;
}

static int
write_file(sqlite3_file *file, const void *from, int bytes, sqlite3_int64 offset)
{
    (void) file;
    (void) from;
    (void) bytes;
    (void) offset;
    return SQLITE_READONLY;
}

static int
truncate_file(sqlite3_file *file, sqlite3_int64 bytes)
{
    (void) file;
    (void) bytes;
    return SQLITE_READONLY;
}

static int
sync_file(sqlite3_file *file, int flags)
{
    (void) file;
    (void) flags;
    return SQLITE_OK;
}

static int
size_file(sqlite3_file *file, sqlite3_int64 *ret_bytes)
{
    (void) file;
    *ret_bytes = (sqlite3_int64) shown_bytes;
    return SQLITE_OK;
}

static int
lock_file(sqlite3_file *file, int level)
{
    (void) file;
    (void) level;
    return SQLITE_OK;
}

static int
is_reserved(sqlite3_file *file, int *ret_reserved)
{
    (void) file;
    *ret_reserved = 0;
    return SQLITE_OK;
}

static int
control_file(sqlite3_file *file, int operation, void *argument)
{
    (void) file;
    (void) operation;
    (void) argument;
    return SQLITE_NOTFOUND;
}

static int
sector_size(sqlite3_file *file)
{
    (void) file;
    return 4096;
}

static int
characteristics(sqlite3_file *file)
{
    (void) file;
    return SQLITE_IOCAP_IMMUTABLE;
}

static int
open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = close_file,
        .xRead = read_file,
        .xWrite = write_file,
        .xTruncate = truncate_file,
        .xSync = sync_file,
        .xFileSize = size_file,
        .xLock = lock_file,
        .xUnlock = lock_file,
        .xCheckReservedLock = is_reserved,
        .xFileControl = control_file,
        .xSectorSize = sector_size,
        .xDeviceCharacteristics = characteristics,
    };

    (void) vfs;
    (void) name;
    file->pMethods = NULL;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0)
        return SQLITE_CANTOPEN;
    file->pMethods = &methods;
    if (ret_flags != NULL)
        *ret_flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    return SQLITE_OK;
}

static int
delete_file(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void) vfs;
    (void) name;
    (void) sync_dir;
    return SQLITE_OK;
}

static int
access_file(sqlite3_vfs *vfs, const char *name, int flags, int *ret_there)
{
    (void) vfs;
    (void) name;
    (void) flags;
    *ret_there = 0; /* asked of journals */
    return SQLITE_OK;
}

static int
full_name(sqlite3_vfs *vfs, const char *name, int capacity, char *to)
{
    (void) vfs;
    (void) sqlite3_snprintf(capacity, to, "%s", name);
    return SQLITE_OK;
}

/* ---- memory ---- */

#define SIZES      40
#define HEAD_BYTES 16

struct block {
    struct block *next; /* while it is free */
    size_t        power;
};

static struct block *free_blocks[SIZES];

static void *
get_block(int bytes)
{
    size_t        power = 5;
    struct block *block;

    while (((size_t) 1 << power) < (size_t) bytes + HEAD_BYTES)
        power++;
    block = free_blocks[power];
    if (block != NULL)
        free_blocks[power] = block->next;
    else
        block = malloc((size_t) 1 << power);
    if (block == NULL)
        return NULL;
    block->power = power;
    return (char *) block + HEAD_BYTES;
}

static struct block *
block_of(void *memory)
{
    return (struct block *) (void *) ((char *) memory - HEAD_BYTES);
}

static void
put_block(void *memory)
{
    struct block *block = block_of(memory);

    block->next = free_blocks[block->power];
    free_blocks[block->power] = block;
}

static int
block_bytes(void *memory)
{
    return (int) (((size_t) 1 << block_of(memory)->power) - HEAD_BYTES);
}

static void *
resize_block(void *memory, int bytes)
{
    void *moved;

    if (bytes <= block_bytes(memory))
        return memory;
    moved = get_block(bytes);
    if (moved == NULL)
        return NULL;
    memcpy(moved, memory, (size_t) block_bytes(memory));
    put_block(memory);
    return moved;
}

static int
round_up(int bytes)
{
    return (bytes + 7) & ~7;
}

static int
begin_memory(void *context)
{
    (void) context;
    return SQLITE_OK;
}

static void
end_memory(void *context)
{
    (void) context;
}

void
memory_vfs_show(const uint8_t *data, size_t size)
{
    static sqlite3_vfs               vfs;
    static const sqlite3_mem_methods memory = {
        .xMalloc = get_block,
        .xFree = put_block,
        .xRealloc = resize_block,
        .xSize = block_bytes,
        .xRoundup = round_up,
        .xInit = begin_memory,
        .xShutdown = end_memory,
    };

    shown = data;
    shown_bytes = size;
    if (vfs.iVersion != 0)
        return;
    CLAIM(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) == SQLITE_OK);
    CLAIM(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    CLAIM(sqlite3_initialize() == SQLITE_OK);
    vfs = *sqlite3_vfs_find(NULL); /* its clock and its random numbers */
    vfs.szOsFile = (int) sizeof(sqlite3_file);
    vfs.zName = "bytes";
    vfs.pNext = NULL;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_name;
    CLAIM(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}
