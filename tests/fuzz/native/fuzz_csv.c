/* CSV text into typed columns and into texts alone: whatever is refused, both have the same rows. */

#include "../../../functions/millrace/engine/native/source/csv.h"
#include "types.h"

#define LIMIT (1 << 24)

static const int32_t KINDS[] = {
    KIND_INT64, KIND_FLOAT64, KIND_STRING, KIND_DATE32, KIND_BOOL, KIND_TIMESTAMP, KIND_DECIMAL128, KIND_NULL,
    KIND_LIST, /* Python does not ask for one */
};

/* The number of rows, or -1 if the kernel refuses the text. */
static int64_t parse(const MillraceCsv *csv, const MillraceType *types, const Input *text)
{
    /* Exactly as many bytes as are said, so that one more that is read is found. */
    uint8_t *copy = malloc((size_t)text->size);
    uint8_t *as_text = calloc((size_t)csv->width, 1);
    memcpy(copy, text->bytes, (size_t)text->size);
    struct ArrowArray array = {0};
    const int32_t code = millrace_csv(csv, types, copy, text->size, LIMIT, as_text, &array);
    free(copy);
    int64_t rows = -1;
    if (code == MILLRACE_OK) {
        static const MillraceType of_text = {.kind = KIND_STRING};
        rows = array.length;
        REQUIRE(array.n_children == csv->width - csv->has_trailing);
        for (int32_t column = 0; column < array.n_children; column++) {
            REQUIRE(array.children[column]->length == rows);
            read_array(array.children[column], types, as_text[column] ? &of_text : &types[column]);
        }
        array.release(&array);
    }
    free(as_text);
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t delimiters[] = ",;\t|";
    static const uint8_t null_texts[] = "NANULL-";
    static const int32_t null_lengths[] = {2, 4, 1};
    Input input = {bytes, (int64_t)size};
    const uint8_t choice = take_byte(&input);
    Schema schema = take_schema(&input, KINDS, sizeof KINDS / sizeof *KINDS);
    if (input.size == 0) {
        return 0;
    }
    MillraceCsv csv = {
        .delimiter = delimiters[choice & 3],
        .quote = choice & 4 ? '\'' : '"',
        .has_quote = (choice & 8) == 0,
        .has_trailing = (choice & 48) == 48 && schema.columns > 1,
        .empty_is_text = (choice & 96) == 96,
        .width = schema.columns,
        .nulls = (choice >> 6) & 3,
        .null_texts = null_texts,
        .null_lengths = null_lengths,
    };
    for (int32_t column = 0; column < schema.columns; column++) {
        MillraceType *type = &schema.types[column];
        type->form = type->kind == KIND_TIMESTAMP ? (choice & 16 ? ' ' : 'T') : (choice >> 5 & 1);
    }
    if (csv.has_trailing) {
        schema.types[csv.width - 1] = (MillraceType){.kind = KIND_NULL};
    }
    const int64_t typed_rows = parse(&csv, schema.types, &input);
    for (int32_t column = 0; column < schema.columns - csv.has_trailing; column++) {
        schema.types[column] = (MillraceType){.kind = KIND_STRING};
    }
    const int64_t text_rows = parse(&csv, schema.types, &input);
    REQUIRE(typed_rows < 0 || text_rows < 0 || typed_rows == text_rows);
    return 0;
}
