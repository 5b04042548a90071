/* The calendar is the Gregorian one, also before it was in use, as in ISO 8601. */

#include "render_moments.h"

#include "decimal_digits.h"
#include "render_numbers.h"
#include "render_page.h"

enum {
    SECONDS_A_DAY = 86400,
    DAYS_OF_400_YEARS = 146097,
    DAYS_FROM_0000_MARCH = 719468, /* from the 1st of March of year 0 to 1970 */
    MILLIS_A_DAY = 86400000,
};

static const int64_t counts_a_second[] = {1, 1000, 1000000, 1000000000};

typedef struct {
    int64_t year;
    int64_t month;
    int64_t day;
} Date;

/* A division that rounds down: -1 second is in the day before 1970. */
static int64_t divide_down(int64_t number, int64_t divisor)
{
    return number / divisor - (number % divisor < 0);
}

/* Years that begin in March make it simple, as their odd day is the last one.
   Of 400 years' days (see Howard Hinnant, "chrono-compatible low-level date algorithms") */
static Date find_date(int64_t days)
{
    days += DAYS_FROM_0000_MARCH;
    const int64_t cycle = divide_down(days, DAYS_OF_400_YEARS);
    const int64_t day = days - cycle * DAYS_OF_400_YEARS; /* 0 to 146096 */
    /* Without the leap days that were before it, 1 in 4 years (1460 days), none in 100 (36524), the year is 365 days. */
    const int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    const int64_t day_of_year = day - (365 * year + year / 4 - year / 100); /* 0 is the 1st of March */
    /* Five months from March on have 153 days, and so have the next five: 31 30 31 30 31. */
    const int64_t month = (5 * day_of_year + 2) / 153;
    const int64_t day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    const bool is_next_year = month >= 10; /* January and February */
    return (Date){year + cycle * 400 + is_next_year, is_next_year ? month - 9 : month + 3, day_of_month};
}

/* A number with at least so many digits; at most nine of them. */
static uint8_t *write_padded(uint32_t number, int digits, uint8_t *out)
{
    uint8_t text[16];
    text[0] = (uint8_t)('0' + number / TEN_TO_8);
    write_eight((uint32_t)(number % TEN_TO_8), text + 1);
    memcpy(out, text + 9 - digits, (size_t)digits);
    return out + digits;
}

static uint8_t *write_year(int64_t year, uint8_t *out)
{
    if (OFTEN(year >= 1 && year <= 9999)) {
        out = write_pair((uint32_t)year / 100, out);
        return write_pair((uint32_t)year % 100, out);
    }
    *out++ = year < 0 ? '-' : '+';
    const uint64_t size = (uint64_t)(year < 0 ? -year : year);
    return size < 1000000 ? write_padded((uint32_t)size, 6, out) : write_unsigned(size, out);
}

uint8_t *write_date(int64_t days, uint8_t *out)
{
    const Date date = find_date(days);
    out = write_year(date.year, out);
    *out++ = '-';
    out = write_pair((uint32_t)date.month, out);
    *out++ = '-';
    return write_pair((uint32_t)date.day, out);
}

uint8_t *write_date_of_millis(int64_t millis, uint8_t *out)
{
    const int64_t days = divide_down(millis, MILLIS_A_DAY);
    if (days * MILLIS_A_DAY != millis || days < INT32_MIN || days > INT32_MAX) {
        return NULL;
    }
    return write_date(days, out);
}

/* Three digits for milliseconds, six, nine; none and no point for seconds. */
static uint8_t *write_fraction(int64_t fraction, MillraceUnit unit, uint8_t *out)
{
    switch (unit) {
    case UNIT_SECOND:
        return out;
    case UNIT_MILLI: /* as the first digits of eight, the others are written over: 7 is 00700000 */
        *out = '.';
        write_eight((uint32_t)fraction * 100000, out + 1);
        return out + 4;
    case UNIT_MICRO:
        *out = '.';
        write_eight((uint32_t)fraction * 100, out + 1);
        return out + 7;
    default:
        *out++ = '.';
        return write_padded((uint32_t)fraction, 9, out);
    }
}

/* 19:05:30 in one word: hours, minutes and seconds lie 24 bits apart, so that each has room for two digits and a colon;
   all are divided by ten at once (n / 10 is n * 103 >> 10 for n < 100). */
static uint8_t *write_clock(uint32_t seconds, uint8_t *out)
{
    const uint64_t minutes = seconds / 60;
    const uint64_t parts = minutes / 60 | (minutes % 60) << 24 | (uint64_t)(seconds % 60) << 48;
    const uint64_t tens = (parts * 103 >> 10) & UINT64_C(0x000f00000f00000f);
    const uint64_t digits = tens | (parts - tens * 10) << 8;
    const uint64_t text = digits + UINT64_C(0x30303a30303a3030); /* "00:00:00" */
    memcpy(out, &text, 8);
    return out + 8;
}

static uint8_t *write_time_of_day(int64_t seconds, int64_t fraction, MillraceUnit unit, uint8_t *out)
{
    out = write_clock((uint32_t)seconds, out);
    return write_fraction(fraction, unit, out);
}

uint8_t *write_time(int64_t count, MillraceUnit unit, uint8_t *out)
{
    const int64_t a_second = counts_a_second[unit];
    if (count < 0 || count >= SECONDS_A_DAY * a_second) {
        return NULL;
    }
    return write_time_of_day(count / a_second, count % a_second, unit, out);
}

/* A count of one unit as one of another; false if digits would be lost, or if there is no room for more. */
static bool convert_unit(int64_t count, MillraceUnit from, MillraceUnit to, int64_t *converted)
{
    if (to >= from) {
        return !__builtin_mul_overflow(count, counts_a_second[to - from], converted);
    }
    const int64_t step = counts_a_second[from - to];
    *converted = count / step;
    return count % step == 0;
}

static uint8_t *write_day(int64_t days, DayText *latest, uint8_t *out)
{
    if (RARELY(days != latest->days || latest->length == 0)) {
        latest->days = days;
        latest->length = write_date(days, latest->text) - latest->text;
    }
    memcpy(out, latest->text, sizeof latest->text);
    return out + latest->length;
}

uint8_t *write_timestamp(int64_t count, const MomentForm *form, DayText *latest, uint8_t *out)
{
    MillraceUnit shown = form->shown;
    int64_t converted = count;
    if (shown != form->unit && !convert_unit(count, form->unit, shown, &converted)) {
        shown = form->unit;
        converted = count;
    }
    const int64_t seconds = divide_down(converted, counts_a_second[shown]);
    const int64_t fraction = converted - seconds * counts_a_second[shown];
    const int64_t days = divide_down(seconds, SECONDS_A_DAY);
    out = write_day(days, latest, out);
    *out++ = form->separator;
    out = write_time_of_day(seconds - days * SECONDS_A_DAY, fraction, shown, out);
    if (form->is_zoned) {
        *out++ = 'Z';
    }
    return out;
}

uint8_t *write_duration(int64_t count, MillraceUnit unit, uint8_t *out)
{
    out = WRITE_CONSTANT("PT", out);
    out = write_scaled(count, 3 * (int32_t)unit, out);
    *out++ = 'S';
    return out;
}
