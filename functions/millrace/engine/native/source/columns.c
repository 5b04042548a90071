/* Columns: opening by type, growth within the allowance, nulls. Leaving as Arrow arrays is in export.c. */

#include "columns.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64

/* The bytes of a value, -1 for what is no fixed width. */
static int32_t find_width(const MillraceType *type)
{
    switch (type->kind) {
    case KIND_INT8:
    case KIND_UINT8:
        return 1;
    case KIND_INT16:
    case KIND_UINT16:
    case KIND_FLOAT16:
        return 2;
    case KIND_INT32:
    case KIND_UINT32:
    case KIND_FLOAT32:
    case KIND_DATE32:
    case KIND_TIME32:
        return 4;
    case KIND_INT64:
    case KIND_UINT64:
    case KIND_FLOAT64:
    case KIND_DATE64:
    case KIND_TIME64:
    case KIND_TIMESTAMP:
    case KIND_DURATION:
        return 8;
    case KIND_DECIMAL128:
        return 16;
    case KIND_DECIMAL256:
        return 32;
    case KIND_FIXED_BINARY:
        return type->precision;
    default:
        return -1;
    }
}

/* How a type is laid out; -1 for one that the kernel does not build. */
static int32_t find_layout(const MillraceType *type)
{
    switch (type->kind) {
    case KIND_NULL:
        return LAYOUT_NULL;
    case KIND_BOOL:
        return LAYOUT_BITS;
    case KIND_STRING:
    case KIND_BINARY:
        return LAYOUT_TEXT;
    case KIND_LIST:
    case KIND_MAP:
        return LAYOUT_LIST;
    case KIND_STRUCT:
        return LAYOUT_STRUCT;
    default:
        return find_width(type) > 0 ? LAYOUT_FIXED : -1; /* binaries of no bytes at all are left to Python */
    }
}

