/* Dates, times, timestamps and durations as ISO 8601 writes them, as engine/types/printing.py does.

   None writes more than 48 bytes. Units are those of kernel.h. */

#ifndef MILLRACE_RENDER_MOMENTS_H
#define MILLRACE_RENDER_MOMENTS_H

#include "kernel.h"

/* Days since 1970; years beyond 1 to 9999 have a sign and at least six digits: +012024-02-29. */
uint8_t *write_date(int64_t days, uint8_t *out);

/* Milliseconds since 1970, as date64 counts days; NULL if they are no whole days, or more than 32 bits of them. */
uint8_t *write_date_of_millis(int64_t millis, uint8_t *out);

/* A time of day; NULL if there is no such time. */
uint8_t *write_time(int64_t count, MillraceUnit unit, uint8_t *out);

/* How a column's timestamps are printed. */
typedef struct {
    MillraceUnit unit;  /* what they count since 1970 */
    MillraceUnit shown; /* whose digits are printed if that loses none; else all digits are */
    uint8_t separator;
    bool is_zoned;
} MomentForm;

/* The day that was printed last: most timestamps in a row of them are of one day. All zeros before the first. */
typedef struct {
    int64_t days;
    int64_t length;
    uint8_t text[32];
} DayText;

uint8_t *write_timestamp(int64_t count, const MomentForm *form, DayText *latest, uint8_t *out);

/* PT1.500S */
uint8_t *write_duration(int64_t count, MillraceUnit unit, uint8_t *out);

#endif
