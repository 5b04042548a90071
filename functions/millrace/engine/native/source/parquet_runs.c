/* The hybrid of runs and packed bits; parquet_runs.h explains it. */

#include "parquet_runs.h"

/* With one group more, the stretch's length would not go into one byte. */
#define MOST_GROUPS 63

void open_runs(Runs *runs, uint8_t *out, int32_t width)
{
    *runs = (Runs){.out = out, .width = width, .stretch = -1};
}

static void put_length(Runs *runs, uint64_t length)
{
    for (; length > 127; length >>= 7) {
        runs->out[runs->size++] = (uint8_t)(length | 128);
    }
    runs->out[runs->size++] = (uint8_t)length;
}

void end_repeats(Runs *runs)
{
    put_length(runs, (uint64_t)runs->repeats << 1);
    for (int32_t byte = 0; byte < (runs->width + 7) / 8; byte++) {
        runs->out[runs->size++] = (uint8_t)(runs->current >> (8 * byte));
    }
    runs->in_group = 0;
    runs->repeats = 0;
}

/* Eight values of `width` bits are `width` bytes. */
static void pack_group(Runs *runs)
{
    uint64_t bits = 0;
    int32_t held = 0;
    if (runs->stretch < 0) {
        runs->stretch = runs->size++;
    }
    for (int32_t value = 0; value < runs->in_group; value++) {
        bits |= (uint64_t)runs->group[value] << held;
        for (held += runs->width; held >= 8; held -= 8) {
            runs->out[runs->size++] = (uint8_t)bits;
            bits >>= 8;
        }
    }
    runs->in_group = 0;
}

static void end_stretch(Runs *runs)
{
    runs->out[runs->stretch] = (uint8_t)((runs->packed + 7) / 8 << 1 | 1);
    runs->stretch = -1;
    runs->packed = 0;
}

void put_group(Runs *runs)
{
    if (runs->repeats >= 8) { /* these eight begin a run, and are not packed */
        runs->in_group = 0;
        if (runs->packed > 0) {
            end_stretch(runs);
        }
        return;
    }
    runs->packed += runs->in_group;
    pack_group(runs);
    if (runs->packed / 8 >= MOST_GROUPS) {
        end_stretch(runs);
    }
    runs->repeats = 0;
}

void close_runs(Runs *runs)
{
    const bool is_one_run = runs->packed == 0 && (runs->repeats == runs->in_group || runs->in_group == 0);
    if (runs->repeats > 0 && is_one_run) {
        end_repeats(runs);
        return;
    }
    if (runs->packed == 0 && runs->in_group == 0) {
        return;
    }
    if (runs->in_group > 0) {
        for (; runs->in_group < 8; runs->in_group++) {
            runs->group[runs->in_group] = 0;
        }
        runs->packed += 8;
        pack_group(runs);
    }
    end_stretch(runs);
}
