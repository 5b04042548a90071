/* The shortest text of a double, by the way that Raffaello Giulietti's paper "The Schubfach way to render doubles"
   shows. In short: a double stands for all numbers that are nearer to it than to its neighbours, an interval. With the
   right power of ten, 10^k, the interval holds at least one multiple of 10^k and at most one of 10^(k + 1). If there
   is one of 10^(k + 1), it is the shortest; else it is the multiple of 10^k that is nearest to the double. */
#include "double_text.h"

#include <string.h>

#include "decimal_digits.h"
#include "powers_of_ten.h"

typedef unsigned __int128 Wide;

enum {
    FRACTION_BITS = 52,
    EXPONENT_OF_SUBNORMALS = -1074, /* the least double is 1 * 2^-1074 */
    EXPONENT_BIAS = 1075,
    FIRST_EXPONENT = 16, /* from 1e16 on a double is printed with an exponent */
    LAST_PLAIN = -6      /* 0.000001 is printed with plain digits, the next smaller numbers are 9e-7, 9.9e-7 */
};

#define MOST_EXACT_DIGITS 1e15

/* floor(log10(2^q)), floor(log10(3/4 * 2^q)) and floor(log2(10^k)): a multiplication by the logarithm as a fraction of
   2^22 or 2^19, right for all exponents that a double can have (the tests go through all of them). */
static int32_t log10_of_power_of_two(int32_t q)
{
    return (q * 1262611) >> 22;
}

static int32_t log10_of_three_quarters(int32_t q)
{
    return (q * 1262611 - 524031) >> 22;
}

static int32_t log2_of_power_of_ten(int32_t k)
{
    return (k * 1741647) >> 19;
}

/* The product of a power of ten and a whole number, in units of 2^128, rounded to odd: a product that is not whole gets
   its last bit set. 4.0 stays 4 and 4.3 becomes 5, so that the comparisons with 4, which is even, come out as they
   would for the exact product. */
static uint64_t multiply_to_odd(PowerOfTen power, uint64_t number)
{
    Wide low = (Wide)power.low * number;
    Wide high = (Wide)power.high * number + (uint64_t)(low >> 64);
    /* The table's powers are rounded up, by less than one unit: a fraction of 1 / 2^64 is that error, and no more. */
    bool inexact = (uint64_t)high > 1;
    return (uint64_t)(high >> 64) | inexact;
}

/* Numbers with at most two digits behind the point, as amounts of money have: most columns of doubles hold nothing
   else. A decimal of at most 15 digits that reads back as the double is the only one of that kind (two such decimals
   never share a double), so it is the shortest. The division is rounded once, as reading the text is. */
