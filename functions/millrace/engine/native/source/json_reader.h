/* What reading rows has at hand: the place in the text, the schema, and what was seen. */
#ifndef MILLRACE_JSON_READER_H
#define MILLRACE_JSON_READER_H

#include "json_names.h"
#include "json_raw.h"
#include "json_rows.h"

typedef struct {
    const uint8_t *at, *end;
    const uint8_t *row; /* where the row begins that is being read */
    int64_t rows;       /* how many were read before it */
    const MillraceType *types;
    int32_t type_count;
    FieldName *names;       /* of each type */
    NameTable *tables;      /* of each type that is a struct, and of the batch; made when it is needed */
    JsonEvidence *evidence; /* of each type */
    int64_t *leaves;        /* fields without fields of their own within each type, and in all columns */
    RawWriter raw;
    Buffer scratch; /* a name that is written with escapes */
    Allowance *allowance;
    int64_t cells;  /* left to fill */
    int32_t failed; /* the column that a value did not fit, -1 if it was something else */
} JsonReader;

static inline int64_t index_of(const JsonReader *reader, const Column *column)
{
    return column->type - reader->types;
}

static inline JsonEvidence *evidence_of(JsonReader *reader, const Column *column)
{
    return &reader->evidence[index_of(reader, column)];
}

/* Each reads the value that begins at the place, which is no null, to a column of its type, and moves behind it; false if
 * the value is not of the type, or has no proof. Texts may be any JSON values, by the column's form. */
bool read_bool(JsonReader *reader, Column *column);
bool read_int64(JsonReader *reader, Column *column);
bool read_float64(JsonReader *reader, Column *column);
bool read_decimal128(JsonReader *reader, Column *column);
bool read_text(JsonReader *reader, Column *column);

#endif
