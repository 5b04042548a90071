/* Whether bytes are UTF-8 text, by the rules of Python's decoder. */

#ifndef MILLRACE_UTF8_H
#define MILLRACE_UTF8_H

#include "kernel.h"

/* How many bytes from the start are whole characters: `size` if all are. Nothing behind `size` is read. */
int64_t measure_utf8(const uint8_t *text, int64_t size);

#endif
