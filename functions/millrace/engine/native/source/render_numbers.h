/* Decimals and half floats as text; whole numbers are in decimal_digits.h, doubles in double_text.h. */

#ifndef MILLRACE_RENDER_NUMBERS_H
#define MILLRACE_RENDER_NUMBERS_H

#include "kernel.h"

/* A decimal of `words` words of 64 bits (2 or 4), the lowest first, as its digits with `scale` of them behind the
   point: 12 with the scale 4 is 0.0012. Nothing is rounded or left out. At most VALUE_ROOM bytes. */
uint8_t *write_decimal(const uint8_t *value, int words, int32_t scale, uint8_t *out);

/* A whole number of steps of 10^-scale: 1500 with the scale 3 is 1.500. */
uint8_t *write_scaled(int64_t count, int32_t scale, uint8_t *out);

/* A float16 as the double that it equals. */
double widen_half(uint16_t bits);

#endif
