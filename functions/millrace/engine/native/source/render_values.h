/* A value of any type as CSV and JSON hold it. */

#ifndef MILLRACE_RENDER_VALUES_H
#define MILLRACE_RENDER_VALUES_H

#include "render_columns.h"
#include "render_page.h"

/* A field of a line; nothing for a missing value. */
uint8_t *write_csv(const ColumnView *view, int64_t row, uint8_t *out, Page *page);

/* A JSON value; null for a missing one. */
uint8_t *write_json(const ColumnView *view, int64_t row, uint8_t *out, Page *page);

/* The members of an object, the closing bracket included; the opening one is part of the first member's name. */
uint8_t *write_members(const ColumnView *members, int32_t count, int64_t row, uint8_t *out, Page *page);

#endif
