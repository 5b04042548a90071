/* What Python calls to read CSV, as `csv.py` has it. */
#ifndef MILLRACE_CSV_H
#define MILLRACE_CSV_H

#include "arrow_c.h"
#include "kernel.h"

/* How Python says what cuts the text, and what means missing. */
typedef struct {
    uint8_t delimiter;
    uint8_t quote;
    uint8_t has_quote;
    uint8_t has_trailing; /* each record ends in a delimiter, with nothing or a null value behind it */
    uint8_t empty_is_text; /* a field of no characters is the empty text, and not missing */
    int32_t width;        /* how many fields a record has, the one behind such a delimiter counted */
    int32_t nulls;
    const uint8_t *null_texts; /* one after the other */
    const int32_t *null_lengths;
} MillraceCsv;

int32_t millrace_csv(const MillraceCsv *csv, const MillraceType *types, const uint8_t *text, int64_t size, int64_t limit,
                     uint8_t *as_text, struct ArrowArray *out);

/* What cuts a text into records: `has_blank_rows` if an empty line is one, too. */
typedef struct {
    uint8_t delimiter;
    uint8_t quote;
    uint8_t has_quote;
    uint8_t has_blank_rows;
} MillraceCsvGrammar;

/* What a piece of text holds: the offset of its first record, -1 without one; how many records end in it, and how many
 * lines, those within quotes, too; and whether its end is within quotes. */
typedef struct {
    int64_t first;
    int64_t ended;
    int64_t lines;
    int64_t is_open;
} MillraceCsvPiece;

void millrace_csv_scan(const MillraceCsvGrammar *grammar, bool is_open, const uint8_t *text, int64_t size,
                       MillraceCsvPiece *found);

#endif
