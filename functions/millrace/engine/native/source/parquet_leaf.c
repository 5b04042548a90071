/* The rows of a leaf, batch after batch, and their values without nulls. */

#include "parquet_leaf.h"

bool next_piece(const MillraceLeaf *leaf, int64_t *batch, int64_t *row, int64_t most, Piece *piece)
{
    while (*batch < leaf->batch_count && *row >= leaf->batches[*batch]->length) {
        (*batch)++;
        *row = 0;
    }
    if (*batch >= leaf->batch_count || most <= 0) {
        return false;
    }
    const struct ArrowArray *array = leaf->batches[*batch]->children[leaf->column];
    const int64_t left = array->length - *row;
    piece->array = array;
    piece->validity = array->null_count == 0 ? NULL : array->buffers[0];
    piece->first = array->offset + *row;
    piece->rows = left < most ? left : most;
    *row += piece->rows;
    return true;
}

int64_t count_nulls(const Piece *piece)
{
    int64_t values = 0, row = 0;
    if (piece->validity == NULL) {
        return 0;
    }
    for (; row < piece->rows && ((piece->first + row) & 7) != 0; row++) {
        values += is_value(piece, row);
    }
    for (; row + 64 <= piece->rows; row += 64) {
        uint64_t word;
        memcpy(&word, piece->validity + ((piece->first + row) >> 3), sizeof word);
        values += __builtin_popcountll(word);
    }
    for (; row < piece->rows; row++) {
        values += is_value(piece, row);
    }
    return piece->rows - values;
}

/* Copies values of one type to another that holds them all. A null's place is written to and then written over. */
#define DEFINE_GATHER(name, from, to)                                                                                 \
    static int64_t name(const Piece *piece, uint8_t *out)                                                             \
    {                                                                                                                 \
        const uint8_t *source = (const uint8_t *)piece->array->buffers[1] + piece->first * (int64_t)sizeof(from);     \
        int64_t count = 0;                                                                                            \
        for (int64_t row = 0; row < piece->rows; row++) {                                                             \
            from value;                                                                                               \
            memcpy(&value, source + row * (int64_t)sizeof value, sizeof value);                                       \
            const to stored = (to)value;                                                                              \
            memcpy(out + count * (int64_t)sizeof stored, &stored, sizeof stored);                                     \
            count += is_value(piece, row);                                                                            \
        }                                                                                                             \
        return count;                                                                                                 \
    }

/* Of a decimal with as few digits as these integers hold, the lowest word is the number. */
typedef struct {
    int64_t low;
    int64_t high;
} Decimal128;

DEFINE_GATHER(gather_int8, int8_t, int32_t)
DEFINE_GATHER(gather_int16, int16_t, int32_t)
DEFINE_GATHER(gather_4_bytes, int32_t, int32_t)
DEFINE_GATHER(gather_8_bytes, int64_t, int64_t)

/* A file may hold more digits than its type says: a number that these integers do not hold is Arrow's, which refuses it. */
static int64_t gather_decimals(const Piece *piece, int64_t width, uint8_t *out)
{
    const uint8_t *source = (const uint8_t *)piece->array->buffers[1] + piece->first * (int64_t)sizeof(Decimal128);
    int64_t count = 0;
    bool is_lost = false;
    for (int64_t row = 0; row < piece->rows; row++) {
        Decimal128 value;
        memcpy(&value, source + row * (int64_t)sizeof value, sizeof value);
        const int64_t stored = width == 4 ? (int32_t)value.low : value.low;
        const bool is_here = is_value(piece, row);
        is_lost |= is_here && (stored != value.low || (stored < 0 ? -1 : 0) != value.high);
        memcpy(out + count * width, &stored, (size_t)width); /* of a little-endian number the lowest bytes come first */
        count += is_here;
    }
    return is_lost ? -1 : count;
}

static int64_t gather_booleans(const Piece *piece, uint8_t *out)
{
    const uint8_t *bits = piece->array->buffers[1];
    int64_t count = 0;
    for (int64_t row = 0; row < piece->rows; row++) {
        const int64_t bit = piece->first + row;
        out[count] = bits[bit >> 3] >> (bit & 7) & 1;
        count += is_value(piece, row);
    }
    return count;
}

/* Without nulls, and without another width, it is one copy. */
static int64_t gather_as_is(const Piece *piece, int64_t width, uint8_t *out)
{
    const uint8_t *source = piece->array->buffers[1];
    if (piece->validity != NULL) {
        return width == 4 ? gather_4_bytes(piece, out) : gather_8_bytes(piece, out);
    }
    memcpy(out, source + piece->first * width, (size_t)(piece->rows * width));
    return piece->rows;
}

static int64_t multiply_values(uint8_t *out, int64_t count, int32_t factor)
{
    for (int64_t at = 0; at < count; at++) {
        int64_t value;
        memcpy(&value, out + at * 8, sizeof value);
        if (__builtin_mul_overflow(value, (int64_t)factor, &value)) {
            return -1;
        }
        memcpy(out + at * 8, &value, sizeof value);
    }
    return count;
}

int64_t gather_values(const MillraceLeaf *leaf, const Piece *piece, uint8_t *out)
{
    const int64_t width = find_stored_width(leaf->physical);
    switch (leaf->kind) {
    case KIND_BOOL:
        return gather_booleans(piece, out);
    case KIND_INT8:
        return gather_int8(piece, out);
    case KIND_INT16:
        return gather_int16(piece, out);
    case KIND_DECIMAL128:
        return gather_decimals(piece, width, out);
    default: {
        const int64_t count = gather_as_is(piece, width, out);
        return leaf->factor == 1 ? count : multiply_values(out, count, leaf->factor);
    }
    }
}
