/* Where the fields of a piece of CSV end: the first of two passes over a text.
 *
 * Of the text "id,name\n1,\"a,b\"\n" and two columns the ends are 2, 7, 9 and 15: the comma in quotes ends nothing. The
 * second pass (csv_columns.c) reads column after column by this index, and looks for no delimiter any more. */
#ifndef MILLRACE_CSV_INDEX_H
#define MILLRACE_CSV_INDEX_H

#include "bits.h"

/* What cuts a text into fields, and how many of them a record has. */
typedef struct {
    uint8_t delimiter;
    uint8_t quote;
    bool has_quote;
    int32_t width;
} CsvShape;

/* A text on its way into an index. All offsets count from the text's beginning, which is a record's beginning. */
typedef struct {
    const CsvShape *shape;
    const uint8_t *text;
    int64_t size;     /* of the text; the last byte is a line end, and 64 bytes behind it may be read */
    int64_t position; /* what is before it is in the index */
    uint32_t *ends;   /* ends[0] is one before the first field; ends[n] is where the n-th field ends */
    int64_t count;    /* of fields in the index */
    int64_t row_end;  /* the number that the field before the next line end must have */
    int64_t blank_end; /* where the last blank line ends that was passed over */
    uint64_t in_quotes; /* all bits, if the next byte is within quotes, else none */
    bool after_edge;    /* whether the byte before is a delimiter, a line end or a quote, or there is none */
    bool after_closing; /* whether it is a quote that closes */
    bool after_return;  /* whether it is a carriage return */
    bool has_loose_starts; /* whether line ends may be left before a record: half of \r\n, or blank lines */
    bool has_pairs;        /* whether a quoted field has a doubled quote */
} CsvIndex;

/* Begins a text whose room for ends is enough for a record and `MILLRACE_PIECE` bytes; see `count_ends`. */
void begin_index(CsvIndex *index, const CsvShape *shape, const uint8_t *text, int64_t size, uint32_t *ends);

/* How many ends an index needs room for. */
int64_t count_ends(const CsvShape *shape);

/* Goes on until a piece's records are in the index, or until `stop`; false if the text is irregular.
 *
 * Irregular are a record of another width, a quote inside of a field, text behind a closing quote. */
bool extend_index(CsvIndex *index, int64_t stop);

/* The offset after the last line end outside of quotes, 0 without one; -1 where quotes before it are irregular, or may
 * be. A carriage return that is the last byte may be half of a line end, and is none. The shape's width is no matter. */
int64_t find_last_record_end(const CsvShape *shape, const uint8_t *text, int64_t size);

/* How many whole records are in the index. */
static inline int64_t count_rows(const CsvIndex *index)
{
    return (index->row_end - 1) / index->shape->width;
}

/* Forgets the whole records of the index. */
void drop_rows(CsvIndex *index);

#endif
