/* The least and the greatest value of a page, as Arrow finds them. */

#ifndef MILLRACE_PARQUET_RANGE_H
#define MILLRACE_PARQUET_RANGE_H

#include "parquet_leaf.h"

/* Of so many stored values behind each other; booleans are a byte each. */
void find_range(int32_t physical, const uint8_t *values, int64_t count, MillracePage *page);

/* Of texts as they are stored, each behind its length; eight bytes behind the last may be read. */
void find_text_range(const uint8_t *texts, int64_t count, MillracePage *page);

/* Looks whether a text is below the least or above the greatest so far. */
void widen_text_range(TextValue text, MillracePage *page);

#endif
