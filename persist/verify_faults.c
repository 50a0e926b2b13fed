/* verify_faults.c - what a verification finds, counted and told as it is found. */
#include "persist/verification_state.h"

#include <stdarg.h>
#include <stdio.h>

void
verify_fault(struct verification *verification, knackdb_status status, const char *file, uint64_t offset,
             const char *format, ...)
{
    char          reason[500];
    knackdb_fault fault = { .status = status, .file = file, .offset = offset, .reason = reason };
    va_list       arguments;

    verification->report.fault_count++;
    if (verification->options->on_fault == NULL)
        return;
    va_start(arguments, format);
    (void) vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    verification->options->on_fault(verification->options->context, &fault);
}
