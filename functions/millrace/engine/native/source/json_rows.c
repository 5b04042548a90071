/* One pass over the text, led by the schema: a struct reads its members, a list its items, and so on down. */
#include <stdlib.h>

#include "json_reader.h"
#include "json_text.h"

#define FEW_MISSING 4 /* so many fields are passed over before the table is asked */

static bool read_value(JsonReader *reader, Column *column);

static bool take_cells(JsonReader *reader, int64_t count)
{
    reader->cells -= count;
    if (reader->cells < 0) {
        reader->allowance->code = MILLRACE_TOO_MUCH;
        return false;
    }
    return true;
}

static bool read_null(JsonReader *reader, Column *column)
{
    if (memcmp(reader->at, "null", 4) != 0)
        return false;
    reader->at += 4;
    /* Of a list of structs with 1,000 fields [null,null] has 2,000 cells: a missing struct has a place in each column. */
    if (column->layout == LAYOUT_STRUCT && !take_cells(reader, reader->leaves[index_of(reader, column)]))
        return false;
    return append_null(column);
}

static bool read_list(JsonReader *reader, Column *column)
{
    if (*reader->at != '[')
        return false;
    Column *items = &column->children[0];
    reader->at = skip_space(reader->at + 1);
    if (*reader->at == ']') {
        reader->at++;
        return end_row(column);
    }
    for (;;) {
        if (!read_value(reader, items))
            return false;
        reader->at = skip_space(reader->at);
        const uint8_t byte = *reader->at++;
        if (byte == ']')
            return end_row(column);
        if (byte != ',')
            return false;
        reader->at = skip_space(reader->at);
    }
}

/* A struct's fields and their names. */
typedef struct {
    Column *columns;
    const FieldName *names;
    NameTable *table;
    int32_t count;
    int64_t leaves;
} Members;

static Members members_of(JsonReader *reader, Column *column)
{
    /* The batch has no type: its columns are the first types, and its table is the last. */
    const int64_t first = column->type == NULL ? 0 : column->type->first_child;
    const int64_t own = column->type == NULL ? reader->type_count : index_of(reader, column);
    return (Members){
        .columns = column->children,
        .names = &reader->names[first],
        .table = &reader->tables[own],
        .count = column->child_count,
        .leaves = reader->leaves[own],
    };
}

/* Reads a name with escapes, whose first byte this is, to the scratch; NULL if it is none. */
static const uint8_t *unescape_name(JsonReader *reader, const uint8_t *begin, const uint8_t *end)
{
    Buffer *scratch = &reader->scratch;
    scratch->size = 0;
    if (!has_room(scratch, end - begin + LONGEST_UNESCAPED, reader->allowance))
        return NULL;
    while (begin < end) {
        if (*begin != '\\') {
            scratch->bytes[scratch->size++] = *begin++;
            continue;
        }
        const int32_t character = read_escape(&begin);
        if (character < 0)
            return NULL;
        scratch->size += write_character(scratch->bytes + scratch->size, character);
    }
    return scratch->bytes;
}

/* The number of the field whose name begins at the place, behind its quote, by the table; -1 if it is none. */
static int32_t look_up_name(JsonReader *reader, const Members *members)
{
    bool has_escapes = false;
    uint64_t high = 0;
    const uint8_t *name = reader->at;
    const uint8_t *end = find_string_end(name, &has_escapes, &high);
    if (end == NULL)
        return -1;
    int64_t length = end - name;
    if (has_escapes) {
        name = unescape_name(reader, name, end);
        length = reader->scratch.size;
    }
    if (name == NULL || (members->table->places == NULL && !open_names(members->table, members->names, members->count)))
        return -1;
    reader->at = end + 1;
    return find_name(members->table, name, length);
}

/* The number of the field whose name begins at the place, behind its quote; -1 if it is none. Moves behind the name.
 *
 * Rows have their fields in one order nearly always: the one behind the last is tried first, then the next few, since
 * fields may be missing. */
