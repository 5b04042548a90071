/* Numbers in JSON text, and how well doubles keep them. */
#ifndef MILLRACE_JSON_NUMBERS_H
#define MILLRACE_JSON_NUMBERS_H

#include "kernel.h"
#include "numbers.h"

/* So many digits fit in 64 bits, whatever they are. */
#define MOST_DIGITS_OF_64_BITS 19

/* A number by the grammar of JSON: -12.50e3 is negative, has the digits 1250, 2 of them behind the point. */
typedef struct {
    const uint8_t *begin, *end;
    uint64_t digits; /* all digits but those of the exponent as one integer, where `count` is at most 19 */
    int64_t count;   /* how many they are; zeros before all others count only where there are few */
    int64_t fraction;
    int64_t exponent;
    bool is_negative, has_exponent;
} JsonNumber;

/* Whether a number is -0, -0.0 or so. Of more than 19 digits `digits` has the lowest 64 bits alone: they are 0 in
 * -18446744073709551616, too, which is -2^64. */
static inline bool is_negative_zero(const JsonNumber *number)
{
    return number->is_negative && number->digits == 0 && number->count <= MOST_DIGITS_OF_64_BITS;
}

/* Whether Python sees an integer: 12, and not 12.0, 1e3 or -0. */
static inline bool is_whole(const JsonNumber *number)
{
    return number->fraction == 0 && !number->has_exponent && !is_negative_zero(number);
}

/* How well a double keeps a number that is no integer; as `Kept` in engine/formats/json/types.py. */
typedef enum { KEPT_NOT, KEPT_AS_VALUE, KEPT_AS_TEXT } Kept;

/* A number as a double, and how well both printed forms keep it. */
typedef struct {
    double value;
    Kept bare, dotted;
} JudgedDouble;

/* Reads a run of digits, eight at once; moves behind it. */
static inline void read_digit_run(const uint8_t **at, JsonNumber *number)
{
    static const uint64_t powers[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    int digits;
    do {
        const uint64_t word = load_8_bytes(*at) ^ repeat_byte('0'); /* digits are 0 to 9 now, all else is more */
        /* Adding 0x76 brings 0x0a and more to 0x80. A carry spoils later bytes alone: the first other byte is right. */
        const uint64_t others = ((word + repeat_byte(0x76)) | word) & repeat_byte(0x80);
        digits = others ? lowest_bit(others) / 8 : 8;
        if (digits == 0)
            return;
        const uint64_t padded = word << (64 - 8 * digits); /* "42," becomes 00000042, in digits' values */
        number->digits = number->digits * powers[digits] + value_of_8_digits(padded + repeat_byte('0'));
        number->count += digits;
        *at += digits;
    } while (digits == 8);
}

/* How many digits there are without the zeros before them: 2 for -0.0012. */
static inline int64_t count_significant(const JsonNumber *number)
{
    const uint8_t *at = number->begin + number->is_negative;
    int64_t zeros = 0;
    for (; *at == '0' || *at == '.'; at++)
        zeros += *at == '0';
    return number->count - zeros;
}

/* Reads a number that begins here, with a digit or a minus; false if it is none. */
static inline bool read_json_number(const uint8_t *at, JsonNumber *number)
{
    *number = (JsonNumber){.begin = at, .is_negative = *at == '-'};
    at += number->is_negative;
    const bool begins_with_zero = *at == '0';
    read_digit_run(&at, number);
    if (number->count == 0 || (begins_with_zero && number->count > 1))
        return false;
    if (*at == '.') {
        const int64_t before = number->count;
        at++;
        read_digit_run(&at, number);
        number->fraction = number->count - before;
        if (number->fraction == 0)
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        JsonNumber exponent = {0};
        number->has_exponent = true;
        at++;
        const bool is_negative = *at == '-';
        at += *at == '-' || *at == '+';
        read_digit_run(&at, &exponent);
        if (exponent.count == 0)
            return false;
        number->exponent = exponent.count > 6 ? 1000000 : (int64_t)exponent.digits;
        if (is_negative)
            number->exponent = -number->exponent;
    }
    number->end = at;
    if (RARELY(number->count > MOST_DIGITS_OF_64_BITS))
        number->count = count_significant(number);
    return true;
}

/* Reads a number that is no integer as a double; false if that takes more than is done here. */
bool judge_double(const JsonNumber *number, JudgedDouble *judged);

#endif
