/* One tight loop for each type: a field is a word or two, and reading it is the proof that it is printed back. */
#include "csv_columns.h"

#include "numbers.h"
#include "times.h"

/* A field's text, within its quotes if it has some. */
typedef struct {
    const uint8_t *text;
    int64_t length;
    bool is_quoted;
} Field;

/* The fields of one column, in the order of rows. */
typedef struct {
    const CsvIndex *index;
    const CsvNulls *nulls;
    const uint32_t *ends; /* of the field before, and of this one */
    bool has_loose_starts;
} Fields;

static inline Fields fields_of(const CsvIndex *index, const CsvNulls *nulls, const CsvColumn *column)
{
    const bool has_loose_starts = index->has_loose_starts && column->position == 0;
    return (Fields){index, nulls, index->ends + column->position, has_loose_starts};
}

/* The next field as the text has it. */
static inline Field next_field(Fields *fields)
{
    const uint32_t start = fields->ends[0] + 1, end = fields->ends[1];
    fields->ends += fields->index->shape->width;
    return (Field){fields->index->text + start, (int64_t)end - start, false};
}

/* Passes over the line ends that the index left before a record: half of \r\n, or blank lines. */
static void skip_line_ends(const Fields *fields, Field *field)
{
    if (fields->index->shape->width == 1) { /* a blank line is a row here: only the half of a line end is none */
        const bool is_half = field->text > fields->index->text && field->text[-1] == '\r' && field->text[0] == '\n';
        field->text += is_half;
        field->length -= is_half;
        return;
    }
    while (field->length && (*field->text == '\n' || *field->text == '\r')) {
        field->text++;
        field->length--;
    }
}

static bool is_null_value(const CsvNulls *nulls, const Field *field)
{
    const uint8_t *text = nulls->texts;
    for (int32_t number = 0; number < nulls->count; number++) {
        if (nulls->lengths[number] == field->length && memcmp(text, field->text, (size_t)field->length) == 0)
            return true;
        text += nulls->lengths[number];
    }
    return false;
}

/* Makes of a field as the text has it the field that is meant; false if it is missing. */
static bool find_value(const Fields *fields, Field *field)
{
    const CsvShape *shape = fields->index->shape;
    if (fields->has_loose_starts)
        skip_line_ends(fields, field);
    if (!field->length)
        return fields->nulls->empty_is_text;
    if (shape->has_quote && field->text[0] == shape->quote) {
        *field = (Field){field->text + 1, field->length - 2, true};
        return true;
    }
    return !is_null_value(fields->nulls, field);
}

/* Reads a field's value of a type; false if it is no such value, or is not printed back. */
typedef bool ReadValue(const Field *field, const MillraceType *type, void *value);

/* Reads one value, or marks it missing; false without memory, or if it contradicts. */
static bool read_rare(const Fields *fields, Field *field, CsvColumn *column, int64_t row, ReadValue *read, void *value)
{
    if (!find_value(fields, field))
        return mark_null(column->values, row);
    column->contradicts = !read(field, column->values->type, value);
    return !column->contradicts;
}

/* Reads a column whose values have `size` bytes each. */
static inline __attribute__((always_inline)) bool read_values(Fields fields, CsvColumn *column, ReadValue *read, size_t size)
{
    Column *values = column->values;
    const int64_t first = values->length, rows = count_rows(fields.index);
    if (rows == 0)
        return true; /* without bytes there may be NULL, and NULL + 0 has no meaning in C */
    if (!reserve_rows(values, rows))
        return false;
    const bool may_be_null_value = fields.nulls->count > 0;
    uint8_t *next = values->values.bytes + values->values.size;
    for (int64_t row = 0; row < rows; row++, next += size) {
        Field field = next_field(&fields);
        /* Nearly every field is a value as it is: what else it may be is asked only if it is none. */
        if (OFTEN(!may_be_null_value && read(&field, values->type, next)))
            continue;
        memset(next, 0, size);
        if (!read_rare(&fields, &field, column, first + row, read, next))
            return column->contradicts;
    }
    set_length(values, first + rows);
    return true;
}

static inline bool read_int64(const Field *field, const MillraceType *type, void *value)
{
    (void)type;
    return read_integer(field->text, field->length, value);
}

static inline bool read_bare(const Field *field, const MillraceType *type, void *value)
{
    (void)type;
    return read_double(field->text, field->length, DOUBLE_BARE, value);
}

static inline bool read_dotted(const Field *field, const MillraceType *type, void *value)
{
    (void)type;
    return read_double(field->text, field->length, DOUBLE_DOTTED, value);
}

static inline bool read_decimal128(const Field *field, const MillraceType *type, void *value)
{
    __int128 number;
    if (!read_decimal(field->text, field->length, type->precision, type->unit_or_scale, &number))
        return false;
    memcpy(value, &number, sizeof number); /* the place is aligned to 8 bytes only */
    return true;
}

static inline bool read_date32(const Field *field, const MillraceType *type, void *value)
{
    (void)type;
    return read_date(field->text, field->length, value);
}

static inline bool read_moment(const Field *field, const MillraceType *type, void *value)
{
    static const uint8_t digits[] = {[UNIT_SECOND] = 0, [UNIT_MILLI] = 3, [UNIT_MICRO] = 6, [UNIT_NANO] = 9};
    const TimestampForm form = {.separator = (uint8_t)type->form,
                                .digits = digits[type->unit_or_scale & 3],
                                .zoned = (type->flags & MILLRACE_ZONED) != 0};
    return read_timestamp(field->text, field->length, &form, value);
}

