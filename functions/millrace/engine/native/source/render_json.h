/* Values of any type as JSON. */

#ifndef MILLRACE_RENDER_JSON_H
#define MILLRACE_RENDER_JSON_H

#include "render_columns.h"
#include "render_page.h"

/* A JSON value; null for a missing one. */
uint8_t *write_json(const ColumnView *view, int64_t row, uint8_t *out, Page *page);

/* The members of an object, the closing bracket included; the opening one is part of the first member's name. */
uint8_t *write_members(const ColumnView *members, int32_t count, int64_t row, uint8_t *out, Page *page);

/* Bytes as base64. */
uint8_t *write_binary(const ColumnView *view, int64_t row, uint8_t *out, Page *page);

#endif
