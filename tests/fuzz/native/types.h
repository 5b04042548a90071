/* Types from the fuzzer's choices: a few columns, nested a little, as Python would describe them. */

#ifndef MILLRACE_FUZZ_TYPES_H
#define MILLRACE_FUZZ_TYPES_H

#include "../../../functions/millrace/engine/native/source/arrow_c.h"
#include "input.h"

#define MOST_TYPES 48
#define MOST_NESTED 3

/* A schema, as `SchemaForC` of seam.py. */
typedef struct {
    MillraceType types[MOST_TYPES];
    int32_t count;
    int32_t columns;
    uint8_t names[MOST_TYPES]; /* one letter each: column 0 is "a" */
} Schema;

/* Kinds that `allowed` lists; each byte of the input chooses one. */
static inline void fill_type(Schema *schema, Input *input, int32_t at, const int32_t *allowed, int32_t choices)
{
    MillraceType *type = &schema->types[at];
    const uint8_t choice = take_byte(input);
    *type = (MillraceType){.kind = allowed[choice % choices], .name_offset = at, .name_length = 1};
    schema->names[at] = (uint8_t)('a' + at % 26);
    const uint8_t detail = take_byte(input);
    type->form = 0;
    type->flags = MILLRACE_NULLABLE;
    switch (type->kind) {
    case KIND_DECIMAL128:
        type->precision = 1 + detail % 38;
        type->unit_or_scale = detail / 7 % (type->precision + 1);
        break;
    case KIND_DECIMAL256:
        type->precision = 1 + detail % 76;
        type->unit_or_scale = detail / 3 % (type->precision + 1);
        break;
    case KIND_FIXED_BINARY:
        type->precision = detail % 40;
        break;
    case KIND_TIME32:
        type->unit_or_scale = detail % 2;
        break;
    case KIND_TIME64:
        type->unit_or_scale = 2 + detail % 2;
        break;
    case KIND_TIMESTAMP:
        type->unit_or_scale = detail % 4;
        type->flags |= detail & 4 ? MILLRACE_ZONED : 0;
        break;
    case KIND_DURATION:
        type->unit_or_scale = detail % 4;
        break;
    default:
        break;
    }
}

static inline void fill_children(Schema *schema, Input *input, int32_t at, const int32_t *allowed, int32_t choices,
                                 int32_t depth);

/* Siblings behind each other, then what is below them, as `describe_schema` lays them out. */
static inline void fill_siblings(Schema *schema, Input *input, int32_t count, const int32_t *allowed, int32_t choices,
                                 int32_t depth)
{
    const int32_t first = schema->count;
    schema->count += count;
    for (int32_t sibling = 0; sibling < count; sibling++) {
        fill_type(schema, input, first + sibling, allowed, choices);
    }
    for (int32_t sibling = 0; sibling < count; sibling++) {
        fill_children(schema, input, first + sibling, allowed, choices, depth);
    }
}

static inline void fill_children(Schema *schema, Input *input, int32_t at, const int32_t *allowed, int32_t choices,
                                 int32_t depth)
{
    MillraceType *type = &schema->types[at];
    const bool is_nested = type->kind == KIND_LIST || type->kind == KIND_STRUCT || type->kind == KIND_MAP;
    if (!is_nested) {
        return;
    }
    if (depth >= MOST_NESTED || schema->count + 6 > MOST_TYPES) {
        type->kind = KIND_STRING;
        return;
    }
    type->first_child = schema->count;
    type->children = type->kind == KIND_STRUCT ? 1 + take_byte(input) % 3 : 1;
    if (type->kind != KIND_MAP) {
        fill_siblings(schema, input, type->children, allowed, choices, depth + 1);
        return;
    }
    /* A map's child is a struct of a text and a value. */
    const int32_t entries = schema->count++;
    schema->types[entries] = (MillraceType){.kind = KIND_STRUCT, .first_child = schema->count, .children = 2};
    const int32_t key = schema->count;
    fill_siblings(schema, input, 2, allowed, choices, MOST_NESTED);
    schema->types[key].kind = KIND_STRING;
    schema->types[key].children = 0;
}

static inline Schema take_schema(Input *input, const int32_t *allowed, int32_t choices)
{
    Schema schema = {0};
    schema.columns = 1 + take_byte(input) % 5;
    fill_siblings(&schema, input, schema.columns, allowed, choices, 0);
    return schema;
}

static inline bool is_valid_row(const struct ArrowArray *array, int64_t row)
{
    const uint8_t *bits = array->buffers[0];
    return bits == NULL || (bits[row >> 3] >> (row & 7) & 1);
}

static inline bool has_offsets(const MillraceType *type)
{
    return type->kind == KIND_STRING || type->kind == KIND_BINARY || type->kind == KIND_LIST || type->kind == KIND_MAP;
}

/* Reads every byte that a reader of the array would, so that the sanitizer sees what is missing; checks the counts. */
static inline void read_array(const struct ArrowArray *array, const MillraceType *types, const MillraceType *type)
{
    int64_t nulls = 0;
    volatile uint8_t seen = 0;
    for (int64_t row = 0; row < array->length && array->n_buffers > 0; row++) {
        nulls += !is_valid_row(array, row);
        if (!has_offsets(type)) {
            continue;
        }
        const int32_t *ends = array->buffers[1];
        REQUIRE(ends[0] == 0 && ends[row] <= ends[row + 1]);
        REQUIRE(is_valid_row(array, row) || ends[row] == ends[row + 1]);
        for (int32_t byte = ends[row]; array->n_buffers == 3 && byte < ends[row + 1]; byte++) {
            seen = seen ^ ((const uint8_t *)array->buffers[2])[byte];
        }
    }
    REQUIRE(array->n_buffers == 0 || nulls == array->null_count);
    for (int32_t child = 0; child < type->children; child++) {
        const int64_t length = array->children[child]->length;
        REQUIRE(type->kind != KIND_STRUCT || length == array->length);
        REQUIRE(type->kind == KIND_STRUCT || length == ((const int32_t *)array->buffers[1])[array->length]);
        read_array(array->children[child], types, &types[type->first_child + child]);
    }
}

#endif
