/* Ranges. Of doubles NaN has no place in the order and is passed over; a range from 0 begins at -0.0 and one up to 0 ends
   at 0.0, since readers may take the two for different. */

#include "parquet_range.h"

#include <math.h>

static void set_range(MillracePage *page, int64_t width)
{
    page->least = page->range;
    page->greatest = page->range + 8;
    page->least_size = width;
    page->greatest_size = width;
}

#define DEFINE_INTEGERS(name, type)                                                                                   \
    static void name(const uint8_t *values, int64_t count, MillracePage *page)                                        \
    {                                                                                                                 \
        type least, greatest, value;                                                                                  \
        memcpy(&least, values, sizeof least);                                                                         \
        greatest = least;                                                                                             \
        for (int64_t at = 1; at < count; at++) {                                                                      \
            memcpy(&value, values + at * (int64_t)sizeof value, sizeof value);                                        \
            least = value < least ? value : least;                                                                    \
            greatest = value > greatest ? value : greatest;                                                           \
        }                                                                                                             \
        memcpy(page->range, &least, sizeof least);                                                                    \
        memcpy(page->range + 8, &greatest, sizeof greatest);                                                          \
        set_range(page, sizeof least);                                                                                \
    }

#define DEFINE_FLOATS(name, type)                                                                                     \
    static void name(const uint8_t *values, int64_t count, MillracePage *page)                                        \
    {                                                                                                                 \
        type least = (type)INFINITY, greatest = -(type)INFINITY, value;                                               \
        for (int64_t at = 0; at < count; at++) {                                                                      \
            memcpy(&value, values + at * (int64_t)sizeof value, sizeof value);                                        \
            least = value < least ? value : least; /* false of NaN */                                                 \
            greatest = value > greatest ? value : greatest;                                                           \
        }                                                                                                             \
        if (least > greatest) {                                                                                       \
            return; /* NaN alone */                                                                                   \
        }                                                                                                             \
        least = least == 0 ? (type)-0.0 : least;                                                                      \
        greatest = greatest == 0 ? (type)0.0 : greatest;                                                              \
        memcpy(page->range, &least, sizeof least);                                                                    \
        memcpy(page->range + 8, &greatest, sizeof greatest);                                                          \
        set_range(page, sizeof least);                                                                                \
    }

DEFINE_INTEGERS(find_range_of_bytes, uint8_t)
DEFINE_INTEGERS(find_range_of_int32, int32_t)
DEFINE_INTEGERS(find_range_of_int64, int64_t)
DEFINE_FLOATS(find_range_of_floats, float)
DEFINE_FLOATS(find_range_of_doubles, double)

void find_range(int32_t physical, const uint8_t *values, int64_t count, MillracePage *page)
{
    if (count == 0) {
        return;
    }
    switch (physical) {
    case PHYSICAL_BOOLEAN:
        find_range_of_bytes(values, count, page);
        return;
    case PHYSICAL_INT32:
        find_range_of_int32(values, count, page);
        return;
    case PHYSICAL_INT64:
        find_range_of_int64(values, count, page);
        return;
    case PHYSICAL_FLOAT:
        find_range_of_floats(values, count, page);
        return;
    default:
        find_range_of_doubles(values, count, page);
    }
}

/* The first eight bytes as a number of the same order, zeros behind a short text: "ab" is 0x6162000000000000. */
static uint64_t load_lead(TextValue text)
{
    uint64_t word = 0;
    memcpy(&word, text.bytes, sizeof word);
    if (text.size < 8) {
        word &= text.size == 0 ? 0 : UINT64_MAX >> (64 - 8 * text.size);
    }
    return __builtin_bswap64(word);
}

static bool is_below(TextValue text, TextValue other)
{
    const int64_t common = text.size < other.size ? text.size : other.size;
    const int order = common == 0 ? 0 : memcmp(text.bytes, other.bytes, (size_t)common);
    return order != 0 ? order < 0 : text.size < other.size;
}

/* A text of no bytes at all may lie nowhere, but a range without an address is none. */
static TextValue place_text(TextValue text)
{
    return text.bytes == NULL ? (TextValue){(const uint8_t *)"", 0} : text;
}

void widen_text_range(TextValue text, MillracePage *page)
{
    text = place_text(text);
    if (page->least == NULL || is_below(text, (TextValue){page->least, page->least_size})) {
        page->least = text.bytes;
        page->least_size = text.size;
    }
    if (page->greatest == NULL || is_below((TextValue){page->greatest, page->greatest_size}, text)) {
        page->greatest = text.bytes;
        page->greatest_size = text.size;
    }
}

void find_text_range(const uint8_t *texts, int64_t count, MillracePage *page)
{
    uint64_t least = 0, greatest = 0;
    const uint8_t *at = texts;
    for (int64_t number = 0; number < count; number++) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        const TextValue text = {at + 4, size};
        const uint64_t lead = load_lead(text);
        /* Only where the first eight bytes are the same do the others matter. */
        if (number == 0 || lead <= least || lead >= greatest) {
            widen_text_range(text, page);
            least = load_lead((TextValue){page->least, page->least_size});
            greatest = load_lead((TextValue){page->greatest, page->greatest_size});
        }
        at += 4 + (int64_t)size;
    }
}
