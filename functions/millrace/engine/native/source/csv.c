/* CSV text into a batch of Arrow: `millrace_csv` and what holds its two passes together. */
#include "csv.h"

#include "csv_columns.h"
#include "utf8.h"

#include <stdlib.h>

typedef struct {
    CsvShape shape;
    CsvNulls nulls;
    CsvColumn *columns; /* as many as the shape is wide */
    uint32_t *ends;
    bool has_contradiction;
    bool has_room; /* for all of the text, as far as its beginning can say */
} CsvReading;

/* Reads all columns of the index's whole records. */
static MillraceCode read_columns(CsvReading *reading, const CsvIndex *index)
{
    for (int32_t position = 0; position < reading->shape.width; position++) {
        CsvColumn *column = &reading->columns[position];
        if (!column->values || column->contradicts)
            continue;
        if (!read_csv_column(index, &reading->nulls, column))
            return MILLRACE_NO_MEMORY;
        reading->has_contradiction |= column->contradicts;
    }
    return MILLRACE_OK;
}

/* Makes room for a text's other records, as the first ones are: growing step by step would copy what is there. */
static void make_room(CsvReading *reading, double more)
{
    for (int32_t position = 0; position < reading->shape.width; position++) {
        Column *values = reading->columns[position].values;
        if (!values || !reserve_rows(values, (int64_t)(more * (double)values->length)))
            continue; /* without room it grows, and fails if it must */
        if (values->layout == LAYOUT_TEXT)
            has_room(&values->values, (int64_t)(more * (double)values->values.size), values->allowance);
    }
}

/* Reads records from the text's beginning up to `stop`, piece by piece; `done` is where the first one not read begins. */
static MillraceCode read_pieces(CsvReading *reading, const uint8_t *text, int64_t size, int64_t stop, int64_t *done)
{
    CsvIndex index;
    begin_index(&index, &reading->shape, text, size, reading->ends);
    while (index.position < stop) {
        if (!extend_index(&index, stop))
            return MILLRACE_IRREGULAR;
        const MillraceCode code = read_columns(reading, &index);
        if (code != MILLRACE_OK)
            return code;
        drop_rows(&index);
        *done = (uint32_t)(index.ends[0] + 1);
        if (!reading->has_room && *done) {
            reading->has_room = true;
            make_room(reading, 1.05 * (double)(size - *done) / (double)*done);
        }
    }
    *done = (uint32_t)(index.ends[0] + 1);
    return MILLRACE_OK;
}

/* Copies what is left of a text, with a line end and 64 bytes behind it. */
static uint8_t *copy_tail(const uint8_t *text, int64_t *size)
{
    uint8_t *copy = malloc((size_t)*size + 1 + MILLRACE_PADDING);
    if (!copy)
        return NULL;
    memcpy(copy, text, (size_t)*size);
    const uint8_t last = copy[*size - 1];
    if (last != '\n' && last != '\r')
        copy[(*size)++] = '\n';
    memset(copy + *size, 0, MILLRACE_PADDING);
    return copy;
}

/* Reads all records of a text. */
static MillraceCode read_text(CsvReading *reading, const uint8_t *text, int64_t size)
{
    /* A field may be read 64 bytes beyond its end: of the text itself only what has so much behind it is read. */
    int64_t done = 0;
    MillraceCode code = read_pieces(reading, text, size, size - 64 - MILLRACE_PADDING + 1, &done);
    if (code != MILLRACE_OK)
        return code;
    if (done && done < size && text[done - 1] == '\r' && text[done] == '\n')
        done++;
    int64_t left = size - done;
    if (!left)
        return MILLRACE_OK;
    uint8_t *copy = copy_tail(text + done, &left);
    if (!copy)
        return MILLRACE_NO_MEMORY;
    code = read_pieces(reading, copy, left, left, &done);
    free(copy);
    return code;
}

