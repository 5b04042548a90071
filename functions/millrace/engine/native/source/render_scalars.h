/* Values whose text has a bounded size: all but texts, bytes and containers. */

#ifndef MILLRACE_RENDER_SCALARS_H
#define MILLRACE_RENDER_SCALARS_H

#include "render_columns.h"
#include "render_page.h"

/* The writer of a kind's values, without quotes; NULL for the kinds that are no scalars. */
ScalarWriter choose_scalar_writer(const MillraceType *type);

/* Whether JSON holds a kind's values without quotes; a float that is not finite has them all the same. */
bool is_bare_in_json(int32_t kind);

bool is_float(int32_t kind);

/* Whether a float is a number; JSON has no others. */
bool is_finite(const ColumnView *view, int64_t row);

#endif
