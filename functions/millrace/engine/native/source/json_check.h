/* Whether a text is one JSON value, exactly as Python's json module decides it. */

#ifndef MILLRACE_JSON_CHECK_H
#define MILLRACE_JSON_CHECK_H

#include "kernel.h"

/* `text` is UTF-8. Values nested deeper than MILLRACE_MOST_DEPTH are answered with no, whatever they hold. */
bool is_json_value(const uint8_t *text, int64_t size);

#endif
