/* What the pages of a Parquet column say to be unpacked; the same walk as engine/formats/parquet/pages.py, which explains
   it. A header is a struct of Thrift's compact protocol: 0x15 0x80 0x01 is a field whose number is one greater than the
   last one's (1), of the kind 5, with the integer 64. */

#include "kernel.h"

enum {
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_STRUCT = 12,
    FIELD_UNPACKED = 2,
    FIELD_PACKED = 3,
    MOST_VARINT_BYTES = 10,
    DEEPEST = 8,
};

/* Why a walk ended: at bytes that are no header, or at a number of more than 63 bits, which is left to Python. */
typedef enum { WALK_GOOD, WALK_NO_HEADER, WALK_TOO_LARGE } WalkCode;

typedef struct {
    const uint8_t *bytes;
    int64_t size;
    int64_t at; /* may be behind the end: then the next byte is missing */
    WalkCode code;
} Walk;

static uint8_t next_byte(Walk *walk)
{
    if (walk->at >= walk->size) {
        walk->code = WALK_NO_HEADER;
        return 0;
    }
    return walk->bytes[walk->at++];
}

/* Seven bits a byte, the lowest first; every byte but the last has its highest bit set. */
static uint64_t read_varint(Walk *walk)
{
    uint64_t number = 0;
    for (int index = 0; index < MOST_VARINT_BYTES; index++) {
        const uint8_t byte = next_byte(walk);
        if (index == MOST_VARINT_BYTES - 1 && (byte & 0x7F) > 0) {
            walk->code = walk->code == WALK_GOOD ? WALK_TOO_LARGE : walk->code;
            return 0;
        }
        number |= (uint64_t)(byte & 0x7F) << (7 * index);
        if (byte < 0x80) {
            return number;
        }
    }
    walk->code = WALK_NO_HEADER;
    return 0;
}

/* 0, -1, 1, -2 are stored as 0, 1, 2, 3. */
static int64_t read_zigzag(Walk *walk)
{
    const uint64_t stored = read_varint(walk);
    return (int64_t)(stored >> 1) ^ -(int64_t)(stored & 1);
}

static void pass(Walk *walk, uint64_t length)
{
    const int64_t left = walk->size - walk->at;
    walk->at = left < 0 || length > (uint64_t)left ? walk->size + 1 : walk->at + (int64_t)length;
}

/* The next field's kind, and its number; 0 at the end of the struct. */
static int32_t next_field(Walk *walk, int64_t *number)
{
    const uint8_t head = next_byte(walk);
    if (head == 0 || walk->code != WALK_GOOD) {
        return 0;
    }
    *number = head >> 4 ? (int64_t)((uint64_t)*number + (head >> 4)) : read_zigzag(walk);
    const int32_t kind = head & 15;
    if (kind == 0) {
        walk->code = WALK_NO_HEADER; /* no kind at all, though the struct goes on */
    }
    return walk->code == WALK_GOOD ? kind : 0;
}

static void skip_value(Walk *walk, int32_t kind, int32_t depth)
{
    int64_t number = 0;
    if (depth > DEEPEST) {
        walk->code = WALK_NO_HEADER;
        return;
    }
    switch (kind) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        return; /* a boolean has its value in its kind */
    case THRIFT_BYTE:
        pass(walk, 1);
        return;
    case THRIFT_DOUBLE:
        pass(walk, 8);
        return;
    case THRIFT_BINARY:
        pass(walk, read_varint(walk));
        return;
    case THRIFT_STRUCT:
        for (int32_t inner = next_field(walk, &number); inner != 0; inner = next_field(walk, &number)) {
            skip_value(walk, inner, depth + 1);
        }
        return;
    default:
        if (kind < THRIFT_I16 || kind > THRIFT_I64) {
            walk->code = WALK_NO_HEADER; /* a page's header has no lists, sets or maps */
            return;
        }
        read_varint(walk);
    }
}

/* Puts the most bytes that a page says to be unpacked into `largest`, 0 without a page; ends at the first bytes that are
   none. Gives MILLRACE_IRREGULAR if a number is larger than is read here. */
MILLRACE_EXPORT int32_t millrace_largest_page(const uint8_t *bytes, int64_t size, int64_t *largest)
{
    Walk walk = {bytes, size, 0, WALK_GOOD};
    bool is_first = true;
    *largest = 0;
    while (walk.at < size) {
        int64_t number = 0, unpacked = 0, packed = 0;
        for (int32_t kind = next_field(&walk, &number); kind != 0; kind = next_field(&walk, &number)) {
            const bool is_integer = kind >= THRIFT_I16 && kind <= THRIFT_I64;
            if (number == FIELD_UNPACKED && is_integer) {
                unpacked = read_zigzag(&walk);
            } else if (number == FIELD_PACKED && is_integer) {
                packed = read_zigzag(&walk);
            } else {
                skip_value(&walk, kind, 0);
            }
        }
        if (walk.code != WALK_GOOD) {
            return walk.code == WALK_TOO_LARGE ? MILLRACE_IRREGULAR : MILLRACE_OK;
        }
        *largest = is_first || unpacked > *largest ? unpacked : *largest;
        is_first = false;
        if (packed < 0) { /* backwards would read the same page for ever */
            return MILLRACE_OK;
        }
        pass(&walk, (uint64_t)packed);
    }
    return MILLRACE_OK;
}
