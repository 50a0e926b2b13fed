"""What a strict database raises. Every class but Error belongs to one status of the store."""


class Error(Exception):
    """Something knackdb could not do; its text says what, where and why."""


class NotFoundError(Error, LookupError):
    """There is no such thing."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed; nothing was changed."""


class InvalidError(Error, ValueError):
    """A value that cannot be stored or asked for; the text names the column."""


class DiskError(Error, OSError):
    """The system failed: a disk that is full, a file that may not be read."""


class CorruptError(Error):
    """Stored bytes failed a check; the text names file and offset."""


class UnsupportedError(Error):
    """Sound files of a newer version, left untouched."""


class BusyError(Error):
    """Another process writes this directory; the text names its pid."""


class ExistsError(Error):
    """The id is there already, and only new ones were asked for."""


class FullError(Error):
    """The memory limit, or a limit of the table, is reached; nothing was changed."""


class ReadOnlyError(Error):
    """The database was opened read-only."""


class ForkedError(Error):
    """This process is a fork of the one that opened the database."""


class ClosedError(Error):
    """The database is not open: before initialize(), or after shutdown()."""


# The numbers are those of knackdb_status, which never change. The two words are for the extension.
BY_STATUS = {
    1: NotFoundError, 2: OutOfMemoryError, 3: InvalidError, 4: DiskError, 5: CorruptError, 6: UnsupportedError,
    7: BusyError, 8: ExistsError, 9: FullError, 10: ReadOnlyError, 11: ForkedError,
    "invalid": InvalidError, "closed": ClosedError,
}
