/* Any bytes as the pages of a column: what is read ends, and stays within them. */

#include "input.h"

int32_t millrace_largest_page(const uint8_t *bytes, int64_t size, int64_t *largest);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int64_t largest = -1;
    const int32_t code = millrace_largest_page(bytes, (int64_t)size, &largest);
    REQUIRE(code == MILLRACE_OK || code == MILLRACE_IRREGULAR);
    REQUIRE(size > 0 || largest == 0);
    return 0;
}
