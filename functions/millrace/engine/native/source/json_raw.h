/* Any JSON value as the text that the exact parser writes of it: no white space, each string in one spelling. */
#ifndef MILLRACE_JSON_RAW_H
#define MILLRACE_JSON_RAW_H

#include "columns.h"
#include "json_names.h"

/* What of a value's kind is seen; as bits, so that kinds of many values are one number. */
typedef enum {
    SEEN_BOOL = 1,
    SEEN_WHOLE = 2,  /* numbers that Python sees as integers */
    SEEN_NUMBER = 4, /* other numbers */
    SEEN_TEXT = 8,
    SEEN_OBJECT = 16,
    SEEN_LIST = 32,
} SeenKind;

/* Writes values to a column of texts. */
typedef struct {
    const uint8_t *at; /* the place in the text; moves behind the value */
    Column *column;
    NameSpan *names; /* of the objects that are open, the innermost last */
    int64_t name_count, name_room, most_names;
    int32_t seen;
} RawWriter;

void close_raw(RawWriter *writer);

/* Writes the value that begins at the writer's place, which is no null, as one row; false if it is no JSON, repeats a
 * name, or is nested too deep. */
bool write_raw_value(RawWriter *writer);

#endif
