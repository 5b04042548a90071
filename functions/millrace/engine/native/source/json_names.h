/* Names of JSON objects: which field of a struct a name is, and whether names of an object are all different. */
#ifndef MILLRACE_JSON_NAMES_H
#define MILLRACE_JSON_NAMES_H

#include "bits.h"
#include "kernel.h"

/* What is compared of a name at once. */
#define PATTERN_SIZE 16

/* A field's name, ready to be compared with text: the name and its closing quote as two words, and which bits of them
 * count. Of a longer name these are the first bytes. */
typedef struct {
    const uint8_t *name;
    int64_t length;
    uint64_t pattern[2], mask[2];
    bool is_plain; /* JSON writes it without escapes, so its bytes are in the text as they are; others are looked up */
} FieldName;

void prepare_name(FieldName *field, const uint8_t *name, int64_t length);

/* Whether the text, which begins behind an opening quote, is a field's name and its closing quote. */
static inline bool begins_with_name(const FieldName *field, const uint8_t *text, const uint8_t *end)
{
    const uint64_t first = (load_8_bytes(text) ^ field->pattern[0]) & field->mask[0];
    const uint64_t second = (load_8_bytes(text + 8) ^ field->pattern[1]) & field->mask[1];
    if ((first | second) != 0 || RARELY(!field->is_plain))
        return false;
    if (field->length < PATTERN_SIZE)
        return true;
    return end - text > field->length && memcmp(text, field->name, (size_t)field->length) == 0 &&
           text[field->length] == '"';
}

/* The fields of one struct by their names: a hash table with a place for every field and as many empty ones. */
typedef struct {
    const FieldName *fields;
    int32_t *places; /* a field's number and 1; 0 is empty */
    uint32_t size;   /* a power of two */
} NameTable;

/* Makes the table; false if there is no memory, or if the names were made to have one hash. */
bool open_names(NameTable *table, const FieldName *fields, int32_t count);

void close_names(NameTable *table);

/* The number of the field of this name, which is without escapes; -1 if there is none. */
int32_t find_name(const NameTable *table, const uint8_t *name, int64_t length);

/* A name in bytes that are still growing: where it begins and how long it is. */
typedef struct {
    int64_t offset, length;
} NameSpan;

typedef enum { NAMES_DIFFER, NAMES_REPEAT, NAMES_UNKNOWN } NamesAnswer;

/* Whether some names of an object are the same; unknown without memory, or if they were made to have one hash. */
NamesAnswer compare_names(const NameSpan *names, int64_t count, const uint8_t *bytes);

#endif