static bool find_hundredths(double value, uint64_t *hundredths)
{
    double scaled = value * 100.0;
    if (!(scaled < MOST_EXACT_DIGITS)) {
        return false;
    }
    int64_t rounded = (int64_t)(scaled + 0.5); /* signed: processors convert those in one step */
    *hundredths = (uint64_t)rounded;
    return (double)rounded / 100.0 == value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The shortest decimal of the double c * 2^q. */
static ShortestDecimal find_in_interval(uint64_t c, int32_t q, bool closer_below)
{
    /* Everything is counted in quarters of the double's last bit: the double is 4c, the middle to the next one is
       4c + 2. Below a power of two the doubles are twice as dense, so that middle is 4c - 1 instead of 4c - 2. */
    uint64_t middle_below = 4 * c - (closer_below ? 1 : 2);
    uint64_t middle_above = 4 * c + 2;
    int32_t k = closer_below ? log10_of_three_quarters(q) : log10_of_power_of_two(q);

    /* The three numbers divided by 10^k: multiplied by 10^-k, shifted so that the units are whole quarters again. */
    int32_t shift = q + log2_of_power_of_ten(-k) + 1;
    PowerOfTen power = powers_of_ten[-k - LEAST_POWER];
    uint64_t below = multiply_to_odd(power, middle_below << shift);
    uint64_t exact = multiply_to_odd(power, (4 * c) << shift);
    uint64_t above = multiply_to_odd(power, middle_above << shift);

    /* A number in the very middle is rounded to the double whose last bit is 0: only then do the ends belong to it. */
    uint64_t odd = c & 1;
    uint64_t least = below + odd;
    uint64_t most = above - odd;

    /* One digit less: is one of the two neighbouring multiples of 10^(k + 1) inside, and only one?
       The interval 2.9 to 3.2 with 10^k = 0.1: 3 is inside, 4 is not. */
    uint64_t floor_of_exact = exact / 4;
    uint64_t tens = floor_of_exact / 10;
    if (tens > 0) {
        bool lower_fits = least <= 40 * tens;
        bool upper_fits = 40 * tens + 40 <= most;
        if (lower_fits != upper_fits) {
            return (ShortestDecimal){tens + upper_fits, k + 1};
        }
    }
    bool lower_fits = least <= 4 * floor_of_exact;
    bool upper_fits = 4 * floor_of_exact + 4 <= most;
    if (lower_fits != upper_fits) {
        return (ShortestDecimal){floor_of_exact + upper_fits, k};
    }

    /* Both are inside: the nearer one; of two that are equally near the even one. */
    uint64_t middle = 4 * floor_of_exact + 2;
    bool upper_is_nearer = exact > middle || (exact == middle && (floor_of_exact & 1));
    return (ShortestDecimal){floor_of_exact + upper_is_nearer, k};
}

static ShortestDecimal find_any_decimal(double value)
{
    uint64_t bits = bits_of(value);
    uint64_t fraction = bits & ((UINT64_C(1) << FRACTION_BITS) - 1);
    int32_t exponent = (int32_t)(bits >> FRACTION_BITS);
    if (exponent == 0) {
        return find_in_interval(fraction, EXPONENT_OF_SUBNORMALS, false);
    }
    /* Below a power of two the neighbour is half as far, unless it is the first of the doubles with full precision. */
    bool closer_below = fraction == 0 && exponent > 1;
    return find_in_interval(fraction | UINT64_C(1) << FRACTION_BITS, exponent - EXPONENT_BIAS, closer_below);
}

ShortestDecimal find_shortest_decimal(double value)
{
    uint64_t hundredths;
    if (find_hundredths(value, &hundredths)) {
        return (ShortestDecimal){hundredths, -2};
    }
    return find_any_decimal(value);
}

/* Three words of eight digits, and which of the 24 count: those from `first` up to `end`. */
typedef struct {
    uint8_t text[48]; /* 24 digits; copies of 24 bytes may begin at any of them */
    int32_t first;
    int32_t end;
} Digits;

static void spread_digits(uint64_t number, Digits *digits)
{
    uint64_t words[3] = {
        to_eight_digits((uint32_t)(number / TEN_TO_16)),
        to_eight_digits((uint32_t)(number / TEN_TO_8 % TEN_TO_8)),
        to_eight_digits((uint32_t)(number % TEN_TO_8)),
    };
    memcpy(digits->text, words, sizeof words);
    memset(digits->text + 24, '0', 24);
    int first = 0;
    while (words[first] == EIGHT_ZEROS) {
        first++;
    }
    int last = 2;
    while (words[last] == EIGHT_ZEROS) {
        last--;
    }
    digits->first = 8 * first + count_leading_zeros(words[first]);
    digits->end = 8 * last + 8 - count_trailing_zeros(words[last]);
}

/* digits * 10^exponent with e and a sign: 15 * 10^16 is 1.5e+17. */
static uint8_t *write_with_exponent(const Digits *digits, int32_t exponent, uint8_t *out)
{
    int32_t count = digits->end - digits->first;
    *out++ = digits->text[digits->first];
    if (count > 1) {
        *out++ = '.';
        memcpy(out, digits->text + digits->first + 1, 24);
        out += count - 1;
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    return write_short((uint32_t)(exponent < 0 ? -exponent : exponent), out);
}

/* Plain digits, the point behind the first `point` of them; with `point` at or below 0 zeros come first. */
static uint8_t *write_plain(const Digits *digits, int32_t point, bool bare, uint8_t *out)
{
    const uint8_t *text = digits->text + digits->first;
    int32_t count = digits->end - digits->first;
    if (point <= 0) { /* 12 with the point at -1: 0.012 */
        memcpy(out, "0.000000", 8);
        memcpy(out + 2 - point, text, 24);
        return out + 2 - point + count;
    }
    memcpy(out, text, 24); /* behind the digits that count there are zeros: 12 with the point at 4 is 1200 */
    if (count > point) {
        out[point] = '.';
        memcpy(out + point + 1, text + point, 24);
        return out + count + 1;
    }
    if (bare) {
        return out + point;
    }
    memcpy(out + point, ".0", 2);
    return out + point + 2;
}

/* Hundredths need none of the digits' bookkeeping: 1250 is 12, a point, and 50 of which the zero is left out. */
static uint8_t *write_hundredths(uint64_t hundredths, bool bare, uint8_t *out)
{
    out = write_unsigned(hundredths / 100, out);
    uint32_t behind = (uint32_t)(hundredths % 100);
    if (behind == 0 && bare) {
        return out;
    }
    *out++ = '.';
    write_pair(behind, out);
    return out + (behind % 10 == 0 ? 1 : 2);
}

static uint8_t *write_positive(double value, bool bare, uint8_t *out)
{
    uint64_t hundredths;
    if (find_hundredths(value, &hundredths)) {
        return write_hundredths(hundredths, bare, out);
    }
    ShortestDecimal decimal = find_any_decimal(value);
    Digits digits;
    spread_digits(decimal.digits, &digits);
    /* The exponent counts from the last of the 24 digits, the point from the first one that counts. */
    int32_t point = 24 + decimal.exponent - digits.first;
    int32_t exponent = point - 1;
    if (exponent < LAST_PLAIN || exponent >= FIRST_EXPONENT) {
        return write_with_exponent(&digits, exponent, out);
    }
    return write_plain(&digits, point, bare, out);
}

static int32_t write_constant(const char *text, uint8_t *out)
{
    size_t length = strlen(text);
    memcpy(out, text, length);
    return (int32_t)length;
}

int32_t write_double(double value, bool bare, uint8_t *out)
{
    if (value != value) {
        return write_constant("NaN", out);
    }
    uint8_t *end = out;
    if (bits_of(value) >> 63) {
        *end++ = '-';
        value = -value;
    }
    if (value > 1.7976931348623157e308) {
        return (int32_t)(end - out) + write_constant("Infinity", end);
    }
    return (int32_t)(write_positive(value, bare, end) - out);
}
