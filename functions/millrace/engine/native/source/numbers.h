/* Texts as numbers, each with the proof that the number is printed as this text: 007, +5 and 1.50 are none.
 *
 * What these functions refuse may still be a number: the caller asks the slower rule, which decides. A text may be read
 * up to 16 bytes beyond its end; what is there changes nothing. */
#ifndef MILLRACE_NUMBERS_H
#define MILLRACE_NUMBERS_H

#include "bits.h"
#include "doubles.h"

/* Whether all eight bytes are digits. */
static inline bool are_digits(uint64_t word)
{
    /* A digit is 0x30 to 0x39: its upper half is 3, and still 3 after adding 6. */
    const uint64_t halves = repeat_byte(0xf0);
    const uint64_t upper = word & halves, upper_of_sum = (word + repeat_byte(0x06)) & halves;
    return (upper | upper_of_sum >> 4) == repeat_byte(0x33);
}

/* The number that eight digits say, in three multiplications: pairs, then fours, then all. */
static inline uint32_t value_of_8_digits(uint64_t word)
{
    word -= repeat_byte('0');
    word = word * 10 + (word >> 8); /* "12345678": every second byte is 12, 34, 56, 78 */
    const uint64_t mask = 0x000000ff000000ffU;
    const uint64_t thousands = (word & mask) * (100 + (UINT64_C(1000000) << 32));
    const uint64_t ones = (word >> 16 & mask) * (1 + (UINT64_C(10000) << 32));
    return (uint32_t)((thousands + ones) >> 32);
}

/* The first 1 to 8 bytes of a word, with zeros before them: "42" becomes "00000042". */
static inline uint64_t pad_with_zeros(uint64_t word, int64_t length)
{
    const int bits = (int)(8 * length);
    const uint64_t zeros = repeat_byte('0') >> (bits - 8) >> 8; /* in two steps: a shift by 64 means nothing in C */
    return word << (64 - bits) | zeros;
}

/* Reads 1 to 19 digits, whatever the first is; false if there is anything else, or more. */
static inline bool read_digits(const uint8_t *text, int64_t length, uint64_t *value)
{
    if (length <= 8) {
        if (length < 1)
            return false;
        const uint64_t word = pad_with_zeros(load_8_bytes(text), length);
        *value = value_of_8_digits(word);
        return are_digits(word);
    }
    if (length > 19)
        return false;
    const int64_t first = (length - 1) % 8 + 1; /* of 19 digits 3, 8 and 8 */
    uint64_t word = pad_with_zeros(load_8_bytes(text), first);
    bool good = are_digits(word);
    uint64_t sum = value_of_8_digits(word);
    for (int64_t at = first; at < length; at += 8) {
        word = load_8_bytes(text + at);
        good &= are_digits(word);
        sum = sum * 100000000 + value_of_8_digits(word);
    }
    *value = sum;
    return good;
}

/* Whether digits are printed so: only "0" itself begins with a zero. */
static inline bool begin_like_a_number(const uint8_t *text, int64_t length)
{
    return text[0] != '0' || length == 1;
}

/* Reads an integer of 64 bits: 0, 7, -12; not 007, -0, +5 or 9223372036854775808. */
static inline bool read_integer(const uint8_t *text, int64_t length, int64_t *value)
{
    const bool negative = length > 1 && text[0] == '-';
    text += negative;
    length -= negative;
    uint64_t size;
    if (!read_digits(text, length, &size) || !begin_like_a_number(text, length))
        return false;
    if (size > (uint64_t)INT64_MAX || (negative && size == 0))
        return false; /* the smallest integer, whose size is one more, is left to the slower rule */
    *value = negative ? -(int64_t)size : (int64_t)size;
    return true;
}

/* How doubles print whole numbers: 12 if bare, else 12.0. */
typedef enum { DOUBLE_DOTTED, DOUBLE_BARE } DoubleForm;

/* Reads a double that is printed as the text in this form, of any length. */
bool read_long_double(const uint8_t *text, int64_t length, DoubleForm form, double *value);

/* Where the first point is in a word, as its bit: 0 if nowhere. */
static inline uint64_t find_point(uint64_t word)
{
    const uint64_t other = word ^ repeat_byte('.'); /* a point is 0 here: subtracting 1 borrows, up to its highest bit */
    return (other - repeat_byte(0x01)) & ~other & repeat_byte(0x80);
}

/* Removes a point with so many bytes before it from a word: 12.50 becomes 1250. */
static inline uint64_t remove_point(uint64_t word, int64_t whole)
{
    const uint64_t before = (UINT64_C(1) << (8 * whole)) - 1;
    return (word & before) | (word >> 8 & ~before);
}

/* Reads a double with a point that is printed as the text in this form. Those of eight bytes are one word. */
static inline bool read_double(const uint8_t *text, int64_t length, DoubleForm form, double *value)
{
    const bool negative = length > 0 && text[0] == '-';
    const uint8_t *const first = text + negative;
    const int64_t rest = length - negative;
    if (rest < 3 || rest > 8)
        return read_long_double(text, length, form, value);
    const uint64_t word = load_8_bytes(first), present = ~UINT64_C(0) >> (64 - 8 * rest);
    const uint64_t point = find_point(word) & present;
    if (!point)
        return read_long_double(text, length, form, value);
    const int64_t whole = lowest_bit(point) / 8, fraction = rest - whole - 1;
    const uint64_t digits = pad_with_zeros(remove_point(word, whole), rest - 1);
    if (!are_digits(digits) || whole < 1 || fraction < 1 || !begin_like_a_number(first, whole))
        return false;
    /* 12.50 is printed as 12.5, and 12.0 as 12 if bare. */
    if (first[rest - 1] == '0' && (form == DOUBLE_BARE || fraction > 1))
        return false;
    const double size = (double)(int64_t)value_of_8_digits(digits) / MILLRACE_POWERS_OF_TEN[fraction];
    *value = negative ? -size : size;
    return true;
}

/* Reads a decimal with exactly so many digits after the point, and at most so many in all (38). */
bool read_decimal(const uint8_t *text, int64_t length, int32_t precision, int32_t scale, __int128 *value);

#endif
