/* A batch as its rows are read: one view a type, with the buffers that Arrow lays its values into. */

#ifndef MILLRACE_RENDER_COLUMNS_H
#define MILLRACE_RENDER_COLUMNS_H

#include "arrow_c.h"
#include "kernel.h"
#include "render_moments.h"

/* What `form` of a type means to rendering. */
enum {
    FORM_BARE = 1,      /* floats: whole numbers without .0 */
    FORM_RAW_JSON = 1,  /* texts: each is a JSON value itself */
    FORM_VERBATIM = 2,  /* texts: each is the value's text already, to be put out as it is; a missing one is nothing */
    FORM_UNIT_BITS = 3, /* timestamps: the unit that is printed if no digit is lost, see MillraceUnit */
    FORM_SPACE = 4,     /* timestamps: a space between date and time, instead of T */
};

typedef struct ColumnView ColumnView;

/* Writes the text of a value that is there; gives its end, or NULL if it has no text. At most VALUE_ROOM bytes. */
typedef uint8_t *(*ScalarWriter)(const ColumnView *view, int64_t row, uint8_t *out);

struct ColumnView {
    const MillraceType *type;
    ScalarWriter write; /* NULL for texts, bytes and containers */
    bool is_bare;       /* JSON holds its values without quotes, */
    bool is_float;      /* unless they are not finite */
    MomentForm moments; /* of timestamps */
    DayText *latest_day;
    const uint8_t *validity; /* a bit a row, 1 for a value; NULL if all are there */
    int64_t length;
    int64_t offset;            /* where row 0 lies in the buffers: a slice shares them with what it was cut from */
    const uint8_t *values;     /* values of a fixed width, bits, or the bytes of all texts */
    const uint8_t *values_end; /* of texts only */
    const uint8_t *starts;     /* where each text or list begins, and where the last one ends: int32_t, or int64_t if
                                  `is_large` */
    bool is_large;
    const uint8_t *name; /* `{"name":` or `,"name":` */
    int64_t name_length;
    const ColumnView *children;
};

/* The views of all types of a batch, the columns first; to be freed. NULL if there is no memory, or if the batch does
   not have the types' shape: `code` says which. */
ColumnView *open_views(const struct ArrowArray *batch, const MillraceType *types, int32_t type_count,
                       int32_t column_count, const uint8_t *names, int32_t *code);

/* Whether all texts of rows `first` up to `end` are UTF-8, those of nested columns and of dictionaries included.
   Bytes under missing values are looked at, too: garbage there makes the answer no, and Python then looks again. */
bool has_only_utf8(const ColumnView *view, int64_t first, int64_t end);

static inline bool is_missing(const ColumnView *view, int64_t row)
{
    if (view->validity == NULL) {
        return false;
    }
    const int64_t bit = view->offset + row;
    return (view->validity[bit >> 3] >> (bit & 7) & 1) == 0;
}

/* Where a text's bytes or a list's items begin; row + 1 gives where they end. */
static inline int64_t find_start(const ColumnView *view, int64_t row)
{
    if (view->is_large) {
        int64_t start;
        memcpy(&start, view->starts + 8 * (view->offset + row), 8);
        return start;
    }
    int32_t start;
    memcpy(&start, view->starts + 4 * (view->offset + row), 4);
    return start;
}

/* memcpy is one load, and unlike a pointer's it may be at any address: buffers of files in memory are not aligned. */
#define DEFINE_LOAD(name, kind)                                                                                        \
    static inline kind name(const ColumnView *view, int64_t row)                                                       \
    {                                                                                                                  \
        kind value;                                                                                                    \
        memcpy(&value, view->values + (int64_t)sizeof(kind) * (view->offset + row), sizeof(kind));                     \
        return value;                                                                                                  \
    }
DEFINE_LOAD(load_int8, int8_t)
DEFINE_LOAD(load_int16, int16_t)
DEFINE_LOAD(load_int32, int32_t)
DEFINE_LOAD(load_int64, int64_t)
DEFINE_LOAD(load_uint8, uint8_t)
DEFINE_LOAD(load_uint16, uint16_t)
DEFINE_LOAD(load_uint32, uint32_t)
DEFINE_LOAD(load_uint64, uint64_t)
DEFINE_LOAD(load_float32, float)
DEFINE_LOAD(load_float64, double)
#undef DEFINE_LOAD

static inline bool load_bool(const ColumnView *view, int64_t row)
{
    const int64_t bit = view->offset + row;
    return view->values[bit >> 3] >> (bit & 7) & 1;
}

/* Which value of its dictionary a row has. */
static inline int64_t load_index(const ColumnView *view, int64_t row)
{
    switch (view->type->precision) {
    case KIND_INT8:
        return load_int8(view, row);
    case KIND_INT16:
        return load_int16(view, row);
    case KIND_INT32:
        return load_int32(view, row);
    case KIND_UINT8:
        return load_uint8(view, row);
    case KIND_UINT16:
        return load_uint16(view, row);
    case KIND_UINT32:
        return load_uint32(view, row);
    default: /* KIND_INT64, KIND_UINT64 */
        return load_int64(view, row);
    }
}

/* Bytes of a batch; up to `readable` they may be read, though only those up to `size` belong to this value. */
typedef struct {
    const uint8_t *bytes;
    int64_t size;
    const uint8_t *readable;
} Span;

/* The bytes of a text or of a binary value. */
static inline Span find_bytes(const ColumnView *view, int64_t row)
{
    static const uint8_t nothing = 0;
    int64_t start, size;
    const uint8_t *readable = view->values_end;
    if (view->type->kind == KIND_FIXED_BINARY) {
        size = view->type->precision;
        start = size * (view->offset + row);
    } else {
        start = find_start(view, row);
        size = find_start(view, row + 1) - start;
    }
    if (size == 0) { /* a column of nothing else may have NULL for its bytes, and NULL + 0 has no meaning in C */
        return (Span){&nothing, 0, &nothing};
    }
    if (readable == NULL) {
        readable = view->values + start + size;
    }
    return (Span){view->values + start, size, readable};
}

#endif
