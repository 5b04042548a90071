/* DELTA_BINARY_PACKED. Example of 7, 5, 3, 1, 2: the head has the first value, 7; the differences are -2, -2, -2, 1; the
   least is -2, so that 0, 0, 0, 3 are stored in 2 bits each. A block has four parts, each with a width of its own. */

#include "parquet_delta.h"

#define PARTS 4
#define MOST_BLOCK 256

/* As Arrow has them; the head of a page says them, so that any reader knows. */
static int64_t find_block(int64_t width)
{
    return width == 4 ? 128 : 256;
}

static int64_t put_number(uint8_t *out, uint64_t number)
{
    int64_t size = 0;
    for (; number > 127; number >>= 7) {
        out[size++] = (uint8_t)(number | 128);
    }
    out[size++] = (uint8_t)number;
    return size;
}

/* 0, -1, 1, -2 are stored as 0, 1, 2, 3. */
static int64_t put_signed(uint8_t *out, int64_t number)
{
    return put_number(out, (uint64_t)number << 1 ^ (uint64_t)(number >> 63));
}

/* Packs numbers of up to 64 bits, the first the lowest; gives the number of bytes. */
static int64_t pack_numbers(const uint64_t *numbers, int64_t count, int32_t width, uint8_t *out)
{
    uint64_t word = 0;
    int32_t held = 0;
    int64_t size = 0;
    for (int64_t at = 0; at < count && width > 0; at++) {
        word |= numbers[at] << held;
        held += width;
        if (held >= 64) {
            memcpy(out + size, &word, sizeof word);
            size += 8;
            held -= 64;
            /* What did not go into the full word; a shift by 64 would be undefined. */
            word = held > 0 ? numbers[at] >> (width - held) : 0;
        }
    }
    memcpy(out + size, &word, sizeof word);
    return size + (held + 7) / 8;
}

static int32_t count_bits(uint64_t number)
{
    return number == 0 ? 0 : 64 - __builtin_clzll(number);
}

/* Writes the differences of one block, of which the last of a page may be short; missing ones are stored as 0. */
static int64_t put_block(const int64_t *deltas, int64_t count, int64_t block, uint8_t *out)
{
    uint64_t numbers[MOST_BLOCK];
    const int64_t part = block / PARTS;
    int64_t least = deltas[0];
    for (int64_t at = 1; at < count; at++) {
        least = deltas[at] < least ? deltas[at] : least;
    }
    for (int64_t at = 0; at < block; at++) {
        numbers[at] = at < count ? (uint64_t)deltas[at] - (uint64_t)least : 0;
    }
    int64_t size = put_signed(out, least);
    uint8_t *widths = out + size;
    size += PARTS;
    for (int64_t number = 0; number < PARTS; number++) {
        uint64_t all = 0; /* has the highest bit of the largest */
        for (int64_t at = number * part; at < (number + 1) * part; at++) {
            all |= numbers[at];
        }
        widths[number] = (uint8_t)count_bits(all);
        if (number * part < count) {
            size += pack_numbers(numbers + number * part, part, widths[number], out + size);
        }
    }
    return size;
}

static int64_t load_value(const uint8_t *values, int64_t at, int64_t width)
{
    int64_t value = 0;
    int32_t half = 0;
    if (width == 8) {
        memcpy(&value, values + at * 8, sizeof value);
        return value;
    }
    memcpy(&half, values + at * 4, sizeof half);
    return half;
}

/* The differences of values of one width, which wrap around like the unsigned numbers of that width. */
static void fill_deltas(const uint8_t *values, int64_t count, int64_t width, int64_t *deltas)
{
    for (int64_t at = 0; at < count; at++) {
        const uint64_t next = (uint64_t)load_value(values, at + 1, width), value = (uint64_t)load_value(values, at, width);
        deltas[at] = width == 8 ? (int64_t)(next - value) : (int32_t)(uint32_t)(next - value);
    }
}

int64_t encode_delta(const uint8_t *values, int64_t count, int64_t width, uint8_t *out)
{
    int64_t deltas[MOST_BLOCK];
    const int64_t block = find_block(width);
    int64_t size = put_number(out, (uint64_t)block);
    size += put_number(out + size, PARTS);
    size += put_number(out + size, (uint64_t)count);
    size += put_signed(out + size, count > 0 ? load_value(values, 0, width) : 0);
    for (int64_t first = 0; first + 1 < count; first += block) {
        const int64_t left = count - 1 - first;
        const int64_t here = left < block ? left : block;
        fill_deltas(values + first * width, here, width, deltas);
        size += put_block(deltas, here, block, out + size);
    }
    return size;
}
