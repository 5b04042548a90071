/* Values that have no values within them: booleans, numbers, strings; and any value as its text. */
#include "json_numbers.h"
#include "json_reader.h"
#include "json_text.h"
#include "utf8.h"

#define NO_SCALE (-1)
#define FIRST_INEXACT INT64_C(1000000000000000) /* integers from here on are not printed digit for digit by a double */

bool read_bool(JsonReader *reader, Column *column)
{
    const bool is_true = memcmp(reader->at, "true", 4) == 0;
    if (!is_true && memcmp(reader->at, "false", 5) != 0)
        return false;
    reader->at += is_true ? 4 : 5;
    return append_bool(column, is_true);
}

bool read_int64(JsonReader *reader, Column *column)
{
    JsonNumber number;
    if (!read_json_number(reader->at, &number) || !is_whole(&number) || number.count > MOST_DIGITS_OF_64_BITS)
        return false;
    if (number.digits > (uint64_t)INT64_MAX + number.is_negative)
        return false;
    const int64_t value = number.is_negative ? (int64_t)(0 - number.digits) : (int64_t)number.digits;
    JsonEvidence *evidence = evidence_of(reader, column);
    evidence->whole++;
    evidence->low = value < evidence->low ? value : evidence->low;
    evidence->high = value > evidence->high ? value : evidence->high;
    reader->at = number.end;
    return append_int64(column, value);
}

/* An integer in a column of doubles, some of which have a fraction. */
static bool append_whole_double(JsonReader *reader, Column *column, const JsonNumber *number)
{
    if (column->type->form != JSON_BARE || number->count > MOST_DIGITS_OF_64_BITS ||
        number->digits >= (uint64_t)FIRST_INEXACT)
        return false;
    const int64_t value = number->is_negative ? -(int64_t)number->digits : (int64_t)number->digits;
    JsonEvidence *evidence = evidence_of(reader, column);
    evidence->whole++;
    evidence->low = value < evidence->low ? value : evidence->low;
    evidence->high = value > evidence->high ? value : evidence->high;
    return append_float64(column, (double)value);
}

/* Digits behind the point that a decimal would need: 2 for 12.50. */
static int32_t find_scale(const JsonNumber *number)
{
    if (number->has_exponent || is_negative_zero(number) || number->fraction == 0)
        return NO_SCALE;
    return (int32_t)number->fraction;
}

static void note_number(JsonEvidence *evidence, const JsonNumber *number, const JudgedDouble *judged)
{
    const int32_t scale = find_scale(number), length = (int32_t)(number->end - number->begin);
    if (evidence->numbers == 0) {
        evidence->bare = evidence->dotted = KEPT_AS_TEXT;
        evidence->scale = scale;
    }
    evidence->numbers++;
    evidence->scale = evidence->scale == scale ? scale : NO_SCALE;
    evidence->longest = length > evidence->longest ? length : evidence->longest;
    evidence->bare = (int32_t)judged->bare < evidence->bare ? (int32_t)judged->bare : evidence->bare;
    evidence->dotted = (int32_t)judged->dotted < evidence->dotted ? (int32_t)judged->dotted : evidence->dotted;
}

bool read_float64(JsonReader *reader, Column *column)
{
    JsonNumber number;
    if (!read_json_number(reader->at, &number))
        return false;
    reader->at = number.end;
    if (is_whole(&number))
        return append_whole_double(reader, column, &number);
    JudgedDouble judged;
    if (!judge_double(&number, &judged))
        return false;
    /* What the column's form does not keep will widen it: that is decided by who knows all of the file. */
    if ((column->type->form == JSON_BARE ? judged.bare : judged.dotted) == KEPT_NOT)
        return false;
    note_number(evidence_of(reader, column), &number, &judged);
    return append_float64(column, judged.value);
}

bool read_decimal128(JsonReader *reader, Column *column)
{
    JsonNumber number;
    __int128 value;
    if (!read_json_number(reader->at, &number) || number.has_exponent)
        return false;
    const MillraceType *type = column->type;
    if (!read_decimal(number.begin, number.end - number.begin, type->precision, type->unit_or_scale, &value))
        return false;
    reader->at = number.end;
    return append_fixed(column, &value);
}

/* Appends the rest of a string, from its first escape on, to the column's bytes. */
static bool read_escapes(JsonReader *reader, Column *column, uint64_t *high)
{
    Buffer *values = &column->values;
    const uint8_t *at = reader->at;
    while (*at != '"') {
        if (!has_room(values, 16, column->allowance))
            return false;
        memcpy(values->bytes + values->size, at, 16);
        const int plain = count_plain(at, high);
        at += plain;
        values->size += plain;
        if (plain == 16 || *at == '"')
            continue;
        if (*at != '\\')
            return false; /* a control character, or the end of the text */
        const int32_t character = read_escape(&at);
        if (character < 0 || !has_room(values, LONGEST_UNESCAPED, column->allowance))
            return false;
        values->size += write_character(values->bytes + values->size, character);
    }
    reader->at = at + 1;
    return true;
}

static bool read_string(JsonReader *reader, Column *column)
{
    if (*reader->at != '"')
        return false;
    Buffer *values = &column->values;
    const int64_t begin = values->size;
    const uint8_t *at = reader->at + 1;
    uint64_t high = 0;
    /* Sixteen bytes are copied before it is known how many of them belong to the string: what is too much is written
     * over by the next one. */
    int plain;
    do {
        if (!has_room(values, 16, column->allowance))
            return false;
        memcpy(values->bytes + values->size, at, 16);
        plain = count_plain(at, &high);
        at += plain;
        values->size += plain;
    } while (plain == 16);
    reader->at = at + 1;
    if (RARELY(*at != '"')) {
        reader->at = at;
        if (!read_escapes(reader, column, &high))
            return false;
    }
    const int64_t length = values->size - begin;
    if (high && measure_utf8(values->bytes + begin, length) < length)
        return false;
    return end_text(column);
}

static bool read_empty_object(JsonReader *reader, Column *column)
{
    if (*reader->at != '{')
        return false;
    reader->at = skip_space(reader->at + 1);
    if (*reader->at != '}')
        return false;
    reader->at++;
    return append_text(column, (const uint8_t *)"{}", 2);
}

/* Any value, as its text. */
static bool read_any(JsonReader *reader, Column *column)
{
    RawWriter *raw = &reader->raw;
    JsonEvidence *evidence = evidence_of(reader, column);
    raw->at = reader->at;
    raw->column = column;
    raw->seen = evidence->kinds;
    const bool is_written = write_raw_value(raw);
    evidence->kinds = raw->seen;
    reader->at = raw->at;
    return is_written;
}

bool read_text(JsonReader *reader, Column *column)
{
    switch (column->type->form) {
    case JSON_NULLS:
        return false; /* nulls were read already */
    case JSON_EMPTY_OBJECTS:
        return read_empty_object(reader, column);
    case JSON_ANY:
        return read_any(reader, column);
    default:
        return read_string(reader, column);
    }
}
