/* A double as the shortest decimal text that reads back as the same double, in the forms of engine/types/printing.py. */
#ifndef MILLRACE_DOUBLE_TEXT_H
#define MILLRACE_DOUBLE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DOUBLE_ROOM = 48 /* the longest text, -0.0000018325506472120096, has 25 bytes; more may be written behind it */
};

/* The number digits * 10^exponent. */
typedef struct {
    uint64_t digits;
    int32_t exponent;
} ShortestDecimal;

/* The shortest decimal that rounds to a finite double above zero, the nearest one of that length.
   Its digits may end in zeros: 1.5 may come as 15000000000000000 * 10^-16. */
ShortestDecimal find_shortest_decimal(double value);

/* The text of any double; gives its length. `out` has DOUBLE_ROOM bytes.

     from 0.000001 up to 1e16    plain digits: 0.000001, 12.5, 1200.0
     beyond                      an exponent: 1e+16, 1.5e-10
     not finite                  NaN, Infinity, -Infinity

   Whole numbers below 1e16 end in ".0" unless `bare`; -0.0 keeps its sign. */
int32_t write_double(double value, bool bare, uint8_t *out);

#endif
