/* Rows of JSON text as a batch of a given schema: what Python calls. */
#ifndef MILLRACE_JSON_ROWS_H
#define MILLRACE_JSON_ROWS_H

#include "columns.h"

/* Numbers of `form` in `MillraceType`; `json.py` has the same. */
typedef enum {
    JSON_PLAIN,         /* the kind says all */
    JSON_BARE,          /* doubles that are printed as 5, among them integers */
    JSON_NULLS,         /* texts of a field of which no value was seen: nulls alone fit */
    JSON_ANY,           /* texts that are JSON values themselves */
    JSON_EMPTY_OBJECTS, /* the same, but {} is the only value */
} JsonForm;

/* Bits of `layout`: how the rows are in the text. */
#define JSON_IN_ARRAY 1
#define JSON_FIRST_OF_ARRAY 2 /* it begins with the array's bracket */
#define JSON_LAST_OF_ARRAY 4  /* it ends with the array's bracket; otherwise with a comma */

/* What is known of the numbers in one field of the text; of a field of JSON_ANY `kinds` alone. */
typedef struct {
    int64_t whole; /* how many integers, the least and the largest (0 is always between them) */
    int64_t low, high;
    int64_t numbers;      /* how many others */
    int32_t bare, dotted; /* how well all of those are kept by the two forms of doubles, as `Kept` */
    int32_t scale;        /* digits behind the point; -1: not as many everywhere, or an exponent, or a zero with a minus */
    int32_t longest;      /* the most bytes of one of those */
    int32_t kinds;        /* bits of `SeenKind` */
    int32_t reserved;
} JsonEvidence;

typedef struct {
    int64_t most_bytes; /* of the batch */
    int64_t most_cells; /* of the batch: values, missing ones included */
} JsonLimits;

#endif
