/* Names by hash, and names compared with each other. */
#include "json_names.h"

#include <stdlib.h>

#define FEW_NAMES 12   /* so many are compared sooner each with each */
#define MOST_PROBES 64 /* so many names in a row mean that they were made to be there */

static uint32_t hash_name(const uint8_t *name, int64_t length)
{
    /* FNV-1a. Names can be made that all have one hash: who probes counts the steps, and gives up. */
    uint32_t hash = 2166136261U;
    for (int64_t at = 0; at < length; at++)
        hash = (hash ^ name[at]) * 16777619U;
    return hash ^ hash >> 15;
}

static uint32_t find_table_size(int64_t count)
{
    uint32_t size = 4;
    while (size < 2 * count)
        size *= 2;
    return size;
}

void prepare_name(FieldName *field, const uint8_t *name, int64_t length)
{
    uint8_t pattern[PATTERN_SIZE] = {0}, mask[PATTERN_SIZE] = {0};
    *field = (FieldName){.name = name, .length = length, .is_plain = true};
    for (int64_t at = 0; at < length; at++)
        field->is_plain &= name[at] >= 0x20 && name[at] != '"' && name[at] != '\\';
    const int64_t compared = length < PATTERN_SIZE ? length : PATTERN_SIZE;
    memcpy(pattern, name, (size_t)compared);
    memset(mask, 0xff, (size_t)compared);
    if (length < PATTERN_SIZE) {
        pattern[length] = '"';
        mask[length] = 0xff;
    }
    memcpy(field->pattern, pattern, PATTERN_SIZE);
    memcpy(field->mask, mask, PATTERN_SIZE);
}

bool open_names(NameTable *table, const FieldName *fields, int32_t count)
{
    const uint32_t size = find_table_size(count);
    *table = (NameTable){.fields = fields, .places = calloc(size, sizeof(int32_t)), .size = size};
    if (table->places == NULL)
        return false;
    for (int32_t number = 0; number < count; number++) {
        const uint32_t first = hash_name(fields[number].name, fields[number].length);
        uint32_t place = first;
        while (table->places[place & (size - 1)] != 0)
            place++;
        if (place - first > MOST_PROBES) {
            close_names(table);
            return false;
        }
        table->places[place & (size - 1)] = number + 1;
    }
    return true;
}

void close_names(NameTable *table)
{
    free(table->places);
    table->places = NULL;
}

int32_t find_name(const NameTable *table, const uint8_t *name, int64_t length)
{
    uint32_t place = hash_name(name, length);
    for (;; place++) {
        const int32_t number = table->places[place & (table->size - 1)] - 1;
        if (number < 0)
            return -1;
        const FieldName *field = &table->fields[number];
        if (field->length == length && memcmp(field->name, name, (size_t)length) == 0)
            return number;
    }
}

static bool are_equal(NameSpan first, NameSpan second, const uint8_t *bytes)
{
    return first.length == second.length &&
           memcmp(bytes + first.offset, bytes + second.offset, (size_t)first.length) == 0;
}

static NamesAnswer compare_each(const NameSpan *names, int64_t count, const uint8_t *bytes)
{
    for (int64_t first = 0; first < count; first++)
        for (int64_t second = first + 1; second < count; second++)
            if (are_equal(names[first], names[second], bytes))
                return NAMES_REPEAT;
    return NAMES_DIFFER;
}

/* Puts name after name into a table: one that is there already is repeated. */
static NamesAnswer compare_by_hash(const NameSpan *names, int64_t count, const uint8_t *bytes)
{
    const uint32_t size = find_table_size(count);
    int32_t *places = calloc(size, sizeof(int32_t));
    if (places == NULL)
        return NAMES_UNKNOWN;
    NamesAnswer answer = NAMES_DIFFER;
    for (int64_t number = 0; number < count && answer == NAMES_DIFFER; number++) {
        const uint32_t first = hash_name(bytes + names[number].offset, names[number].length);
        uint32_t place = first;
        while (places[place & (size - 1)] != 0 && answer == NAMES_DIFFER) {
            if (are_equal(names[places[place & (size - 1)] - 1], names[number], bytes))
                answer = NAMES_REPEAT;
            else if (++place - first > MOST_PROBES)
                answer = NAMES_UNKNOWN;
        }
        places[place & (size - 1)] = (int32_t)number + 1;
    }
    free(places);
    return answer;
}

NamesAnswer compare_names(const NameSpan *names, int64_t count, const uint8_t *bytes)
{
    if (count <= FEW_NAMES)
        return compare_each(names, count, bytes);
    if (count > (1 << 28))
        return NAMES_UNKNOWN;
    return compare_by_hash(names, count, bytes);
}
