/* Rows as lines of CSV. */

#ifndef MILLRACE_RENDER_CSV_H
#define MILLRACE_RENDER_CSV_H

#include "render_columns.h"
#include "render_page.h"

/* A row with a comma between its fields and a line feed behind them; a missing value is nothing. At least a column. */
uint8_t *write_line(const ColumnView *columns, int32_t count, int64_t row, uint8_t *out, Page *page);

#endif