bool grow_buffer(Buffer *buffer, int64_t more, Allowance *allowance)
{
    const int64_t left = allowance->limit - allowance->used;
    const int64_t needed = buffer->size + more; /* both are below 2**62: they were counted, or come from Python */
    if (more < 0 || needed - buffer->capacity > left) {
        allowance->code = MILLRACE_TOO_MUCH;
        return false;
    }
    /* Twice the size, so that a column of a million rows grows twenty times; less near the limit. */
    int64_t capacity = buffer->capacity > 0 ? 2 * buffer->capacity : FIRST_CAPACITY;
    if (capacity - buffer->capacity > left) {
        capacity = buffer->capacity + left;
    }
    if (capacity < needed) {
        capacity = needed;
    }
    uint8_t *bytes = realloc(buffer->bytes, (size_t)capacity);
    if (bytes == NULL) {
        allowance->code = MILLRACE_NO_MEMORY;
        return false;
    }
    allowance->used += capacity - buffer->capacity;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

static bool open_children(Column *column, const MillraceType *types, int32_t first, int32_t count, int32_t depth);

static bool open_column(Column *column, const MillraceType *types, int32_t index, Allowance *allowance, int32_t depth)
{
    const MillraceType *type = &types[index];
    const int32_t layout = find_layout(type);
    *column = (Column){.type = type, .allowance = allowance};
    const bool has_wrong_children = layout == LAYOUT_LIST && type->children != 1;
    if (layout < 0 || has_wrong_children || depth > MILLRACE_MOST_DEPTH) {
        allowance->code = MILLRACE_IRREGULAR;
        return false;
    }
    column->layout = (Layout)layout;
    column->width = layout == LAYOUT_FIXED ? find_width(type) : 0;
    if (layout == LAYOUT_TEXT || layout == LAYOUT_LIST) {
        if (!grow_buffer(&column->offsets, 4, allowance)) {
            return false;
        }
        memset(column->offsets.bytes, 0, 4); /* the first row begins at 0 */
        column->offsets.size = 4;
    }
    return open_children(column, types, type->first_child, type->children, depth);
}

static bool open_children(Column *column, const MillraceType *types, int32_t first, int32_t count, int32_t depth)
{
    if (count == 0) {
        return true;
    }
    column->children = calloc((size_t)count, sizeof(Column));
    if (column->children == NULL) {
        column->allowance->code = MILLRACE_NO_MEMORY;
        return false;
    }
    for (int32_t child = 0; child < count; child++) {
        column->child_count = child + 1; /* so that a half-opened one is closed too */
        if (!open_column(&column->children[child], types, first + child, column->allowance, depth + 1)) {
            return false;
        }
    }
    return true;
}

Column *open_batch(const MillraceType *types, int32_t count, Allowance *allowance)
{
    Column *batch = calloc(1, sizeof(Column));
    if (batch == NULL) {
        allowance->code = MILLRACE_NO_MEMORY;
        return NULL;
    }
    batch->allowance = allowance;
    batch->layout = LAYOUT_STRUCT;
    if (!open_children(batch, types, 0, count, 0)) {
        close_batch(batch);
        return NULL;
    }
    return batch;
}

static void free_column(Column *column)
{
    for (int32_t child = 0; child < column->child_count; child++) {
        free_column(&column->children[child]);
    }
    free(column->children);
    free(column->validity.bytes);
    free(column->values.bytes);
    free(column->offsets.bytes);
}

void close_batch(Column *batch)
{
    free_column(batch);
    free(batch);
}

bool reserve_rows(Column *column, int64_t rows)
{
    switch (column->layout) {
    case LAYOUT_BITS: {
        /* Bits are set one by one, so their bytes begin as zeros. */
        const int64_t bytes = (column->length + rows + 7) / 8 - column->values.size;
        if (bytes > 0) {
            if (!has_room(&column->values, bytes, column->allowance)) {
                return false;
            }
            memset(column->values.bytes + column->values.size, 0, (size_t)bytes);
        }
        return true;
    }
    case LAYOUT_FIXED:
        return has_room(&column->values, rows * column->width, column->allowance);
    case LAYOUT_TEXT:
    case LAYOUT_LIST:
        return has_room(&column->offsets, rows * 4, column->allowance);
    default:
        return true;
    }
}

void set_length(Column *column, int64_t rows)
{
    column->length = rows;
    if (column->layout == LAYOUT_BITS) {
        column->values.size = (rows + 7) / 8;
    } else if (column->layout == LAYOUT_FIXED) {
        column->values.size = rows * column->width;
    } else if (column->layout == LAYOUT_TEXT || column->layout == LAYOUT_LIST) {
        column->offsets.size = (rows + 1) * 4;
    }
}

/* Bits for so many rows, new ones set: all rows were values until now. */
static bool reach_validity(Column *column, int64_t rows)
{
    const int64_t bytes = (rows + 7) / 8 - column->validity.size;
    if (bytes <= 0) {
        return true;
    }
    if (!has_room(&column->validity, bytes, column->allowance)) {
        return false;
    }
    memset(column->validity.bytes + column->validity.size, 0xFF, (size_t)bytes);
    column->validity.size += bytes;
    return true;
}

bool complete_validity(Column *column)
{
    return column->nulls == 0 || reach_validity(column, column->length);
}

bool append_validity(Column *column, bool is_valid)
{
    const int64_t row = column->length;
    if (!reach_validity(column, row + 1)) {
        return false;
    }
    if (!is_valid) {
        column->validity.bytes[row >> 3] &= (uint8_t)~(1u << (row & 7));
        column->nulls++;
    }
    return true;
}

bool mark_null(Column *column, int64_t row)
{
    if (column->layout == LAYOUT_NULL) {
        return true;
    }
    if (!reach_validity(column, row + 1)) {
        return false;
    }
    const uint8_t bit = (uint8_t)(1u << (row & 7));
    column->nulls += (column->validity.bytes[row >> 3] & bit) != 0; /* a row is counted once */
    column->validity.bytes[row >> 3] &= (uint8_t)~bit;
    return true;
}

/* What fills the place of a null: zeros, the same end as the row before, or a null in each field. */
static bool fill_place(Column *column)
{
    static const uint8_t zeros[32];
    switch (column->layout) {
    case LAYOUT_BITS:
        if ((column->length & 7) == 0) {
            if (!has_room(&column->values, 1, column->allowance)) {
                return false;
            }
            column->values.bytes[column->values.size++] = 0;
        }
        return true;
    case LAYOUT_FIXED:
        if (!has_room(&column->values, column->width, column->allowance)) {
            return false;
        }
        for (int32_t done = 0; done < column->width; done += (int32_t)sizeof zeros) {
            const int32_t left = column->width - done;
            const int32_t part = left < (int32_t)sizeof zeros ? left : (int32_t)sizeof zeros;
            memcpy(column->values.bytes + column->values.size + done, zeros, (size_t)part);
        }
        column->values.size += column->width;
        return true;
    case LAYOUT_STRUCT:
        for (int32_t child = 0; child < column->child_count; child++) {
            if (!append_null(&column->children[child])) {
                return false;
            }
        }
        return true;
    default:
        return true;
    }
}

static bool append_offset(Column *column, int64_t end)
{
    if (!has_room(&column->offsets, 4, column->allowance)) {
        return false;
    }
    if (end > MILLRACE_MOST_OFFSET) {
        column->allowance->code = MILLRACE_TOO_MUCH;
        return false;
    }
    const int32_t offset = (int32_t)end;
    memcpy(column->offsets.bytes + column->offsets.size, &offset, 4);
    column->offsets.size += 4;
    return true;
}

bool append_null(Column *column)
{
    if (column->layout == LAYOUT_NULL) {
        column->length++;
        return true;
    }
    if (!fill_place(column)) {
        return false;
    }
    if (column->layout == LAYOUT_TEXT && !append_offset(column, column->values.size)) {
        return false;
    }
    if (column->layout == LAYOUT_LIST && !append_offset(column, column->children[0].length)) {
        return false;
    }
    if (!append_validity(column, false)) {
        return false;
    }
    column->length++;
    return true;
}

bool end_row(Column *column)
{
    if (column->layout == LAYOUT_LIST && !append_offset(column, column->children[0].length)) {
        return false;
    }
    return count_row(column);
}