static inline int32_t find_member(JsonReader *reader, const Members *members, int32_t expected)
{
    const int32_t last = members->count - expected < FEW_MISSING ? members->count : expected + FEW_MISSING;
    for (int32_t number = expected; number < last; number++) {
        const FieldName *name = &members->names[number];
        if (begins_with_name(name, reader->at, reader->end)) {
            reader->at += name->length + 1;
            return number;
        }
    }
    return look_up_name(reader, members);
}

/* Fields that an object lacks: their cells are among those of the object. */
static bool fill_missing(const Members *members, int64_t row)
{
    for (int32_t number = 0; number < members->count; number++) {
        Column *column = &members->columns[number];
        if (column->length == row && !append_null(column))
            return false;
    }
    return true;
}

static bool read_members(JsonReader *reader, const Members *members, int64_t row)
{
    int32_t expected = 0, seen = 0;
    for (;;) {
        if (*reader->at != '"')
            return false;
        reader->at++;
        const int32_t number = find_member(reader, members, expected);
        if (number < 0)
            return false;
        Column *column = &members->columns[number];
        if (column->length != row)
            return false; /* the name was there before in this object */
        reader->at = skip_space(reader->at);
        if (*reader->at != ':')
            return false;
        reader->at = skip_space(reader->at + 1);
        if (!read_value(reader, column))
            return false;
        expected = number + 1;
        seen++;
        reader->at = skip_space(reader->at);
        const uint8_t byte = *reader->at++;
        if (byte == '}')
            return seen == members->count || fill_missing(members, row);
        if (byte != ',')
            return false;
        reader->at = skip_space(reader->at);
    }
}

static bool read_object(JsonReader *reader, Column *column)
{
    if (*reader->at != '{')
        return false;
    const Members members = members_of(reader, column);
    /* {} is two bytes, and a cell in each field that the struct has, however deep. */
    if (!take_cells(reader, members.leaves))
        return false;
    reader->at = skip_space(reader->at + 1);
    if (*reader->at == '}') {
        reader->at++;
        return fill_missing(&members, column->length) && end_row(column);
    }
    return read_members(reader, &members, column->length) && end_row(column);
}

static bool read_present(JsonReader *reader, Column *column)
{
    switch (column->type->kind) {
    case KIND_BOOL:
        return read_bool(reader, column);
    case KIND_INT64:
        return read_int64(reader, column);
    case KIND_FLOAT64:
        return read_float64(reader, column);
    case KIND_DECIMAL128:
        return read_decimal128(reader, column);
    case KIND_STRING:
        return read_text(reader, column);
    case KIND_LIST:
        return read_list(reader, column);
    case KIND_STRUCT:
        return read_object(reader, column);
    default:
        return false;
    }
}

static bool read_value(JsonReader *reader, Column *column)
{
    if (*reader->at == 'n')
        return read_null(reader, column);
    if (OFTEN(read_present(reader, column)))
        return true;
    if (reader->failed < 0)
        reader->failed = (int32_t)index_of(reader, column);
    return false;
}

static bool read_row(JsonReader *reader, Column *batch)
{
    reader->row = reader->at;
    reader->rows = batch->length;
    return read_object(reader, batch);
}

/* Objects one after the other, to the end of the text. */
static bool read_lines(JsonReader *reader, Column *batch)
{
    for (;;) {
        reader->at = skip_space(reader->at);
        if (reader->at >= reader->end)
            return true;
        if (!read_row(reader, batch))
            return false;
    }
}

/* Elements of one array: from its bracket or behind a comma, to its bracket or to a comma. */
static bool read_elements(JsonReader *reader, Column *batch, int32_t layout)
{
    reader->at = skip_space(reader->at);
    if (layout & JSON_FIRST_OF_ARRAY) {
        if (*reader->at != '[')
            return false;
        reader->at = skip_space(reader->at + 1);
    }
    for (;;) {
        if (!read_row(reader, batch))
            return false;
        reader->at = skip_space(reader->at);
        const uint8_t byte = *reader->at++;
        reader->at = skip_space(reader->at);
        const bool is_at_end = reader->at >= reader->end;
        if (byte == ']')
            return is_at_end && (layout & JSON_LAST_OF_ARRAY);
        if (byte != ',')
            return false;
        if (is_at_end)
            return !(layout & JSON_LAST_OF_ARRAY);
    }
}

