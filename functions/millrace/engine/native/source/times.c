/* Dates and times of ISO 8601. A date is checked as words of eight bytes, not digit by digit. */
#include "times.h"

#include "numbers.h"

#define DAYS_BEFORE_1970 719468 /* days from 1 March of the year 0, where leap days come last, to 1 January 1970 */

/* The digits of eight bytes that look like a pattern such as "0000-00-", as numbers from 0 to 9.
 *
 * Where the pattern has a digit, each digit fits; elsewhere only the pattern's own byte does. */
static inline bool match_pattern(uint64_t word, uint64_t pattern, uint64_t room, uint64_t *digits)
{
    /* After the exclusive or a digit is 0 to 9 and an equal byte 0. Adding the room, 0x76 or 0x7f, sets the highest bit
     * of a byte that is 10 or more, or 1 or more. */
    const uint64_t left = word ^ pattern;
    *digits = left;
    return (((left + room) | left) & repeat_byte(0x80)) == 0;
}

#define DATE_PATTERN UINT64_C(0x2d30302d30303030) /* "0000-00-" */
#define DATE_ROOM UINT64_C(0x7f76767f76767676)
#define TIME_PATTERN UINT64_C(0x30303a30303a3030) /* "00:00:00" */
#define TIME_ROOM UINT64_C(0x76767f76767f7676)

/* The number that two neighbouring digits say. */
static inline uint32_t pair_at(uint64_t digits, int byte)
{
    const uint32_t tens = (uint32_t)(digits >> (8 * byte) & 0xff), ones = (uint32_t)(digits >> (8 * byte + 8) & 0xff);
    return 10 * tens + ones;
}

static inline bool is_leap_year(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline uint32_t days_of_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (uint32_t)(month == 2 && is_leap_year(year));
}

/* Days since 1970 of a day that exists. */
static inline int32_t count_days(uint32_t year, uint32_t month, uint32_t day)
{
    /* Years begin in March here, so that a leap day is a year's last: March is month 0, February month 11. */
    const uint32_t months = (month + 9) % 12;
    const uint32_t years = year - (month < 3);
    const uint32_t leap_days = years / 4 - years / 100 + years / 400;
    const uint32_t day_of_year = (153 * months + 2) / 5 + day - 1; /* 31, 30, 31, 30, 31 days: 153 in five months */
    return (int32_t)(365 * years + leap_days + day_of_year) - DAYS_BEFORE_1970;
}

/* Reads the ten bytes of a date. */
static inline bool read_day(const uint8_t *text, int32_t *days, uint32_t *year)
{
    uint64_t digits;
    if (!match_pattern(load_8_bytes(text), DATE_PATTERN, DATE_ROOM, &digits))
        return false;
    const uint32_t tens = (uint32_t)text[8] - '0', ones = (uint32_t)text[9] - '0';
    *year = 100 * pair_at(digits, 0) + pair_at(digits, 2);
    const uint32_t month = pair_at(digits, 5), day = 10 * tens + ones;
    if (tens > 9 || ones > 9 || *year < 1 || month < 1 || month > 12)
        return false;
    if (day < 1 || day > days_of_month(*year, month))
        return false;
    *days = count_days(*year, month, day);
    return true;
}

bool read_date(const uint8_t *text, int64_t length, int32_t *days)
{
    uint32_t year;
    return length == 10 && read_day(text, days, &year);
}

/* Reads the eight bytes of a time, 23:59:59 at most. */
static inline bool read_time(const uint8_t *text, int64_t *seconds)
{
    uint64_t digits;
    if (!match_pattern(load_8_bytes(text), TIME_PATTERN, TIME_ROOM, &digits))
        return false;
    const uint32_t hour = pair_at(digits, 0), minute = pair_at(digits, 3), second = pair_at(digits, 6);
    *seconds = 3600 * hour + 60 * minute + second;
    return hour < 24 && minute < 60 && second < 60;
}

static const int64_t PARTS_OF_A_SECOND[10] = {1, 0, 0, 1000, 0, 0, 1000000, 0, 0, 1000000000};

bool read_timestamp(const uint8_t *text, int64_t length, const TimestampForm *form, int64_t *value)
{
    const int64_t fraction_length = form->digits ? 1 + form->digits : 0;
    if (length != 19 + fraction_length + form->zoned || text[10] != form->separator)
        return false;
    int32_t days;
    uint32_t year;
    int64_t seconds;
    if (!read_day(text, &days, &year) || !read_time(text + 11, &seconds))
        return false;
    uint64_t fraction = 0;
    if (form->digits && (text[19] != '.' || !read_digits(text + 20, form->digits, &fraction)))
        return false;
    if (form->zoned && text[length - 1] != 'Z')
        return false;
    if (form->digits == 9 && (year < 1678 || year > 2261))
        return false; /* 64 bits of nanoseconds reach from September 1677 to April 2262 */
    *value = (days * INT64_C(86400) + seconds) * PARTS_OF_A_SECOND[form->digits] + (int64_t)fraction;
    return true;
}
