/* Doubles and decimals. Short ones, of eight bytes at most, are read as one word. */
#include "numbers.h"

#define MOST_ZEROS 5   /* behind the point: 0.000001 is printed so, 0.0000001 as 1e-07 */
#define MOST_WHOLE_DIGITS 16 /* below 1e16 */
#define MOST_DIGITS_OF_A_WORD 19

static const uint64_t WHOLE_POWERS_OF_TEN[20] = {1U,
                                                 10U,
                                                 100U,
                                                 1000U,
                                                 10000U,
                                                 100000U,
                                                 1000000U,
                                                 10000000U,
                                                 100000000U,
                                                 1000000000U,
                                                 10000000000U,
                                                 100000000000U,
                                                 1000000000000U,
                                                 10000000000000U,
                                                 100000000000000U,
                                                 1000000000000000U,
                                                 10000000000000000U,
                                                 100000000000000000U,
                                                 1000000000000000000U,
                                                 10000000000000000000U};

/* A text without its sign, and how many digits are before and after its point. */
typedef struct {
    const uint8_t *text;
    int64_t whole, fraction;
    bool negative, pointed;
} Number;

/* Divides a text at its sign and its point; what is a digit is not looked at. */
static inline Number divide(const uint8_t *text, int64_t length)
{
    Number number = {.text = text, .negative = length > 0 && text[0] == '-'};
    number.text += number.negative;
    length -= number.negative;
    int64_t point = 0;
    while (point < length) {
        const uint64_t found = find_point(load_8_bytes(number.text + point));
        if (found) {
            point += lowest_bit(found) / 8;
            break;
        }
        point += 8;
    }
    number.pointed = point < length;
    number.whole = number.pointed ? point : length;
    number.fraction = number.pointed ? length - point - 1 : 0;
    return number;
}

/* Reads digits after zeros: of 0000012345678901234567 it is 12345678901234567. */
static bool read_fraction(const uint8_t *text, int64_t length, uint64_t *value)
{
    while (length > MOST_DIGITS_OF_A_WORD && *text == '0') {
        text++;
        length--;
    }
    return read_digits(text, length, value);
}

/* Reads the digits before and after the point as one integer: of 12.50 it is 1250. At most 19 digits in all. */
static inline bool read_all_digits(const Number *number, uint64_t *value)
{
    const uint8_t *text = number->text;
    const int64_t length = number->whole + number->pointed + number->fraction;
    if (!number->pointed)
        return read_digits(text, number->whole, value);
    if (number->whole < 1 || number->fraction < 1)
        return false;
    if (length <= 8) {
        const uint64_t digits = pad_with_zeros(remove_point(load_8_bytes(text), number->whole), length - 1);
        *value = value_of_8_digits(digits);
        return are_digits(digits);
    }
    uint64_t whole, fraction;
    if (!read_digits(text, number->whole, &whole) || !read_fraction(text + number->whole + 1, number->fraction, &fraction))
        return false;
    if (whole && length - 1 > MOST_DIGITS_OF_A_WORD)
        return false;
    *value = whole ? whole * WHOLE_POWERS_OF_TEN[number->fraction] + fraction : fraction;
    return true;
}

/* Whether a double in this form is printed with such digits before and after its point. */
static inline bool has_form(const Number *number, DoubleForm form)
{
    if (!begin_like_a_number(number->text, number->whole))
        return false;
    if (!number->pointed)
        return form == DOUBLE_BARE;
    const bool ends_in_zero = number->text[number->whole + number->fraction] == '0';
    return !ends_in_zero || (form == DOUBLE_DOTTED && number->fraction == 1);
}

bool read_long_double(const uint8_t *text, int64_t length, DoubleForm form, double *value)
{
    const Number number = divide(text, length);
    uint64_t digits;
    if (!read_all_digits(&number, &digits) || !has_form(&number, form))
        return false;
    /* From 1e16 on, and with more zeros behind the point, doubles are printed with an exponent. Of the seven digits
     * behind the point of 0.0000012 five are zeros: 12 is not less than 10. */
    if (number.whole > MOST_WHOLE_DIGITS || number.fraction >= MILLRACE_EXACT_POWERS ||
        (number.fraction > MOST_ZEROS && digits && digits < WHOLE_POWERS_OF_TEN[number.fraction - MOST_ZEROS - 1]))
        return false;
    double size;
    if (!find_double(digits, -number.fraction, &size))
        return false;
    *value = number.negative ? -size : size;
    return true;
}

/* Reads up to 38 digits, in parts of up to 18. */
static bool read_long_digits(const uint8_t *text, int64_t length, unsigned __int128 *value)
{
    unsigned __int128 sum = 0;
    for (int64_t at = 0; at < length; at += 18) {
        const int64_t part = length - at < 18 ? length - at : 18;
        uint64_t digits;
        if (!read_digits(text + at, part, &digits))
            return false;
        sum = sum * WHOLE_POWERS_OF_TEN[part] + digits;
    }
    *value = sum;
    return length > 0;
}

/* Reads the digits before and after the point as one integer of up to 38 digits. */
static bool read_all_long_digits(const Number *number, unsigned __int128 *value)
{
    unsigned __int128 whole, fraction = 0;
    if (!read_long_digits(number->text, number->whole, &whole))
        return false;
    if (number->pointed && !read_long_digits(number->text + number->whole + 1, number->fraction, &fraction))
        return false;
    for (int64_t left = number->fraction; left > 0; left -= 18)
        whole *= WHOLE_POWERS_OF_TEN[left < 18 ? left : 18];
    *value = whole + fraction;
    return true;
}

bool read_decimal(const uint8_t *text, int64_t length, int32_t precision, int32_t scale, __int128 *value)
{
    const Number number = divide(text, length);
    if (number.fraction != scale || number.pointed != (scale > 0) || number.whole < 1 ||
        !begin_like_a_number(number.text, number.whole))
        return false;
    /* The zero before a point is no digit of the number: 0.12 has two. */
    const int64_t digits = number.whole + scale - (number.text[0] == '0' && scale > 0);
    if (digits > precision || digits > 38)
        return false;
    unsigned __int128 size;
    uint64_t short_size;
    if (digits < MOST_DIGITS_OF_A_WORD && read_all_digits(&number, &short_size))
        size = short_size;
    else if (!read_all_long_digits(&number, &size))
        return false;
    if (number.negative && size == 0)
        return false; /* decimals have one zero: -0.00 would lose its sign */
    *value = number.negative ? -(__int128)size : (__int128)size;
    return true;
}
