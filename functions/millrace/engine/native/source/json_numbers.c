/* Doubles of JSON numbers. */
#include "json_numbers.h"

#include "double_text.h"

#define SURE_DIGITS UINT64_C(1000000000000000) /* 10^15: fewer digits a double gives back as they were */
#define LARGEST_EXACT_POWER 22
#define LEAST_PLAIN 1e-4 /* from here on doubles are printed without an exponent */
#define FIRST_NOT_PLAIN 1e15
#define MOST_EXPONENT 280 /* so that no step on the way is beyond the doubles, or among those of fewer digits */
#define MOST_STEPS 20     /* how far the nearest double may be from one that was rounded up to 14 times */

static const double POWERS_OF_TEN[LARGEST_EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* digits * 10^exponent, rounded once if both are exact as doubles, else once for every 22 powers of ten. */
static double scale_digits(uint64_t digits, int64_t exponent)
{
    double value = (double)digits;
    while (exponent > 0) {
        const int64_t step = exponent < LARGEST_EXACT_POWER ? exponent : LARGEST_EXACT_POWER;
        value *= POWERS_OF_TEN[step];
        exponent -= step;
    }
    while (exponent < 0) {
        const int64_t step = -exponent < LARGEST_EXACT_POWER ? -exponent : LARGEST_EXACT_POWER;
        value /= POWERS_OF_TEN[step];
        exponent += step;
    }
    return value;
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

/* The double that is printed with a number's digits, which proves that it is the nearest: what is printed is read back
 * as the same double. False if there is none. */
static bool find_printed_double(uint64_t digits, int64_t exponent, double *value)
{
    const ShortestDecimal decimal = drop_zeros((ShortestDecimal){digits, (int32_t)exponent});
    const double near = scale_digits(digits, exponent);
    for (int64_t steps = 0; steps <= MOST_STEPS; steps++) {
        for (int64_t sign = 1; sign >= -1; sign -= 2) {
            const double candidate = step_from(near, sign * steps);
            if (is_printed_as(candidate, decimal)) {
                *value = candidate;
                return true;
            }
        }
    }
    return false;
}

/* Whether a value that is the same number says so without a digit less: 1.50 printed as 1.5 does not. */
static bool has_no_digit_to_lose(const JsonNumber *number)
{
    if (number->has_exponent)
        return true;
    return number->fraction > 0 && (number->end[-1] != '0' || number->fraction == 1);
}

/* How well the double keeps the number in one form, given that it is the same number. */
static Kept judge_form(const JsonNumber *number, double value, bool bare)
{
    uint8_t text[DOUBLE_ROOM];
    const int32_t length = write_double(value, bare, text);
    if (length == number->end - number->begin && memcmp(text, number->begin, (size_t)length) == 0)
        return KEPT_AS_TEXT;
    const bool is_seen_as_double = memchr(text, '.', (size_t)length) != NULL || memchr(text, 'e', (size_t)length) != NULL;
    return is_seen_as_double && has_no_digit_to_lose(number) ? KEPT_AS_VALUE : KEPT_NOT;
}

/* Whether a double of this size is surely printed without an exponent. */
static bool is_printed_plain(double size)
{
    return (size >= LEAST_PLAIN && size < FIRST_NOT_PLAIN) || size == 0;
}

bool judge_double(const JsonNumber *number, JudgedDouble *judged)
{
    const int64_t exponent = number->exponent - number->fraction;
    if (number->count > MOST_DIGITS_OF_64_BITS || exponent > MOST_EXPONENT || exponent < -MOST_EXPONENT)
        return false;
    const bool is_sure = number->digits < SURE_DIGITS && exponent <= LARGEST_EXACT_POWER && exponent >= -LARGEST_EXACT_POWER;
    double size;
    if (is_sure) {
        /* Both are exact as doubles, and one operation rounds once: the result is the double that is nearest. */
        size = scale_digits(number->digits, exponent);
    } else if (number->digits == 0 || !find_printed_double(number->digits, exponent, &size)) {
        return false;
    }
    judged->value = number->is_negative ? -size : size;
    if (!number->has_exponent && number->fraction > 0 && is_printed_plain(size)) {
        /* 12.5 is printed so in both forms, 12.0 in one; 12.50 in none, and as 12.5 it would lose a digit. */
        const bool ends_in_zero = number->end[-1] == '0';
        judged->dotted = ends_in_zero && number->fraction > 1 ? KEPT_NOT : KEPT_AS_TEXT;
        judged->bare = ends_in_zero ? KEPT_NOT : KEPT_AS_TEXT;
        return true;
    }
    judged->dotted = judge_form(number, judged->value, false);
    judged->bare = judge_form(number, judged->value, true);
    return true;
}
