/* Columns of any values, sliced, become pages of Parquet: in memory of just the size that is asked for, every row once,
   and dictionaries whose places are within them. Whether the bytes are right, `test_parquet_encoding.py` asks Arrow. */

#include "../../../functions/millrace/engine/native/source/columns.h"
#include "../../../functions/millrace/engine/native/source/parquet_leaf.h"
#include "types.h"

typedef struct {
    int64_t size;
    int64_t entries;
    int64_t text_bytes;
} MillraceDictionary;

int32_t millrace_parquet_page(const MillraceLeaf *leaf, MillracePage *page, uint8_t *scratch, int64_t scratch_size,
                              uint8_t *out, int64_t capacity);
int32_t millrace_parquet_dictionary(const MillraceLeaf *leaf, int32_t *indices, uint8_t *out, int64_t capacity,
                                    MillraceDictionary *made);

static const int32_t KINDS[] = {
    KIND_BOOL,   KIND_INT8,   KIND_INT16,  KIND_INT32,  KIND_INT64,     KIND_FLOAT32,   KIND_FLOAT64,
    KIND_STRING, KIND_STRING, KIND_BINARY, KIND_DATE32, KIND_TIMESTAMP, KIND_DECIMAL128,
};
static const int32_t ENCODINGS[] = {ENCODING_PLAIN, ENCODING_DELTA, ENCODING_DICTIONARY};

static int32_t choose_physical(const MillraceType *type)
{
    switch (type->kind) {
    case KIND_BOOL:
        return PHYSICAL_BOOLEAN;
    case KIND_FLOAT32:
        return PHYSICAL_FLOAT;
    case KIND_FLOAT64:
        return PHYSICAL_DOUBLE;
    case KIND_STRING:
    case KIND_BINARY:
        return PHYSICAL_BYTE_ARRAY;
    case KIND_INT64:
    case KIND_TIMESTAMP:
        return PHYSICAL_INT64;
    case KIND_DECIMAL128:
        return type->precision <= 9 ? PHYSICAL_INT32 : PHYSICAL_INT64;
    default:
        return PHYSICAL_INT32;
    }
}

/* Appends one row of the input's bytes; false when the allowance is used up. */
static bool fill_row(Column *column, Input *input)
{
    uint8_t value[16] = {0};
    const uint8_t choice = take_byte(input);
    if (choice % 8 == 0) {
        return append_null(column);
    }
    if (column->layout == LAYOUT_BITS) {
        return append_bool(column, choice & 1);
    }
    if (column->layout == LAYOUT_FIXED) {
        for (int32_t byte = 0; byte < column->width; byte++) { /* small numbers too: the high bytes are often zero */
            value[byte] = byte < choice / 16 ? take_byte(input) : 0;
        }
        return append_fixed(column, value);
    }
    const int64_t size = choice / 8 < input->size ? choice / 8 : input->size;
    const bool is_appended = append_text(column, input->bytes, size);
    input->bytes += size;
    input->size -= size;
    return is_appended;
}

/* Every byte of a range is there to be read. */
static void read_range(const MillracePage *page)
{
    volatile uint8_t seen = 0;
    REQUIRE((page->least == NULL) == (page->greatest == NULL));
    for (int64_t byte = 0; page->least != NULL && byte < page->least_size; byte++) {
        seen = seen ^ page->least[byte];
    }
    for (int64_t byte = 0; page->greatest != NULL && byte < page->greatest_size; byte++) {
        seen = seen ^ page->greatest[byte];
    }
}

