/* A batch of any values, sliced, becomes text in pages of two sizes: both texts are the same, whatever was refused. */

#include "../../../functions/millrace/engine/native/source/columns.h"
#include "types.h"

int64_t millrace_render(const struct ArrowArray *batch, const MillraceType *types, int32_t type_count,
                        int32_t column_count, const uint8_t *names, int32_t shape, uint8_t *out, int64_t capacity,
                        int64_t *row, MillraceFault *fault);

#define LEAST_PAGE 128 /* what rendering.py promises */
#define LARGE_PAGE (1 << 14)
#define MOST_PAGE (1 << 20)

static const int32_t KINDS[] = {
    KIND_NULL,       KIND_BOOL,       KIND_INT8,   KIND_INT16,  KIND_INT32,  KIND_INT64,        KIND_UINT8,  KIND_UINT16,
    KIND_UINT32,     KIND_UINT64,     KIND_FLOAT16, KIND_FLOAT32, KIND_FLOAT64, KIND_DECIMAL128, KIND_DECIMAL256,
    KIND_STRING,     KIND_STRING,     KIND_BINARY, KIND_FIXED_BINARY, KIND_DATE32, KIND_DATE64, KIND_TIME32, KIND_TIME64,
    KIND_TIMESTAMP,  KIND_DURATION,   KIND_LIST,   KIND_STRUCT, KIND_MAP,
};

typedef struct {
    uint8_t *bytes;
    int64_t size;
    int32_t code;
} Text;

/* Appends one row of the input's bytes; false when the allowance is used up. */
static bool fill_row(Column *column, Input *input)
{
    uint8_t value[64];
    const uint8_t choice = take_byte(input);
    if (choice % 8 == 0) {
        return append_null(column);
    }
    switch (column->layout) {
    case LAYOUT_NULL:
        return append_null(column);
    case LAYOUT_BITS:
        return append_bool(column, choice & 1);
    case LAYOUT_FIXED:
        for (int32_t byte = 0; byte < column->width; byte++) { /* small numbers too: the high bytes are often zero */
            value[byte] = byte < choice / 8 ? take_byte(input) : 0;
        }
        return append_fixed(column, value);
    case LAYOUT_TEXT: {
        const int64_t size = choice / 8 < input->size ? choice / 8 : input->size;
        const bool is_appended = append_text(column, input->bytes, size);
        input->bytes += size;
        input->size -= size;
        return is_appended;
    }
    case LAYOUT_LIST:
        for (int32_t item = 0; item < choice / 8 % 4; item++) {
            if (!fill_row(&column->children[0], input)) {
                return false;
            }
        }
        return end_row(column);
    case LAYOUT_STRUCT:
        for (int32_t child = 0; child < column->child_count; child++) {
            if (!fill_row(&column->children[child], input)) {
                return false;
            }
        }
        return end_row(column);
    }
    return false;
}

/* `{"a":` for the first of some siblings, `,"a":` for the others: all columns are named alike here. */
static void name_types(Schema *schema)
{
    static const uint8_t names[] = "{\"a\":,\"a\":";
    memcpy(schema->names, names, sizeof names - 1);
    for (int32_t type = 0; type < schema->count; type++) {
        schema->types[type].name_offset = 5;
        schema->types[type].name_length = 5;
    }
    schema->types[0].name_offset = 0;
    for (int32_t type = 0; type < schema->count; type++) {
        if (schema->types[type].children > 0) {
            schema->types[schema->types[type].first_child].name_offset = 0;
        }
    }
}

static Text render_all(const struct ArrowArray *array, const Schema *schema, int32_t shape, int64_t capacity)
{
    Text text = {0};
    int64_t row = 0;
    while (row < array->length) {
        uint8_t *page = malloc((size_t)capacity);
        REQUIRE(page != NULL);
        MillraceFault fault;
        const int64_t before = row;
        const int64_t written = millrace_render(array, schema->types, schema->count, schema->columns, schema->names,
                                                shape, page, capacity, &row, &fault);
        REQUIRE(written >= 0 && written <= capacity && row >= before && row <= array->length);
        if (written > 0) {
            text.bytes = realloc(text.bytes, (size_t)(text.size + written));
            memcpy(text.bytes + text.size, page, (size_t)written);
            text.size += written;
        }
        free(page);
        if (written == 0) {
            if (fault.code == MILLRACE_TOO_MUCH && capacity < MOST_PAGE) {
                capacity *= 4;
                continue;
            }
            text.code = fault.code;
            REQUIRE(text.code != MILLRACE_OK);
            break;
        }
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Input input = {bytes, (int64_t)size};
    const int32_t shape = take_byte(&input) % 3;
    const int64_t capacity = LEAST_PAGE + take_byte(&input);
    const int64_t skipped = take_byte(&input);
    const int64_t rows = 1 + take_byte(&input) % 64;
    Schema schema = take_schema(&input, KINDS, sizeof KINDS / sizeof *KINDS);
    for (int32_t type = 0; type < schema.count; type++) {
        MillraceType *described = &schema.types[type];
        described->form = take_byte(&input) % 8;
        if (described->kind == KIND_FIXED_BINARY && described->form == 1) {
            described->precision = 16; /* a UUID: Python asks for no other width */
        }
    }
    name_types(&schema);
    Allowance allowance = {.limit = 1 << 20};
    Column *batch = open_batch(schema.types, schema.columns, &allowance);
    if (batch == NULL) {
        return 0;
    }
    for (int64_t row = 0; row < rows; row++) {
        for (int32_t column = 0; column < schema.columns; column++) {
            if (!fill_row(&batch->children[column], &input)) {
                close_batch(batch);
                return 0;
            }
        }
        batch->length++;
    }
    struct ArrowArray array;
    REQUIRE(export_batch(batch, &array));
    const int64_t first = skipped < rows ? skipped : 0; /* a slice, as pyarrow gives one */
    array.length -= first;
    for (int32_t column = 0; column < schema.columns; column++) {
        array.children[column]->offset = first;
        array.children[column]->length -= first;
        array.children[column]->null_count = first > 0 ? -1 : array.children[column]->null_count;
    }
    const Text small = render_all(&array, &schema, shape, capacity);
    const Text large = render_all(&array, &schema, shape, LARGE_PAGE);
    REQUIRE(small.code == large.code);
    REQUIRE(small.code != MILLRACE_OK || small.size == large.size);
    REQUIRE(small.code != MILLRACE_OK || small.size == 0 || memcmp(small.bytes, large.bytes, (size_t)small.size) == 0);
    free(small.bytes);
    free(large.bytes);
    array.release(&array);
    return 0;
}
