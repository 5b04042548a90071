/* The double that is printed with given digits, searched among those near to a rough result. */
#include "doubles.h"

#include <string.h>

#include "double_text.h"

#define MOST_EXPONENT 280 /* so that no step on the way is beyond the doubles, or among those of fewer digits */

const double MILLRACE_POWERS_OF_TEN[MILLRACE_EXACT_POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* digits * 10^exponent, and how far that may be from the nearest double, counted in doubles. */
typedef struct {
    double value;
    int64_t most_steps;
} RoughDouble;

static RoughDouble scale_digits(uint64_t digits, int64_t exponent)
{
    const int64_t largest = MILLRACE_EXACT_POWERS - 1;
    RoughDouble rough = {(double)digits, 1};
    while (exponent != 0) {
        const int64_t left = exponent < 0 ? -exponent : exponent;
        const int64_t power = left < largest ? left : largest;
        if (exponent < 0)
            rough.value /= MILLRACE_POWERS_OF_TEN[power];
        else
            rough.value *= MILLRACE_POWERS_OF_TEN[power];
        exponent += exponent < 0 ? power : -power;
        rough.most_steps += 2; /* each rounding is by half a double at most, and what was rounded may double */
    }
    return rough;
}

static ShortestDecimal drop_zeros(ShortestDecimal decimal)
{
    while (decimal.digits % 10 == 0 && decimal.digits > 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    return decimal;
}

/* Whether a double above zero has this as its shortest decimal. */
static bool is_printed_as(double value, ShortestDecimal decimal)
{
    const ShortestDecimal shortest = drop_zeros(find_shortest_decimal(value));
    return shortest.digits == decimal.digits && shortest.exponent == decimal.exponent;
}

static double step_from(double value, int64_t steps)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits += steps; /* of doubles above zero the next larger has the next larger bits */
    memcpy(&value, &bits, sizeof bits);
    return value;
}

bool search_double(uint64_t digits, int64_t exponent, double *size)
{
    if (digits == 0 || exponent > MOST_EXPONENT || exponent < -MOST_EXPONENT)
        return false;
    /* A double's shortest text reads back as this double, so that whichever has the text is the right one. */
    const ShortestDecimal decimal = drop_zeros((ShortestDecimal){digits, (int32_t)exponent});
    const RoughDouble rough = scale_digits(digits, exponent);
    for (int64_t steps = 0; steps <= rough.most_steps; steps++) {
        for (int64_t sign = 1; sign >= -1; sign -= 2) {
            *size = step_from(rough.value, sign * steps);
            if (is_printed_as(*size, decimal))
                return true;
        }
    }
    return false;
}
