/* Texts as dates and times, each with the proof that the value is printed as this text.
 *
 * What these functions refuse may still be a time: the caller asks the slower rule, which decides. A text may be read
 * up to 16 bytes beyond its end; what is there changes nothing. */
#ifndef MILLRACE_TIMES_H
#define MILLRACE_TIMES_H

#include "bits.h"

/* How a column's timestamps are written: 2026-01-31T12:00:00.125Z has the separator T, three digits and a zone. */
typedef struct {
    uint8_t separator;
    uint8_t digits; /* of a second: 0, 3, 6 or 9 */
    bool zoned;
} TimestampForm;

/* Reads a date of the years 1 to 9999, such as 2026-01-31, as days since 1970. */
bool read_date(const uint8_t *text, int64_t length, int32_t *days);

/* Reads a timestamp of exactly this form, as seconds or parts of a second, as the form has digits, since 1970. */
bool read_timestamp(const uint8_t *text, int64_t length, const TimestampForm *form, int64_t *value);

#endif
