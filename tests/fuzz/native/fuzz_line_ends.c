/* Any bytes: no more lines end than there are bytes, and one more with one more line end. */

#include "input.h"

int64_t millrace_line_ends(const uint8_t *text, int64_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const int64_t count = millrace_line_ends(bytes, (int64_t)size);
    REQUIRE(count >= 0 && count <= (int64_t)size);
    if (size > 0) {
        REQUIRE(count == millrace_line_ends(bytes, (int64_t)size - 1) + (bytes[size - 1] == '\n'));
    }
    return 0;
}
