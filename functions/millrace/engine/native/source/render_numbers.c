/* Decimals are divided by 10^16 until nothing is left: the rests are their digits, sixteen at a time. */

#include "render_numbers.h"

#include "decimal_digits.h"

enum {
    MOST_WORDS = 4,
    DIGITS_A_PART = 16,
    MOST_PARTS = 5, /* 2^256 has 78 digits */
};

/* Divides a number of some words, the lowest first, by 10^16, as one divides on paper; gives what is left over. */
static uint64_t divide(uint64_t *words, int count)
{
    unsigned __int128 rest = 0;
    for (int word = count - 1; word >= 0; word--) {
        rest = rest << 64 | words[word];
        words[word] = (uint64_t)(rest / TEN_TO_16);
        rest %= TEN_TO_16;
    }
    return (uint64_t)rest;
}

static void negate(uint64_t *words, int count)
{
    uint64_t carry = 1;
    for (int word = 0; word < count; word++) {
        words[word] = ~words[word] + carry;
        carry = carry && words[word] == 0;
    }
}

static bool is_more_than_a_word(const uint64_t *words, int count)
{
    uint64_t others = 0;
    for (int word = 1; word < count; word++) {
        others |= words[word];
    }
    return others != 0;
}

/* All digits of a number without sign. */
static uint8_t *write_digits(uint64_t *words, int count, uint8_t *out)
{
    uint64_t parts[MOST_PARTS];
    int part = 0;
    while (is_more_than_a_word(words, count)) {
        parts[part++] = divide(words, count);
    }
    out = write_unsigned(words[0], out);
    while (part > 0) {
        const uint64_t sixteen = parts[--part];
        out = write_eight((uint32_t)(sixteen / TEN_TO_8), out);
        out = write_eight((uint32_t)(sixteen % TEN_TO_8), out);
    }
    return out;
}

/* Digits with a point before the last `scale` of them, and with as many zeros as it takes to have one before that. */
static uint8_t *write_with_point(const uint8_t *digits, int64_t count, int32_t scale, uint8_t *out)
{
    if (count <= scale) {
        const int64_t zeros = scale - count;
        out[0] = '0';
        out[1] = '.';
        memset(out + 2, '0', (size_t)zeros);
        memcpy(out + 2 + zeros, digits, (size_t)count);
        return out + 2 + scale;
    }
    const int64_t whole = count - scale;
    memcpy(out, digits, (size_t)whole);
    if (scale == 0) {
        return out + whole;
    }
    out[whole] = '.';
    memcpy(out + whole + 1, digits + whole, (size_t)scale);
    return out + count + 1;
}

uint8_t *write_decimal(const uint8_t *value, int words, int32_t scale, uint8_t *out)
{
    uint64_t number[MOST_WORDS];
    memcpy(number, value, 8 * (size_t)words);
    if (number[words - 1] >> 63) {
        negate(number, words);
        *out++ = '-';
    }
    uint8_t digits[MOST_PARTS * DIGITS_A_PART + DIGITS_ROOM];
    const uint8_t *end = write_digits(number, words, digits);
    return write_with_point(digits, end - digits, scale, out);
}

uint8_t *write_scaled(int64_t count, int32_t scale, uint8_t *out)
{
    uint8_t digits[DIGITS_ROOM];
    if (count < 0) {
        *out++ = '-';
    }
    const uint64_t size = count < 0 ? -(uint64_t)count : (uint64_t)count;
    const uint8_t *end = write_unsigned(size, digits);
    return write_with_point(digits, end - digits, scale, out);
}

double widen_half(uint16_t bits)
{
    const uint64_t sign = (uint64_t)(bits >> 15) << 63;
    const uint64_t exponent = bits >> 10 & 31;
    const uint64_t fraction = bits & 1023;
    if (exponent == 0) { /* subnormal: so many 2^-24 */
        const double size = (double)fraction / 16777216.0;
        return sign ? -size : size;
    }
    /* The biases are 15 and 1023; the greatest exponent means infinity or NaN in both. */
    const uint64_t widened = exponent == 31 ? 2047 : exponent - 15 + 1023;
    const uint64_t wide = sign | widened << 52 | fraction << 42;
    double value;
    memcpy(&value, &wide, 8);
    return value;
}
