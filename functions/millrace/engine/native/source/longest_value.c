/* How long the longest value of a dictionary page of Parquet is: it bounds what a batch of rows can take. */

#include "kernel.h"

/* The page's values lie behind each other, each as its length in four bytes, the lowest first, and its bytes:
   02 00 00 00 "ab"  00 00 00 00  01 00 00 00 "c" are ab, the empty text and c. Gives -1 if the bytes are no such page. */
MILLRACE_EXPORT int64_t millrace_longest_value(const uint8_t *page, int64_t size)
{
    int64_t longest = 0;
    int64_t at = 0;
    while (size - at >= 4) {
        uint32_t length;
        memcpy(&length, page + at, 4);
        at += 4;
        if (length > size - at) {
            return -1;
        }
        at += length;
        longest = longest > length ? longest : length;
    }
    return at == size ? longest : -1;
}
