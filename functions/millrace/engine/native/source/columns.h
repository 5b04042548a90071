/* Columns that grow row by row and leave as Arrow arrays.

   A parser opens one column for the whole batch, a struct whose children are the batch's columns, fills the children,
   and gives it to Python:

       Allowance allowance = {.limit = most_bytes};
       Column *batch = open_batch(types, columns, &allowance);     types as in kernel.h
       Column *first = &batch->children[0];
       append_int64(first, 17);  append_null(first);
       batch->length = 2;
       export_batch(batch, out);                                   or close_batch(batch) after a fault

   Every function that needs memory answers false if there is none; `allowance.code` then says why.
   After that the batch may only be closed. */

#ifndef MILLRACE_COLUMNS_H
#define MILLRACE_COLUMNS_H

#include "arrow_c.h"
#include "kernel.h"

/* What one batch may take: every buffer of it is counted before it is made. */
typedef struct {
    int64_t limit; /* bytes, from Python */
    int64_t used;
    int32_t code; /* MILLRACE_OK, or why there was no more */
} Allowance;

/* Bytes that grow; `size` of them are in use. */
typedef struct {
    uint8_t *bytes;
    int64_t size;
    int64_t capacity;
} Buffer;

/* How Arrow lays out the values of a type. */
typedef enum {
    LAYOUT_NULL,   /* nothing but a length */
    LAYOUT_BITS,   /* booleans: one bit a row, the lowest first */
    LAYOUT_FIXED,  /* `width` bytes a row */
    LAYOUT_TEXT,   /* bytes behind each other, and where each row begins: int32_t, one more than rows */
    LAYOUT_LIST,   /* one child with all items, and where each row begins; maps too */
    LAYOUT_STRUCT, /* children of the same length */
} Layout;

typedef struct Column Column;
struct Column {
    const MillraceType *type; /* NULL for the batch itself */
    Allowance *allowance;
    Layout layout;
    int32_t width;
    int64_t length; /* rows so far */
    int64_t nulls;
    Buffer validity; /* a bit a row, 1 for a value; made at the first null */
    Buffer values;
    Buffer offsets;
    Column *children;
    int32_t child_count;
};

/* A batch without rows, of the first `count` of `types`; NULL if there is no memory for it, or if a type is one that
   the kernel does not build (large, dictionary, fixed list): then `allowance->code` is MILLRACE_IRREGULAR. */
Column *open_batch(const MillraceType *types, int32_t count, Allowance *allowance);

/* Frees a batch that will not leave. */
void close_batch(Column *batch);

/* Moves the batch to `out`, whose release callback frees it; the batch is closed, also after a false. */
bool export_batch(Column *batch, struct ArrowArray *out);

/* Room for `more` bytes behind what the buffer has. */
bool grow_buffer(Buffer *buffer, int64_t more, Allowance *allowance);

/* Room for `rows` rows more in values (not in the bytes of texts) and offsets, so that they can be written without
   a check each. The writer sets `values.size` and `offsets.size` with `set_length`. */
bool reserve_rows(Column *column, int64_t rows);

/* Says that a column with reserved room now has so many rows, which its writer has filled. */
void set_length(Column *column, int64_t rows);

/* Makes an earlier row null; its value's place is still taken, as Arrow wants it. Rows may be reserved ones. */
bool mark_null(Column *column, int64_t row);

/* A null behind the last row. In a struct, its children get one too. */
bool append_null(Column *column);

/* The end of a list's, a map's or a struct's row: its items or fields were appended to the children before. */
bool end_row(Column *column);

/* Bit by bit, where a null came before; not to be called by parsers. */
bool append_validity(Column *column, bool is_valid);

/* Validity bits for all rows of a column with nulls; `export_batch` calls it. */
bool complete_validity(Column *column);

/* Whether there is room for so many bytes more. */
static inline bool has_room(Buffer *buffer, int64_t more, Allowance *allowance)
{
    return OFTEN(buffer->capacity - buffer->size >= more) || grow_buffer(buffer, more, allowance);
}

/* Counts a row whose value is there. */
static inline bool count_row(Column *column)
{
    if (RARELY(column->nulls > 0) && !append_validity(column, true)) {
        return false;
    }
    column->length++;
    return true;
}

/* A value of `column->width` bytes: integers, floats, decimals, dates and times, fixed binaries. */
static inline bool append_fixed(Column *column, const void *value)
{
    const int64_t width = column->width;
    if (!has_room(&column->values, width, column->allowance)) {
        return false;
    }
    memcpy(column->values.bytes + column->values.size, value, (size_t)width);
    column->values.size += width;
    return count_row(column);
}

static inline bool append_int64(Column *column, int64_t value)
{
    if (!has_room(&column->values, 8, column->allowance)) {
        return false;
    }
    memcpy(column->values.bytes + column->values.size, &value, 8);
    column->values.size += 8;
    return count_row(column);
}

static inline bool append_float64(Column *column, double value)
{
    int64_t bits;
    memcpy(&bits, &value, 8);
    return append_int64(column, bits);
}

static inline bool append_bool(Column *column, bool value)
{
    const int64_t row = column->length;
    if ((row & 7) == 0) {
        if (!has_room(&column->values, 1, column->allowance)) {
            return false;
        }
        column->values.bytes[column->values.size++] = 0;
    }
    column->values.bytes[row >> 3] |= (uint8_t)(value << (row & 7));
    return count_row(column);
}

/* The end of a row of a text column, after its bytes were put into `values`. */
static inline bool end_text(Column *column)
{
    if (!has_room(&column->offsets, 4, column->allowance)) {
        return false;
    }
    if (RARELY(column->values.size > MILLRACE_MOST_OFFSET)) {
        column->allowance->code = MILLRACE_TOO_MUCH;
        return false;
    }
    const int32_t end = (int32_t)column->values.size;
    memcpy(column->offsets.bytes + column->offsets.size, &end, 4);
    column->offsets.size += 4;
    return count_row(column);
}

static inline bool append_text(Column *column, const uint8_t *text, int64_t size)
{
    if (!has_room(&column->values, size, column->allowance)) {
        return false;
    }
    if (size > 0) { /* memcpy may not be given a NULL, even for nothing */
        memcpy(column->values.bytes + column->values.size, text, (size_t)size);
    }
    column->values.size += size;
    return end_text(column);
}

#endif
