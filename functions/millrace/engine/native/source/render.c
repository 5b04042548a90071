/* A batch's rows as text: CSV lines, JSON lines, or the rows of a JSON array, each after a comma and a line end. */

#include <stdlib.h>

#include "render_columns.h"
#include "render_csv.h"
#include "render_json.h"
#include "render_page.h"

/* Mirrored in `rendering.py`. */
typedef enum { SHAPE_CSV, SHAPE_JSON_LINES, SHAPE_JSON_ROWS } Shape;

static uint8_t *write_row(Shape shape, const ColumnView *columns, int32_t count, int64_t row, uint8_t *out, Page *page)
{
    switch (shape) {
    case SHAPE_CSV:
        return write_line(columns, count, row, out, page);
    case SHAPE_JSON_LINES:
        out = write_members(columns, count, row, out, page);
        if (out != NULL) {
            *out++ = '\n';
        }
        return out;
    default:
        return write_members(columns, count, row, WRITE_CONSTANT(",\n", out), page);
    }
}

/* Writes rows from `*row` on, as many as have room, and moves `*row` behind them; gives how many bytes they are.
   If nothing was written, `fault` says why: MILLRACE_TOO_MUCH is a row that is larger than the page. After any other
   code the rows that were written count for nothing.

   `types` are as in kernel.h; the name of each, which is `{"name":` for the first member of an object and `,"name":`
   for the others, is in `names`. `row` is 0 at first: then texts are checked, all at once. */
MILLRACE_EXPORT int64_t millrace_render(const struct ArrowArray *batch, const MillraceType *types, int32_t type_count,
                                        int32_t column_count, const uint8_t *names, int32_t shape, uint8_t *out,
                                        int64_t capacity, int64_t *row, MillraceFault *fault)
{
    *fault = (MillraceFault){.row = *row};
    ColumnView *columns = open_views(batch, types, type_count, column_count, names, &fault->code);
    if (columns == NULL) {
        return 0;
    }
    for (int32_t column = 0; *row == 0 && column < column_count; column++) {
        if (!has_only_utf8(&columns[column], 0, batch->length)) {
            fault->code = MILLRACE_NOT_UTF8;
            fault->column = column;
            free(columns);
            return 0;
        }
    }
    Page page = {.end = out + capacity - VALUE_ROOM, .code = MILLRACE_OK};
    uint8_t *at = out;
    while (*row < batch->length && at <= page.end) {
        uint8_t *end = write_row((Shape)shape, columns, column_count, *row, at, &page);
        if (end == NULL) {
            break;
        }
        at = end;
        *row += 1;
    }
    free(columns);
    if (page.code != MILLRACE_OK && (at == out || page.code != MILLRACE_TOO_MUCH)) {
        *fault = (MillraceFault){.code = page.code, .row = *row};
        return 0;
    }
    return at - out;
}
