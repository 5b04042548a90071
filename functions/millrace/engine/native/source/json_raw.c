/* JSON values copied as text. Strings are nearly always copied as they are; escapes get the spelling of Python. */
#include "json_raw.h"

#include <stdlib.h>

#include "json_numbers.h"
#include "json_text.h"
#include "utf8.h"

#define MOST_RAW_DEPTH 100
#define MOST_WHOLE_DIGITS 4000 /* longer ones are integers or texts to Python; see values.py */

static bool write_value(RawWriter *writer, int32_t depth);

void close_raw(RawWriter *writer)
{
    free(writer->names);
    writer->names = NULL;
}

static bool write_bytes(RawWriter *writer, const void *bytes, int64_t count)
{
    Buffer *values = &writer->column->values;
    if (!has_room(values, count, writer->column->allowance))
        return false;
    memcpy(values->bytes + values->size, bytes, (size_t)count);
    values->size += count;
    return true;
}

static inline bool write_byte(RawWriter *writer, uint8_t byte)
{
    Buffer *values = &writer->column->values;
    if (!has_room(values, 1, writer->column->allowance))
        return false;
    values->bytes[values->size++] = byte;
    return true;
}

/* Writes a character that was an escape: again as one if it has to be, \n or \u001f, otherwise as itself. */
static bool write_escaped(RawWriter *writer, int32_t character)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] = "btn?fr"; /* of 8, 9, 10, 12 and 13 */
    uint8_t bytes[LONGEST_UNESCAPED];
    if (character == '"' || character == '\\') {
        const uint8_t pair[2] = {'\\', (uint8_t)character};
        return write_bytes(writer, pair, 2);
    }
    if (character >= 0x20)
        return write_bytes(writer, bytes, write_character(bytes, character));
    if (character >= '\b' && character <= '\r' && character != '\v') {
        const uint8_t pair[2] = {'\\', (uint8_t)letters[character - '\b']};
        return write_bytes(writer, pair, 2);
    }
    const uint8_t escape[6] = {'\\', 'u', '0', '0', (uint8_t)digits[character >> 4], (uint8_t)digits[character & 15]};
    return write_bytes(writer, escape, sizeof escape);
}

static bool write_with_escapes(RawWriter *writer, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        const uint8_t *plain = at;
        while (at < end && *at != '\\')
            at++;
        if (at > plain && !write_bytes(writer, plain, at - plain))
            return false;
        if (at == end)
            return true;
        const int32_t character = read_escape(&at);
        if (character < 0 || !write_escaped(writer, character))
            return false;
    }
    return true;
}

/* Writes the string that begins here, with its quotes. */
static bool write_string(RawWriter *writer)
{
    const uint8_t *begin = writer->at;
    bool has_escapes = false;
    uint64_t high = 0;
    const uint8_t *end = find_string_end(begin + 1, &has_escapes, &high);
    if (end == NULL || (high && measure_utf8(begin, end - begin) < end - begin))
        return false;
    writer->at = end + 1;
    if (!has_escapes)
        return write_bytes(writer, begin, end + 1 - begin);
    return write_byte(writer, '"') && write_with_escapes(writer, begin + 1, end) && write_byte(writer, '"');
}

static bool write_number(RawWriter *writer)
{
    JsonNumber number;
    if (!read_json_number(writer->at, &number))
        return false;
    if (is_whole(&number) && number.count > MOST_WHOLE_DIGITS)
        return false;
    writer->seen |= is_whole(&number) ? SEEN_WHOLE : SEEN_NUMBER;
    writer->at = number.end;
    return write_bytes(writer, number.begin, number.end - number.begin);
}

static bool write_literal(RawWriter *writer, const char *literal, int64_t length)
{
    if (memcmp(writer->at, literal, (size_t)length) != 0)
        return false;
    writer->at += length;
    return write_bytes(writer, literal, length);
}

