/* counted_exit.c - in a build that counts what is reached: a child that ends by _exit() writes its counts first. The
 * linker brings the calls here. */
#include <unistd.h>

void           __gcov_dump(void); /* gcc's */
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

void
__wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