static void close_reader(JsonReader *reader)
{
    for (int32_t type = 0; type <= reader->type_count && reader->tables != NULL; type++)
        close_names(&reader->tables[type]);
    free(reader->tables);
    free(reader->names);
    free(reader->leaves);
    free(reader->scratch.bytes);
    close_raw(&reader->raw);
}

/* Counts the leaves of each type, and of all columns behind them; of {a, b: {c, d}} there are 3, of b 2. */
static void count_leaves(JsonReader *reader, int32_t columns)
{
    int64_t *leaves = reader->leaves;
    /* Children lie behind their parents, so that they are counted first from the end. */
    for (int32_t index = reader->type_count - 1; index >= 0; index--) {
        const MillraceType *type = &reader->types[index];
        leaves[index] = type->children == 0;
        for (int32_t child = 0; child < type->children; child++)
            leaves[index] += leaves[type->first_child + child];
    }
    for (int32_t column = 0; column < columns; column++)
        leaves[reader->type_count] += leaves[column];
}

static bool open_reader(JsonReader *reader, int32_t columns, const uint8_t *names)
{
    const size_t count = (size_t)reader->type_count + 1;
    reader->names = calloc(count, sizeof(FieldName));
    reader->tables = calloc(count, sizeof(NameTable));
    reader->leaves = calloc(count, sizeof(int64_t));
    if (reader->names == NULL || reader->tables == NULL || reader->leaves == NULL) {
        reader->allowance->code = MILLRACE_NO_MEMORY;
        return false;
    }
    count_leaves(reader, columns);
    for (int32_t type = 0; type < reader->type_count; type++)
        prepare_name(&reader->names[type], names + reader->types[type].name_offset, reader->types[type].name_length);
    return true;
}

static int32_t read_batch(JsonReader *reader, Column *batch, int32_t layout, struct ArrowArray *out)
{
    const bool is_read =
        layout & JSON_IN_ARRAY ? read_elements(reader, batch, layout) : read_lines(reader, batch);
    if (is_read && reader->at == reader->end && export_batch(batch, out))
        return MILLRACE_OK;
    if (!is_read || reader->at != reader->end)
        close_batch(batch);
    if (reader->allowance->code != MILLRACE_OK)
        return reader->allowance->code;
    return reader->failed >= 0 ? MILLRACE_CONTRADICTED : MILLRACE_IRREGULAR;
}

/* Reads all rows of a text, which has MILLRACE_PADDING bytes behind it. `types` are `type_count`, the first `columns`
 * of them the batch's; `evidence` has a place for each of them, all zeros. Gives a code; `out` is filled if it is
 * MILLRACE_OK, otherwise `fault` says in which row, and where it begins. */
MILLRACE_EXPORT int32_t millrace_json_rows(const uint8_t *text, int64_t size, int32_t layout, const MillraceType *types,
                                           int32_t type_count, int32_t columns, const uint8_t *names,
                                           const JsonLimits *limits, JsonEvidence *evidence, struct ArrowArray *out,
                                           MillraceFault *fault)
{
    Allowance allowance = {.limit = limits->most_bytes};
    JsonReader reader = {
        .at = text,
        .end = text + size,
        .row = text,
        .types = types,
        .type_count = type_count,
        .evidence = evidence,
        .allowance = &allowance,
        .cells = limits->most_cells,
        .failed = -1,
        .raw = {.most_names = size},
    };
    Column *batch = NULL;
    if (open_reader(&reader, columns, names))
        batch = open_batch(types, columns, &allowance);
    const int32_t code = batch == NULL ? allowance.code : read_batch(&reader, batch, layout, out);
    *fault = (MillraceFault){.code = code, .column = reader.failed, .row = reader.rows, .byte = reader.row - text};
    close_reader(&reader);
    return code;
}