/* Opens what a text's reading needs: the index's room and the columns, which are those of a batch. */
static bool open_reading(CsvReading *reading, const MillraceCsv *csv, Column *batch)
{
    *reading = (CsvReading){
        .shape = {csv->delimiter, csv->quote, csv->has_quote, csv->width},
        .nulls = {csv->null_texts, csv->null_lengths, csv->nulls, csv->empty_is_text},
    };
    reading->columns = calloc((size_t)csv->width, sizeof(CsvColumn));
    reading->ends = malloc((size_t)count_ends(&reading->shape) * sizeof(uint32_t));
    if (!reading->columns || !reading->ends)
        return false;
    for (int32_t position = 0; position < csv->width; position++)
        reading->columns[position] = (CsvColumn){.values = &batch->children[position], .position = position};
    return true;
}

static void close_reading(CsvReading *reading)
{
    free(reading->columns);
    free(reading->ends);
}

/* Puts an empty column of text in the place of each one with a contradiction, and leaves out the others. */
static bool ask_for_text(CsvReading *reading, Column *batch, uint8_t *as_text)
{
    static const MillraceType text = {.kind = KIND_STRING, .form = CSV_TEXT};
    for (int32_t position = 0; position < reading->shape.width; position++) {
        CsvColumn *column = &reading->columns[position];
        as_text[position] = column->contradicts;
        if (!column->contradicts) {
            column->values = NULL;
            continue;
        }
        column->contradicts = false;
        Column *other = open_batch(&text, 1, batch->allowance);
        if (!other)
            return false;
        const Column rest = *column->values;
        *column->values = other->children[0];
        other->children[0] = rest;
        close_batch(other);
    }
    return true;
}

/* Reads a text once more for the columns with a contradiction, as text. */
static MillraceCode read_contradicting(CsvReading *reading, Column *batch, const uint8_t *text, int64_t size,
                                       uint8_t *as_text)
{
    if (!ask_for_text(reading, batch, as_text))
        return MILLRACE_NO_MEMORY;
    return read_text(reading, text, size);
}

/* Whether a value is behind a delimiter that should have none behind it. */
static bool has_value_at_end(const MillraceCsv *csv, const CsvReading *reading)
{
    return csv->has_trailing && reading->columns[csv->width - 1].contradicts;
}

/* Fills a batch that was opened for the columns of the text. */
static MillraceCode fill_batch(const MillraceCsv *csv, Column *batch, const uint8_t *text, int64_t size, uint8_t *as_text)
{
    CsvReading reading;
    MillraceCode code = MILLRACE_NO_MEMORY;
    if (open_reading(&reading, csv, batch))
        code = read_text(&reading, text, size);
    if (code == MILLRACE_OK && has_value_at_end(csv, &reading))
        code = MILLRACE_IRREGULAR;
    if (code == MILLRACE_OK && reading.has_contradiction)
        code = read_contradicting(&reading, batch, text, size, as_text);
    close_reading(&reading);
    batch->length = batch->children[0].length;
    batch->child_count -= csv->has_trailing; /* that column has no buffer, and is none of the batch */
    return code;
}

/* Reads whole records of CSV, less than 2 GB of text, into a batch of the types, a type for each field of a record.
 *
 * A column with a text that is no value of its type comes as text: `as_text`, a byte for each column, says which. */
MILLRACE_EXPORT int32_t millrace_csv(const MillraceCsv *csv, const MillraceType *types, const uint8_t *text,
                                     int64_t size, int64_t limit, uint8_t *as_text, struct ArrowArray *out)
{
    if (size < 1 || size > INT32_MAX - 64 || csv->width < 1 + csv->has_trailing)
        return (int32_t)MILLRACE_TOO_MUCH;
    if (measure_utf8(text, size) < size)
        return (int32_t)MILLRACE_NOT_UTF8;
    Allowance allowance = {.limit = limit};
    Column *batch = open_batch(types, csv->width, &allowance);
    if (!batch)
        return allowance.code;
    const MillraceCode code = fill_batch(csv, batch, text, size, as_text);
    if (code == MILLRACE_OK)
        return export_batch(batch, out) ? (int32_t)MILLRACE_OK : allowance.code;
    close_batch(batch);
    return (int32_t)code;
}

/* Where the last record surely ends; see `find_last_record_end`. */
MILLRACE_EXPORT int64_t millrace_csv_cut(uint8_t delimiter, uint8_t quote, const uint8_t *text, int64_t size)
{
    const CsvShape shape = {.delimiter = delimiter, .quote = quote, .has_quote = true, .width = 1};
    return find_last_record_end(&shape, text, size);
}
