/* Lines of CSV: what JSON has for containers, in quotes, and everything else as it is. */

#include "render_csv.h"

#include "render_json.h"
#include "render_texts.h"

static uint8_t *write_csv_string(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const Span text = find_bytes(view, row);
    if (view->type->form == FORM_VERBATIM) {
        return write_verbatim(text.bytes, text.size, out, page);
    }
    return write_csv_text(text.bytes, text.size, text.readable, out, page);
}

static uint8_t *write_csv_binary(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const uint8_t *start = out;
    out = write_binary(view, row, out, page);
    return out == start ? WRITE_CONSTANT("\"\"", out) : out;
}

/* Containers are JSON in a field; room for the first quote is left before it. */
static uint8_t *write_csv_container(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    uint8_t *end = write_json(view, row, out + 1, page);
    if (is_stopped(end, page)) {
        return stop(page, MILLRACE_TOO_MUCH);
    }
    return quote_in_place(out, end, page);
}

static uint8_t *write_csv(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    if (is_missing(view, row)) {
        return out;
    }
    if (OFTEN(view->write != NULL)) {
        out = view->write(view, row, out);
        return OFTEN(out != NULL) ? out : stop(page, MILLRACE_IRREGULAR);
    }
    switch (view->type->kind) {
    case KIND_NULL:
        return out;
    case KIND_STRING:
    case KIND_LARGE_STRING:
        return write_csv_string(view, row, out, page);
    case KIND_BINARY:
    case KIND_LARGE_BINARY:
    case KIND_FIXED_BINARY:
        return write_csv_binary(view, row, out, page);
    case KIND_LIST:
    case KIND_LARGE_LIST:
    case KIND_FIXED_LIST:
    case KIND_STRUCT:
    case KIND_MAP:
        return write_csv_container(view, row, out, page);
    case KIND_DICTIONARY:
        return write_csv(view->children, load_index(view, row), out, page);
    default:
        return stop(page, MILLRACE_IRREGULAR);
    }
}

uint8_t *write_line(const ColumnView *columns, int32_t count, int64_t row, uint8_t *out, Page *page)
{
    for (const ColumnView *column = columns; column < columns + count; column++) {
        out = write_csv(column, row, out, page);
        if (is_stopped(out, page)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
        *out++ = ',';
    }
    out[-1] = '\n'; /* in the last comma's place */
    return out;
}
