/* header.c - the public header, alone, as a strict C11 program and as a C++17 program meet it. */
#include <knackdb.h>

int
main(void)
{
    knackdb_options   options = knackdb_options_default();
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "sort");

    return options.struct_size == sizeof options && condition.value.type == KNACKDB_TEXT ? 0 : 1;
}
