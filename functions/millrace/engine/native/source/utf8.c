/* UTF-8 check: sixteen ASCII bytes at once, other characters one by one. */

#include "utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load_word(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word); /* compilers make one load of it, at any address */
    return word;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the character at `text`, which does not begin in ASCII: 2, 3 or 4; or 0 if it is none.

   The second byte alone rules out what is too long, a surrogate or beyond U+10FFFF (Unicode, table 3-7):
       E0 A0..BF, as E0 80..9F would fit in two bytes     ED 80..9F, as ED A0..BF are the surrogates D800..DFFF
       F0 90..BF, as F0 80..8F would fit in three bytes   F4 80..8F, as F4 90.. is beyond U+10FFFF */
static int64_t measure_character(const uint8_t *text, int64_t size)
{
    const uint8_t first = text[0];
    if (first < 0xC2 || first > 0xF4 || size < 2 || !is_continuation(text[1])) {
        return 0; /* 80..BF continue a character, C0 and C1 would fit in one byte */
    }
    if (first < 0xE0) {
        return 2;
    }
    const uint8_t second = text[1];
    const bool is_refused = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                            (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    if (is_refused || size < 3 || !is_continuation(text[2])) {
        return 0;
    }
    if (first < 0xF0) {
        return 3;
    }
    return size >= 4 && is_continuation(text[3]) ? 4 : 0;
}

int64_t measure_utf8(const uint8_t *text, int64_t size)
{
    int64_t at = 0;
    while (at < size) {
        while (size - at >= 16 && ((load_word(text + at) | load_word(text + at + 8)) & HIGH_BITS) == 0) {
            at += 16;
        }
        /* Up to sixteen bytes here, and then the words again: text in a Latin script is mostly ASCII. */
        const int64_t stop = size - at > 16 ? at + 16 : size;
        while (at < stop) {
            const int64_t length = text[at] < 0x80 ? 1 : measure_character(text + at, size - at);
            if (length == 0) {
                return at;
            }
            at += length;
        }
    }
    return at;
}

/* The same for Python: the offset of the first byte that is no UTF-8, or `size`. */
MILLRACE_EXPORT int64_t millrace_utf8(const uint8_t *text, int64_t size)
{
    return measure_utf8(text, size);
}
