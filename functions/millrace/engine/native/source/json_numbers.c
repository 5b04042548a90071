/* Doubles of JSON numbers. */
#include "json_numbers.h"

#include "double_text.h"
#include "doubles.h"

#define LEAST_PLAIN 1e-4 /* from here on doubles are printed without an exponent */
#define FIRST_NOT_PLAIN 1e15

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
    double size;
    if (number->count > MOST_DIGITS_OF_64_BITS ||
        !find_double(number->digits, number->exponent - number->fraction, &size))
        return false;
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
