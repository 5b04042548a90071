/* DELTA_BINARY_PACKED: integers as the differences of neighbours, each block of them with as few bits as it needs. */

#ifndef MILLRACE_PARQUET_DELTA_H
#define MILLRACE_PARQUET_DELTA_H

#include "kernel.h"

/* The most bytes of so many values: blocks of 128 or 256 are stored whole. */
static inline int64_t bound_delta(int64_t values)
{
    return (values / 128 + 2) * (128 * 8 + 32) + 64;
}

/* Writes values of 4 or 8 bytes to `out`, which has room for `bound_delta`; gives the number of bytes. */
int64_t encode_delta(const uint8_t *values, int64_t count, int64_t width, uint8_t *out);

#endif