/* Writes all pages, each into memory of just the size that it says to need. */
static void write_pages(const MillraceLeaf *leaf, int64_t rows, int64_t nulls)
{
    const int64_t scratch_size = (leaf->page_rows + 2) * 8 + leaf->entries;
    uint8_t *scratch = malloc((size_t)scratch_size);
    MillracePage page = {0};
    int64_t left = rows, nulls_left = nulls;
    while (left > 0) {
        int32_t code = millrace_parquet_page(leaf, &page, scratch, scratch_size, NULL, 0);
        REQUIRE(code == MILLRACE_TOO_MUCH || code == MILLRACE_IRREGULAR);
        if (code == MILLRACE_IRREGULAR) {
            break;
        }
        const int64_t capacity = page.size;
        uint8_t *out = malloc((size_t)capacity);
        code = millrace_parquet_page(leaf, &page, scratch, scratch_size, out, capacity);
        REQUIRE(code == MILLRACE_OK || code == MILLRACE_IRREGULAR);
        if (code == MILLRACE_OK) {
            REQUIRE(page.size <= capacity && page.rows > 0 && page.rows <= left && page.rows <= leaf->page_rows);
            REQUIRE(page.nulls >= 0 && page.nulls <= nulls_left);
            read_range(&page);
            left -= page.rows;
            nulls_left -= page.nulls;
        }
        free(out);
        if (code != MILLRACE_OK) {
            break;
        }
        REQUIRE(left > 0 || nulls_left == 0);
    }
    free(scratch);
}

static void write_leaf(MillraceLeaf *leaf, int64_t rows, int64_t nulls, int64_t capacity)
{
    MillraceDictionary made;
    if (leaf->encoding != ENCODING_DICTIONARY) {
        write_pages(leaf, rows, nulls);
        return;
    }
    int32_t *indices = malloc((size_t)(rows + 1) * sizeof *indices);
    uint8_t *dictionary = malloc((size_t)capacity + 1);
    const int32_t code = millrace_parquet_dictionary(leaf, indices, dictionary, capacity, &made);
    REQUIRE(code == MILLRACE_OK || code == MILLRACE_TOO_MUCH || code == MILLRACE_IRREGULAR);
    if (code == MILLRACE_OK) {
        REQUIRE(made.size <= capacity && made.entries <= rows - nulls);
        for (int64_t value = 0; value < rows - nulls; value++) {
            REQUIRE(indices[value] >= 0 && indices[value] < made.entries);
        }
        leaf->indices = indices;
        leaf->dictionary = dictionary;
        leaf->dictionary_size = made.size;
        leaf->entries = (int32_t)made.entries;
        write_pages(leaf, rows, nulls);
    }
    free(indices);
    free(dictionary);
}

static int64_t count_all_nulls(const struct ArrowArray *array)
{
    int64_t nulls = 0;
    for (int64_t row = 0; array->null_count != 0 && row < array->length; row++) {
        nulls += !is_valid_row(array, array->offset + row);
    }
    return nulls;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Input input = {bytes, (int64_t)size};
    const uint8_t choice = take_byte(&input), encoding = take_byte(&input), skipped = take_byte(&input);
    const int64_t page_rows = 1 + take_byte(&input), page_bytes = 1 + take_byte(&input) * 16;
    const int64_t rows = take_byte(&input) * (choice & 1 ? 9 : 1), capacity = take_byte(&input) * 16;
    const Schema schema = take_schema(&input, KINDS, sizeof KINDS / sizeof *KINDS);
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
    const struct ArrowArray *batches[] = {&array, &array};
    for (int32_t column = 0; column < schema.columns; column++) {
        const MillraceType *type = &schema.types[column];
        const bool is_text = type->kind == KIND_STRING || type->kind == KIND_BINARY;
        MillraceLeaf leaf = {
            .batches = batches,
            .batch_count = 2,
            .column = column,
            .kind = type->kind,
            .physical = choose_physical(type),
            .encoding = ENCODINGS[encoding % 3],
            .is_nullable = (choice & 2) == 0,
            .factor = type->kind == KIND_TIMESTAMP && choice & 4 ? 1000 : 1,
            .page_rows = page_rows,
            .page_bytes = is_text ? page_bytes : page_rows * 10 + page_bytes,
        };
        write_leaf(&leaf, 2 * array.length, 2 * count_all_nulls(array.children[column]), capacity);
    }
    array.release(&array);
    return 0;
}
