/* Whole numbers as decimal digits, eight at a time.

   Every writer may write up to eight bytes behind the digits that count: the caller leaves room for them.
   The words are little-endian: the first digit is the lowest byte, so that a store lays the digits in reading order.
 */
#ifndef MILLRACE_DECIMAL_DIGITS_H
#define MILLRACE_DECIMAL_DIGITS_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernel's words are little-endian"
#endif

#define EIGHT_ZEROS UINT64_C(0x3030303030303030) /* the text 00000000 */
#define TEN_TO_8 UINT64_C(100000000)
#define TEN_TO_16 UINT64_C(10000000000000000)

enum {
    DIGITS_ROOM = 32 /* 20 digits of the greatest uint64, a sign, and what may be written behind them */
};

/* The eight digits of a number below 100,000,000, as text in a word: 1234 is "00001234". */
static inline uint64_t to_eight_digits(uint32_t number)
{
    /* Three halvings, all lanes of the word at once. 12345678 is cut into 1234 | 5678, these into 12 | 34 | 56 | 78,
       these into the digits. A quotient is a multiplication and a shift: n / 100 is n * 10486 >> 20 for n < 10,000,
       and n / 10 is n * 103 >> 10 for n < 100. */
    uint64_t halves = number / 10000 | (uint64_t)(number % 10000) << 32;
    uint64_t hundreds = (halves * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
    uint64_t tens = (pairs * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return (tens | (pairs - tens * 10) << 8) + EIGHT_ZEROS;
}

/* How many digits 0 a word of eight digits begins with; 8 if all are. */
static inline int count_leading_zeros(uint64_t digits)
{
    uint64_t others = digits ^ EIGHT_ZEROS;
    return others == 0 ? 8 : __builtin_ctzll(others) / 8;
}

/* How many digits 0 a word of eight digits ends with; 8 if all are. */
static inline int count_trailing_zeros(uint64_t digits)
{
    uint64_t others = digits ^ EIGHT_ZEROS;
    return others == 0 ? 8 : __builtin_clzll(others) / 8;
}

/* A number below 100,000,000 without leading zeros; gives the end of its text. */
static inline uint8_t *write_short(uint32_t number, uint8_t *out)
{
    uint64_t digits = to_eight_digits(number);
    int skipped = count_leading_zeros(digits);
    if (skipped == 8) {
        skipped = 7; /* the number 0 is one digit */
    }
    digits >>= 8 * skipped;
    memcpy(out, &digits, 8);
    return out + 8 - skipped;
}

/* Eight digits, leading zeros included; gives the end of the text. */
static inline uint8_t *write_eight(uint32_t number, uint8_t *out)
{
    uint64_t digits = to_eight_digits(number);
    memcpy(out, &digits, 8);
    return out + 8;
}

/* Two digits: 7 is "07". */
static inline uint8_t *write_pair(uint32_t number, uint8_t *out)
{
    out[0] = (uint8_t)('0' + number / 10);
    out[1] = (uint8_t)('0' + number % 10);
    return out + 2;
}

/* Any whole number without a sign; gives the end of its text. */
static inline uint8_t *write_unsigned(uint64_t number, uint8_t *out)
{
    if (number < 10) { /* codes and counts: often all of a column */
        *out = (uint8_t)('0' + number);
        return out + 1;
    }
    if (number < TEN_TO_8) {
        return write_short((uint32_t)number, out);
    }
    if (number < TEN_TO_16) {
        out = write_short((uint32_t)(number / TEN_TO_8), out);
        return write_eight((uint32_t)(number % TEN_TO_8), out);
    }
    out = write_short((uint32_t)(number / TEN_TO_16), out);
    number %= TEN_TO_16;
    out = write_eight((uint32_t)(number / TEN_TO_8), out);
    return write_eight((uint32_t)(number % TEN_TO_8), out);
}

/* Any whole number, a negative one with its sign. */
static inline uint8_t *write_signed(int64_t number, uint8_t *out)
{
    if (number >= 0) {
        return write_unsigned((uint64_t)number, out);
    }
    *out = '-';
    return write_unsigned(-(uint64_t)number, out + 1); /* unsigned, so that the least one has a size, too */
}

#endif
