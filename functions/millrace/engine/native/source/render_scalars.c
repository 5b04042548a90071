/* One writer a kind, chosen once for a column, so that a row costs no look at the type. */

#include "render_scalars.h"

#include "decimal_digits.h"
#include "double_text.h"
#include "render_moments.h"
#include "render_numbers.h"

#define DEFINE_WRITER(name, load, write)                                                                               \
    static uint8_t *name(const ColumnView *view, int64_t row, uint8_t *out)                                            \
    {                                                                                                                  \
        return write(load(view, row), out);                                                                            \
    }
DEFINE_WRITER(write_int8, load_int8, write_signed)
DEFINE_WRITER(write_int16, load_int16, write_signed)
DEFINE_WRITER(write_int32, load_int32, write_signed)
DEFINE_WRITER(write_int64, load_int64, write_signed)
DEFINE_WRITER(write_uint8, load_uint8, write_unsigned)
DEFINE_WRITER(write_uint16, load_uint16, write_unsigned)
DEFINE_WRITER(write_uint32, load_uint32, write_unsigned)
DEFINE_WRITER(write_uint64, load_uint64, write_unsigned)
DEFINE_WRITER(write_date32, load_int32, write_date)
DEFINE_WRITER(write_date64, load_int64, write_date_of_millis)
#undef DEFINE_WRITER

static uint8_t *write_bool(const ColumnView *view, int64_t row, uint8_t *out)
{
    return load_bool(view, row) ? WRITE_CONSTANT("true", out) : WRITE_CONSTANT("false", out);
}

static double load_float(const ColumnView *view, int64_t row)
{
    switch (view->type->kind) {
    case KIND_FLOAT16:
        return widen_half(load_uint16(view, row));
    case KIND_FLOAT32: /* whoever reads its text with either precision gets the same number */
        return (double)load_float32(view, row);
    default:
        return load_float64(view, row);
    }
}

static uint8_t *write_float(const ColumnView *view, int64_t row, uint8_t *out)
{
    return out + write_double(load_float(view, row), view->type->form == FORM_BARE, out);
}

static uint8_t *write_decimal128(const ColumnView *view, int64_t row, uint8_t *out)
{
    return write_decimal(view->values + 16 * (view->offset + row), 2, view->type->unit_or_scale, out);
}

static uint8_t *write_decimal256(const ColumnView *view, int64_t row, uint8_t *out)
{
    return write_decimal(view->values + 32 * (view->offset + row), 4, view->type->unit_or_scale, out);
}

static uint8_t *write_time32(const ColumnView *view, int64_t row, uint8_t *out)
{
    return write_time(load_int32(view, row), (MillraceUnit)view->type->unit_or_scale, out);
}

static uint8_t *write_time64(const ColumnView *view, int64_t row, uint8_t *out)
{
    return write_time(load_int64(view, row), (MillraceUnit)view->type->unit_or_scale, out);
}

static uint8_t *write_moment(const ColumnView *view, int64_t row, uint8_t *out)
{
    return write_timestamp(load_int64(view, row), &view->moments, view->latest_day, out);
}

static uint8_t *write_span(const ColumnView *view, int64_t row, uint8_t *out)
{
    return write_duration(load_int64(view, row), (MillraceUnit)view->type->unit_or_scale, out);
}

ScalarWriter choose_scalar_writer(const MillraceType *type)
{
    switch (type->kind) {
    case KIND_BOOL:
        return write_bool;
    case KIND_INT8:
        return write_int8;
    case KIND_INT16:
        return write_int16;
    case KIND_INT32:
        return write_int32;
    case KIND_INT64:
        return write_int64;
    case KIND_UINT8:
        return write_uint8;
    case KIND_UINT16:
        return write_uint16;
    case KIND_UINT32:
        return write_uint32;
    case KIND_UINT64:
        return write_uint64;
    case KIND_FLOAT16:
    case KIND_FLOAT32:
    case KIND_FLOAT64:
        return write_float;
    case KIND_DECIMAL128:
        return write_decimal128;
    case KIND_DECIMAL256:
        return write_decimal256;
    case KIND_DATE32:
        return write_date32;
    case KIND_DATE64:
        return write_date64;
    case KIND_TIME32:
        return write_time32;
    case KIND_TIME64:
        return write_time64;
    case KIND_TIMESTAMP:
        return write_moment;
    case KIND_DURATION:
        return write_span;
    default:
        return NULL;
    }
}

bool is_float(int32_t kind)
{
    return kind == KIND_FLOAT64 || kind == KIND_FLOAT32 || kind == KIND_FLOAT16;
}

bool is_bare_in_json(int32_t kind)
{
    return (kind >= KIND_BOOL && kind <= KIND_UINT64) || is_float(kind) || kind == KIND_DECIMAL128 ||
           kind == KIND_DECIMAL256;
}

bool is_finite(const ColumnView *view, int64_t row)
{
    const double value = load_float(view, row);
    return value - value == 0; /* infinity less infinity is NaN, like all that is done with NaN */
}
