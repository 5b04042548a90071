/* How many lines end in a text: JSON lines that were written are counted by what was written. */

#include "kernel.h"

MILLRACE_EXPORT int64_t millrace_line_ends(const uint8_t *text, int64_t size)
{
    int64_t count = 0;
    for (int64_t at = 0; at < size; at++) { /* compilers compare sixteen bytes at once */
        count += text[at] == '\n';
    }
    return count;
}
