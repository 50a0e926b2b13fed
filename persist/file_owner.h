/* file_owner.h - whose a new file is. */
#ifndef KNACKDB_PERSIST_FILE_OWNER_H
#define KNACKDB_PERSIST_FILE_OWNER_H

/* Of a file that this process has just created in an open directory: where the process is root's and the directory is
 * not, the file becomes the directory's owner's and group's, as far as the file system lets it. */
void file_owner_settle(int dir, int file);

#endif
