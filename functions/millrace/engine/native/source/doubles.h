/* The double that a decimal means, proven by printing it: what is printed with these digits is read back as it. */
#ifndef MILLRACE_DOUBLES_H
#define MILLRACE_DOUBLES_H

#include <stdbool.h>
#include <stdint.h>

/* 1, 10, 100 and so on, up to 10^22: all that doubles hold exactly. */
#define MILLRACE_EXACT_POWERS 23
extern const double MILLRACE_POWERS_OF_TEN[MILLRACE_EXACT_POWERS];

#define MILLRACE_SURE_DIGITS UINT64_C(1000000000000000) /* 10^15: fewer digits a double gives back as they were */

/* Finds the double whose shortest text has these digits: 3.141592653589793 has one, 3.1415926535897931 has none.
 * False if there is none, or if that takes more than is done here. */
bool search_double(uint64_t digits, int64_t exponent, double *size);

/* Finds the double for digits * 10^exponent, which is at least zero; false as in `search_double`. */
static inline bool find_double(uint64_t digits, int64_t exponent, double *size)
{
    if (digits >= MILLRACE_SURE_DIGITS || exponent >= MILLRACE_EXACT_POWERS || exponent <= -MILLRACE_EXACT_POWERS)
        return search_double(digits, exponent, size);
    /* Both are exact as doubles, and one operation rounds once: the result is the double that is nearest. */
    const double whole = (double)(int64_t)digits;
    *size = exponent < 0 ? whole / MILLRACE_POWERS_OF_TEN[-exponent] : whole * MILLRACE_POWERS_OF_TEN[exponent];
    return true;
}

#endif