static bool note_name(RawWriter *writer, NameSpan name)
{
    if (writer->name_count == writer->name_room) {
        if (writer->name_room >= writer->most_names) {
            writer->column->allowance->code = MILLRACE_TOO_MUCH;
            return false;
        }
        const int64_t room = writer->name_room > 0 ? 2 * writer->name_room : 64;
        NameSpan *names = realloc(writer->names, (size_t)room * sizeof(NameSpan));
        if (names == NULL) {
            writer->column->allowance->code = MILLRACE_NO_MEMORY;
            return false;
        }
        writer->names = names;
        writer->name_room = room;
    }
    writer->names[writer->name_count++] = name;
    return true;
}

/* Writes a member's name and its colon; moves to its value. */
static bool write_name(RawWriter *writer)
{
    const int64_t offset = writer->column->values.size;
    if (*writer->at != '"' || !write_string(writer))
        return false;
    if (!note_name(writer, (NameSpan){offset, writer->column->values.size - offset}))
        return false;
    writer->at = skip_space(writer->at);
    if (*writer->at != ':')
        return false;
    writer->at = skip_space(writer->at + 1);
    return write_byte(writer, ':');
}

/* Steps over the comma behind an item, or over the end of what it is in; false if neither is there. */
static bool step_behind_item(RawWriter *writer, uint8_t end, bool *has_next)
{
    writer->at = skip_space(writer->at);
    const uint8_t byte = *writer->at;
    *has_next = byte == ',';
    if (byte != ',' && byte != end)
        return false;
    writer->at++;
    if (*has_next)
        writer->at = skip_space(writer->at);
    return write_byte(writer, byte);
}

static bool write_list(RawWriter *writer, int32_t depth)
{
    writer->at = skip_space(writer->at + 1);
    if (!write_byte(writer, '['))
        return false;
    if (*writer->at == ']') {
        writer->at++;
        return write_byte(writer, ']');
    }
    bool has_next;
    do {
        if (!write_value(writer, depth + 1) || !step_behind_item(writer, ']', &has_next))
            return false;
    } while (has_next);
    return true;
}

static bool write_members(RawWriter *writer, int32_t depth)
{
    bool has_next;
    do {
        if (!write_name(writer) || !write_value(writer, depth + 1) || !step_behind_item(writer, '}', &has_next))
            return false;
    } while (has_next);
    return true;
}

static bool write_object(RawWriter *writer, int32_t depth)
{
    writer->at = skip_space(writer->at + 1);
    if (!write_byte(writer, '{'))
        return false;
    if (*writer->at == '}') {
        writer->at++;
        return write_byte(writer, '}');
    }
    const int64_t first = writer->name_count;
    if (!write_members(writer, depth))
        return false;
    const NamesAnswer answer =
        compare_names(writer->names + first, writer->name_count - first, writer->column->values.bytes);
    writer->name_count = first;
    return answer == NAMES_DIFFER;
}

static bool write_value(RawWriter *writer, int32_t depth)
{
    if (depth > MOST_RAW_DEPTH)
        return false;
    switch (*writer->at) {
    case '{':
        return write_object(writer, depth);
    case '[':
        return write_list(writer, depth);
    case '"':
        writer->seen |= SEEN_TEXT;
        return write_string(writer);
    case 't':
        writer->seen |= SEEN_BOOL;
        return write_literal(writer, "true", 4);
    case 'f':
        writer->seen |= SEEN_BOOL;
        return write_literal(writer, "false", 5);
    case 'n':
        return write_literal(writer, "null", 4);
    default:
        return write_number(writer);
    }
}

bool write_raw_value(RawWriter *writer)
{
    const int32_t seen = writer->seen;
    const uint8_t first = *writer->at;
    writer->seen = 0;
    if (!write_value(writer, 0))
        return false;
    /* What is within the value is not of its kind: of {"a": 1} an object is seen and no integer. */
    const bool is_nested = first == '{' || first == '[';
    const int32_t kind = is_nested ? (first == '{' ? SEEN_OBJECT : SEEN_LIST) : writer->seen;
    writer->seen = seen | kind;
    return end_text(writer->column);
}
