/* A column on its way into the pages of a Parquet file, as Python describes it, and what its pages say of themselves.

   What is written has the same bytes as what Arrow writes: a property test compares whole files. Where Arrow's writer
   has a rule that the format does not ask for (when a page ends, how runs are cut), the rule is written down here. */

#ifndef MILLRACE_PARQUET_LEAF_H
#define MILLRACE_PARQUET_LEAF_H

#include "arrow_c.h"
#include "kernel.h"

/* Parquet's physical types and encodings, by its own numbers (parquet.thrift). */
typedef enum {
    PHYSICAL_BOOLEAN = 0,
    PHYSICAL_INT32 = 1,
    PHYSICAL_INT64 = 2,
    PHYSICAL_FLOAT = 4,
    PHYSICAL_DOUBLE = 5,
    PHYSICAL_BYTE_ARRAY = 6,
} Physical;

typedef enum { ENCODING_PLAIN = 0, ENCODING_DELTA = 5, ENCODING_DICTIONARY = 8 } Encoding;

/* A page of more rows is never asked for, so that every size here is far below what its type holds. */
#define MOST_PAGE_ROWS (1 << 20)

/* One column of a row group. Its rows lie in several batches, one behind the other. */
typedef struct {
    const struct ArrowArray *const *batches; /* structs, whose child `column` it is */
    int64_t batch_count;
    int32_t column;
    int32_t kind; /* a MillraceKind */
    int32_t physical;
    int32_t encoding;
    int32_t is_nullable;
    int32_t factor;     /* each value is multiplied by it: seconds are stored as milliseconds */
    int64_t page_rows;  /* a page has at most so many rows */
    int64_t page_bytes; /* and ends with the batch of rows that brings its values to so many bytes */
    const int32_t *indices;    /* where the encoding is a dictionary's: the values' places in it, see parquet_dictionary.c */
    const uint8_t *dictionary; /* and its values as they are stored */
    int64_t dictionary_size;
    int32_t entries;
} MillraceLeaf;

/* One page. `batch`, `row`, `value` and `entries` say where it begins, and afterwards where the next one does. */
typedef struct {
    int64_t batch;
    int64_t row;
    int64_t value;   /* how many values, without nulls, were before */
    int64_t entries; /* how many of the dictionary's entries were needed until then */
    int64_t rows;
    int64_t nulls;
    int64_t size;       /* bytes of the body; if there was no room, what to make room for */
    int64_t text_bytes; /* of texts: their bytes, without their lengths */
    const uint8_t *least; /* the range of its values: NULL without one. Texts may have any length */
    const uint8_t *greatest;
    int64_t least_size;
    int64_t greatest_size;
    uint8_t range[16]; /* where least and greatest lie if they are no texts */
} MillracePage;

/* Rows of one batch: what of a page lies in one array. */
typedef struct {
    const struct ArrowArray *array;
    const uint8_t *validity; /* NULL if all rows are values */
    int64_t first;           /* of the rows, in the array's buffers */
    int64_t rows;
} Piece;

static inline bool is_value(const Piece *piece, int64_t row)
{
    const int64_t bit = piece->first + row;
    return piece->validity == NULL || (piece->validity[bit >> 3] >> (bit & 7) & 1);
}

static inline bool is_text_kind(int32_t kind)
{
    return kind == KIND_STRING || kind == KIND_LARGE_STRING || kind == KIND_BINARY || kind == KIND_LARGE_BINARY;
}

/* The bytes of a stored value; 0 of booleans, which are bits, and of texts. */
static inline int64_t find_stored_width(int32_t physical)
{
    switch (physical) {
    case PHYSICAL_INT32:
    case PHYSICAL_FLOAT:
        return 4;
    case PHYSICAL_INT64:
    case PHYSICAL_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

/* The next rows of a leaf that lie in one batch, at most `most` of them; false if there are none. */
bool next_piece(const MillraceLeaf *leaf, int64_t *batch, int64_t *row, int64_t most, Piece *piece);

/* How many rows of a piece are null. */
int64_t count_nulls(const Piece *piece);

/* Copies the values of a piece, without nulls, behind each other in the width that is stored: booleans a byte each.
   Gives how many there were, or -1 if one is too large for what it is multiplied by. One more value may be touched. */
int64_t gather_values(const MillraceLeaf *leaf, const Piece *piece, uint8_t *out);

/* One text of a piece. */
typedef struct {
    const uint8_t *bytes;
    int64_t size;
} TextValue;

static inline TextValue text_at(int32_t kind, const Piece *piece, int64_t row)
{
    const uint8_t *ends = piece->array->buffers[1], *bytes = piece->array->buffers[2];
    const int64_t at = piece->first + row;
    if (kind == KIND_STRING || kind == KIND_BINARY) {
        int32_t pair[2];
        memcpy(pair, ends + at * 4, sizeof pair);
        return (TextValue){bytes == NULL ? NULL : bytes + pair[0], pair[1] - pair[0]};
    }
    int64_t pair[2];
    memcpy(pair, ends + at * 8, sizeof pair);
    return (TextValue){bytes == NULL ? NULL : bytes + pair[0], pair[1] - pair[0]};
}

#endif
