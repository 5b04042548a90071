/* Texts and bytes as CSV and JSON hold them. All texts are known to be UTF-8.

   Up to `readable` bytes may be read, though only `size` of them belong to the value. The three are parameters of their
   own, since a structure of three words goes through memory, and reading it at once costs more than all the rest. */

#ifndef MILLRACE_RENDER_TEXTS_H
#define MILLRACE_RENDER_TEXTS_H

#include "render_columns.h"
#include "render_page.h"

/* In quotes, with what JSON or a reader of lines would misread escaped: " \ control characters, and U+0085, U+2028 and
   U+2029, which some tools take for line ends. */
uint8_t *write_json_text(const uint8_t *bytes, int64_t size, const uint8_t *readable, uint8_t *out, Page *page);

/* A text that is a JSON value, as it is, on one line; MILLRACE_IRREGULAR if it is none. */
uint8_t *write_raw_json(const uint8_t *bytes, int64_t size, const uint8_t *readable, uint8_t *out, Page *page);

/* As it is, or in quotes if it is empty or has a comma, a quote or a line end; quotes within are doubled. */
uint8_t *write_csv_text(const uint8_t *bytes, int64_t size, const uint8_t *readable, uint8_t *out, Page *page);

/* Puts quotes around a text that was written from `start + 1` to `end`, as write_csv_text would; without need it is
   moved to `start`. */
uint8_t *quote_in_place(uint8_t *start, uint8_t *end, Page *page);

/* As it is. */
uint8_t *write_verbatim(const uint8_t *bytes, int64_t size, uint8_t *out, Page *page);

/* Bytes in base64, the alphabet with + and /. */
uint8_t *write_base64(const uint8_t *bytes, int64_t size, uint8_t *out, Page *page);

#endif
