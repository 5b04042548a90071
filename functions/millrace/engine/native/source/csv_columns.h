/* The columns of CSV: the second of two passes over a text, column after column by the index of the first. */
#ifndef MILLRACE_CSV_COLUMNS_H
#define MILLRACE_CSV_COLUMNS_H

#include "columns.h"
#include "csv_index.h"
#include "kernel.h"

/* The texts that mean missing, where they are not in quotes; the empty text does, too, unless it is a text. */
typedef struct {
    const uint8_t *texts; /* one after the other */
    const int32_t *lengths;
    int32_t count;
    bool empty_is_text;
} CsvNulls;

/* Forms of texts, in the type's `form`; of CSV_MISSING each value contradicts. */
enum { CSV_TEXT, CSV_MISSING };

/* Forms of nulls: a value contradicts, or nobody looks at the fields. */
enum { CSV_NOTHING, CSV_SKIPPED };

/* Forms of doubles: whole numbers are printed as 12.0, or bare, as 12. */
enum { CSV_DOTTED, CSV_BARE };

/* Forms of timestamps: the byte that separates date and time; a Z is behind it if the type is zoned. */

/* What a column becomes. */
typedef struct {
    Column *values; /* NULL if the column is left out */
    int32_t position;
    bool contradicts; /* a text is no value of the type, or is not printed back */
} CsvColumn;

/* Reads a column of the index's whole records; false without memory. What contradicts is said in the column. */
bool read_csv_column(const CsvIndex *index, const CsvNulls *nulls, CsvColumn *column);

#endif