/* Reads "true" and "false", as bytes 1 and 0. */
static bool read_boolean(const Field *field, const MillraceType *type, void *value)
{
    (void)type;
    const uint8_t is_true = field->length == 4;
    memcpy(value, &is_true, 1);
    if (is_true)
        return memcmp(field->text, "true", 4) == 0;
    return field->length == 5 && memcmp(field->text, "false", 5) == 0;
}

static bool read_booleans(Fields fields, CsvColumn *column)
{
    Column *values = column->values;
    const int64_t first = values->length, rows = count_rows(fields.index);
    if (!reserve_rows(values, rows))
        return false;
    for (int64_t row = first; row < first + rows; row++) {
        Field field = next_field(&fields);
        uint8_t is_true = 0;
        if (!read_rare(&fields, &field, column, row, read_boolean, &is_true))
            return column->contradicts;
        values->values.bytes[row >> 3] |= (uint8_t)(is_true << (row & 7));
    }
    set_length(values, first + rows);
    return true;
}

/* The text of a quoted field: of `a ""b""` it is `a "b"`. */
static int64_t copy_without_pairs(uint8_t *to, const Field *field, uint8_t quote)
{
    const uint8_t *from = field->text, *end = field->text + field->length;
    uint8_t *next = to;
    while (from < end) {
        const uint8_t *pair = memchr(from, quote, (size_t)(end - from));
        const int64_t part = (pair ? pair + 1 : end) - from; /* the first of two quotes is kept */
        memcpy(next, from, (size_t)part);
        next += part;
        from += part + (pair != NULL);
    }
    return next - to;
}

/* Copies a field; up to 15 bytes more are read and written, so that most fields are one move. */
static inline int64_t copy_text(uint8_t *to, const Field *field)
{
    if (field->length > 64) {
        memcpy(to, field->text, (size_t)field->length);
        return field->length;
    }
    for (int64_t at = 0; at < field->length; at += 16)
        memcpy(to + at, field->text + at, 16);
    return field->length;
}

/* How many bytes of text the whole records have for this column, at most. */
static int64_t measure_texts(Fields fields)
{
    const int64_t rows = count_rows(fields.index);
    int64_t sum = 0;
    for (int64_t row = 0; row < rows; row++)
        sum += next_field(&fields).length;
    return sum;
}

static bool read_texts(Fields fields, CsvColumn *column)
{
    Column *values = column->values;
    const int64_t first = values->length, rows = count_rows(fields.index);
    if (!reserve_rows(values, rows) || !has_room(&values->values, measure_texts(fields) + 15, values->allowance))
        return false;
    uint8_t *next = values->values.bytes + values->values.size;
    uint8_t *end = values->offsets.bytes + values->offsets.size;
    for (int64_t row = first; row < first + rows; row++, end += 4) {
        Field field = next_field(&fields);
        if (!find_value(&fields, &field)) {
            if (!mark_null(values, row))
                return false;
        } else if (field.is_quoted && fields.index->has_pairs) {
            next += copy_without_pairs(next, &field, fields.index->shape->quote);
        } else {
            next += copy_text(next, &field);
        }
        const int32_t size = (int32_t)(next - values->values.bytes); /* less than the text's, which has 31 bits */
        memcpy(end, &size, 4);
    }
    values->values.size = next - values->values.bytes;
    set_length(values, first + rows);
    return true;
}

/* Reads a column that has no value: one that had none so far, or what is behind a delimiter that ends each record. */
static bool read_nothing(Fields fields, CsvColumn *column)
{
    const int64_t rows = count_rows(fields.index);
    if (column->values->type->kind == KIND_NULL && column->values->type->form == CSV_SKIPPED) {
        column->values->length += rows;
        return true;
    }
    for (int64_t row = 0; row < rows; row++) {
        Field field = next_field(&fields);
        /* Behind the last delimiter an empty text is nothing, too; a column without values has none. */
        column->contradicts = find_value(&fields, &field) && (field.length || column->values->layout == LAYOUT_TEXT);
        if (column->contradicts)
            return true;
        if (!append_null(column->values))
            return false;
    }
    return true;
}

static bool read_doubles(Fields fields, CsvColumn *column)
{
    if (column->values->type->form == CSV_BARE)
        return read_values(fields, column, read_bare, 8);
    return read_values(fields, column, read_dotted, 8);
}

static bool read_strings(Fields fields, CsvColumn *column)
{
    if (column->values->type->form == CSV_MISSING)
        return read_nothing(fields, column);
    return read_texts(fields, column);
}

bool read_csv_column(const CsvIndex *index, const CsvNulls *nulls, CsvColumn *column)
{
    const Fields fields = fields_of(index, nulls, column);
    switch (column->values->type->kind) {
    case KIND_INT64:
        return read_values(fields, column, read_int64, 8);
    case KIND_FLOAT64:
        return read_doubles(fields, column);
    case KIND_DECIMAL128:
        return read_values(fields, column, read_decimal128, 16);
    case KIND_DATE32:
        return read_values(fields, column, read_date32, 4);
    case KIND_TIMESTAMP:
        return read_values(fields, column, read_moment, 8);
    case KIND_BOOL:
        return read_booleans(fields, column);
    case KIND_NULL:
        return read_nothing(fields, column);
    case KIND_STRING:
        return read_strings(fields, column);
    default: /* a kind that Python did not mean to ask for */
        column->contradicts = true;
        return true;
    }
}
