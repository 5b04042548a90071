/* The UTF-8 check against one that decodes each character and compares numbers. */

#include "../../../functions/millrace/engine/native/source/utf8.h"
#include "input.h"

static int64_t decode_slowly(const uint8_t *text, int64_t size, int64_t at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = text[at];
    const int64_t length = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 0;
    if (length < 2) {
        return length;
    }
    uint32_t character = first & (0xFFu >> (length + 1));
    for (int64_t next = at + 1; next < at + length; next++) {
        if (next >= size || (text[next] & 0xC0) != 0x80) {
            return 0;
        }
        character = character << 6 | (text[next] & 0x3F);
    }
    const bool is_surrogate = character >= 0xD800 && character < 0xE000;
    return character < least[length] || character > 0x10FFFF || is_surrogate ? 0 : length;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int64_t at = 0;
    while (at < (int64_t)size) {
        const int64_t length = decode_slowly(bytes, (int64_t)size, at);
        if (length == 0) {
            break;
        }
        at += length;
    }
    REQUIRE(measure_utf8(bytes, (int64_t)size) == at);
    return 0;
}
