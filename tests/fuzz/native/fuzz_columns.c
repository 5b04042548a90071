/* Columns that are filled by the input's choices, exported and read again: every value, every null, every byte. */

#include "../../../functions/millrace/engine/native/source/columns.h"
#include "types.h"

static const int32_t KINDS[] = {
    KIND_NULL,  KIND_BOOL, KIND_INT8,   KIND_INT16,      KIND_INT32,      KIND_INT64,        KIND_FLOAT64,   KIND_DECIMAL128,
    KIND_DECIMAL256, KIND_STRING, KIND_BINARY, KIND_FIXED_BINARY, KIND_TIMESTAMP, KIND_LIST, KIND_STRUCT, KIND_MAP,
    KIND_LARGE_STRING, /* not built: opening must refuse it */
};

/* Appends one row, with values that repeat their row's number; false when the allowance is used up. */
static bool fill_row(Column *column, Input *input, int32_t depth)
{
    static const uint8_t letters[] = "the same letters for every text of every row";
    uint8_t value[64];
    const uint8_t choice = take_byte(input);
    if (choice % 4 == 0) {
        return append_null(column);
    }
    memset(value, (int)(column->length & 0xFF), sizeof value);
    switch (column->layout) {
    case LAYOUT_NULL:
        return append_null(column);
    case LAYOUT_BITS:
        return append_bool(column, column->length % 3 == 0);
    case LAYOUT_FIXED:
        return append_fixed(column, value);
    case LAYOUT_TEXT:
        return append_text(column, letters, column->length % (int64_t)sizeof letters);
    case LAYOUT_LIST:
        for (int32_t item = 0; item < choice / 4 % 4; item++) {
            if (!fill_row(&column->children[0], input, depth + 1)) {
                return false;
            }
        }
        return end_row(column);
    case LAYOUT_STRUCT:
        for (int32_t child = 0; child < column->child_count; child++) {
            if (!fill_row(&column->children[child], input, depth + 1)) {
                return false;
            }
        }
        return end_row(column);
    }
    return false;
}

/* The values that `fill_row` gave. */
static void check_values(const struct ArrowArray *array, const MillraceType *type)
{
    for (int64_t row = 0; row < array->length; row++) {
        if (type->kind == KIND_INT64 || type->kind == KIND_FLOAT64 || type->kind == KIND_TIMESTAMP) {
            const uint64_t *values = array->buffers[1];
            const uint64_t filled = (uint64_t)(row & 0xFF) * UINT64_C(0x0101010101010101);
            REQUIRE(values[row] == (is_valid_row(array, row) ? filled : 0));
        } else if (type->kind == KIND_BOOL) {
            const uint8_t *bits = array->buffers[1];
            REQUIRE((bits[row >> 3] >> (row & 7) & 1) == (is_valid_row(array, row) && row % 3 == 0));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Input input = {bytes, (int64_t)size};
    const Schema schema = take_schema(&input, KINDS, sizeof KINDS / sizeof *KINDS);
    Allowance allowance = {.limit = 1 << (8 + take_byte(&input) % 12)};
    Column *batch = open_batch(schema.types, schema.columns, &allowance);
    if (batch == NULL) {
        REQUIRE(allowance.code != MILLRACE_OK);
        return 0;
    }
    const int64_t rows = take_byte(&input);
    for (int64_t row = 0; row < rows; row++) {
        for (int32_t column = 0; column < schema.columns; column++) {
            if (!fill_row(&batch->children[column], &input, 0)) {
                REQUIRE(allowance.code == MILLRACE_TOO_MUCH);
                close_batch(batch);
                return 0;
            }
        }
        batch->length++;
    }
    REQUIRE(allowance.used <= allowance.limit);
    struct ArrowArray array;
    if (!export_batch(batch, &array)) {
        REQUIRE(array.release == NULL);
        return 0;
    }
    for (int32_t column = 0; column < schema.columns; column++) {
        REQUIRE(array.children[column]->length == rows);
        read_array(array.children[column], schema.types, &schema.types[column]);
        check_values(array.children[column], &schema.types[column]);
    }
    struct ArrowArray taken = *array.children[0]; /* as a reader may: it then releases the child itself */
    array.children[0]->release = NULL;
    array.release(&array);
    taken.release(&taken);
    REQUIRE(array.release == NULL && taken.release == NULL);
    return 0;
}
