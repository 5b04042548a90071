/* A page of any bytes: what is found is no longer than the page. */

#include "input.h"

int64_t millrace_longest_value(const uint8_t *page, int64_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const int64_t longest = millrace_longest_value(bytes, (int64_t)size);
    REQUIRE(longest >= -1 && longest <= (int64_t)size);
    return 0;
}
