/* Parquet's hybrid of runs and packed bits: levels (is it null?) and places in a dictionary are stored so.

   A run of at least eight equal values is stored once, with its length; all others are packed in groups of eight.
   Example of 1 bit a value: ten ones are 0x14 0x01 (twice ten, for "a run"; the one); 1,0,1,0,0,0,0,1 are 0x03 0x85
   (twice one group, and 1 for "packed"; the bits, the first the lowest).
   How runs are cut is Arrow's way (RleEncoder): a packed stretch has at most 63 groups. */

#ifndef MILLRACE_PARQUET_RUNS_H
#define MILLRACE_PARQUET_RUNS_H

#include "kernel.h"

typedef struct {
    uint8_t *out; /* has room for `bound_runs` bytes */
    int64_t size;
    int32_t width; /* bits of a value, 1 to 32 */
    uint32_t current;
    int64_t repeats; /* how often `current` came just now */
    uint32_t group[8];
    int32_t in_group;
    int64_t packed;    /* how many values the stretch of packed groups has so far */
    int64_t stretch;   /* where its first byte is, -1 without a stretch */
} Runs;

/* The most bytes of so many values. */
static inline int64_t bound_runs(int64_t values, int32_t width)
{
    return (values / 8 + 1) * (1 + width) + 16;
}

void open_runs(Runs *runs, uint8_t *out, int32_t width);

void put_group(Runs *runs);

/* Writes what is not written yet; then `size` is all. */
void close_runs(Runs *runs);

void end_repeats(Runs *runs);

static inline void put_value(Runs *runs, uint32_t value)
{
    if (runs->current == value) {
        runs->repeats++;
        if (runs->repeats > 8) {
            return; /* the run goes on: nothing has to be kept */
        }
    } else {
        if (runs->repeats >= 8) {
            end_repeats(runs);
        }
        runs->repeats = 1;
        runs->current = value;
    }
    runs->group[runs->in_group++] = value;
    if (runs->in_group == 8) {
        put_group(runs);
    }
}

/* The same value many times. */
static inline void put_repeated(Runs *runs, uint32_t value, int64_t count)
{
    while (count > 0 && (runs->current != value || runs->repeats <= 8)) {
        put_value(runs, value);
        count--;
    }
    runs->repeats += count;
}

#endif
