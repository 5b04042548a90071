/* JSON text into typed columns, whole and in two parts: a text that can be read has the rows of its parts. */

#include "../../../functions/millrace/engine/native/source/json_rows.h"
#include "types.h"

/* As in json_cut.c, and as `JsonState` of json.py. */
typedef struct {
    int64_t depth;
    int32_t in_string;
    int32_t is_escaped;
} JsonState;

int64_t millrace_json_cut(const uint8_t *text, int64_t size, int32_t in_array, JsonState *state);
int32_t millrace_json_rows(const uint8_t *text, int64_t size, int32_t layout, const MillraceType *types,
                           int32_t type_count, int32_t columns, const uint8_t *names, const JsonLimits *limits,
                           JsonEvidence *evidence, struct ArrowArray *out, MillraceFault *fault);

static const int32_t KINDS[] = {
    KIND_INT64, KIND_FLOAT64, KIND_STRING,     KIND_STRING, KIND_BOOL,
    KIND_LIST,  KIND_STRUCT,  KIND_DECIMAL128, KIND_DATE32, /* Python does not ask for the last */
};

/* What one reading gave: the rows, or -1 and the place of the fault. */
typedef struct {
    int64_t rows, numbers, byte;
} Reading;

static Reading read_text(const Schema *schema, const uint8_t *bytes, int64_t size, int32_t layout)
{
    const JsonLimits limits = {.most_bytes = 1 << 22, .most_cells = 1 << 16};
    const Input input = {bytes, size};
    uint8_t *text = copy_padded(&input);
    JsonEvidence evidence[MOST_TYPES] = {0};
    struct ArrowArray array = {0};
    MillraceFault fault;
    const int32_t code = millrace_json_rows(text, size, layout, schema->types, schema->count, schema->columns,
                                            schema->names, &limits, evidence, &array, &fault);
    Reading reading = {.rows = -1, .byte = fault.byte};
    REQUIRE(fault.code == code && fault.byte >= 0 && fault.byte <= size);
    if (code == MILLRACE_OK) {
        reading.rows = array.length;
        for (int32_t column = 0; column < schema->columns; column++) {
            REQUIRE(array.children[column]->length == array.length);
            read_array(array.children[column], schema->types, &schema->types[column]);
        }
        array.release(&array);
    }
    for (int32_t type = 0; type < schema->count; type++) {
        REQUIRE(evidence[type].low <= 0 && evidence[type].high >= 0);
        reading.numbers += evidence[type].whole + evidence[type].numbers;
    }
    free(text);
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Input input = {bytes, (int64_t)size};
    const uint8_t choice = take_byte(&input);
    Schema schema = take_schema(&input, KINDS, sizeof KINDS / sizeof *KINDS);
    for (int32_t type = 0; type < schema.count; type++) {
        const int32_t kind = schema.types[type].kind;
        if (kind == KIND_FLOAT64) {
            schema.types[type].form = choice & 1 ? JSON_BARE : JSON_PLAIN;
        } else if (kind == KIND_STRING && (type & 1)) {
            schema.types[type].form = choice & 2 ? JSON_ANY : JSON_NULLS + (choice >> 2) % 3;
        }
    }
    const bool in_array = choice & 16;
    const int32_t whole = in_array ? JSON_IN_ARRAY | JSON_FIRST_OF_ARRAY | JSON_LAST_OF_ARRAY : 0;
    const Reading all = read_text(&schema, input.bytes, input.size, whole);
    JsonState state = {0};
    const int64_t cut = millrace_json_cut(input.bytes, input.size, in_array, &state);
    REQUIRE(cut >= 0 && cut <= input.size);
    if (all.rows < 0) {
        read_text(&schema, input.bytes, all.byte, whole);
        return 0;
    }
    REQUIRE(state.depth == 0 && !state.in_string && !state.is_escaped);
    if (cut > 0) {
        const Reading first = read_text(&schema, input.bytes, cut, whole & ~JSON_LAST_OF_ARRAY);
        const Reading second = read_text(&schema, input.bytes + cut, input.size - cut, whole & ~JSON_FIRST_OF_ARRAY);
        REQUIRE(first.rows > 0 && second.rows > 0 && first.rows + second.rows == all.rows);
        REQUIRE(first.numbers + second.numbers == all.numbers);
    }
    return 0;
}
