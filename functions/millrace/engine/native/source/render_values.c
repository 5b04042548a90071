/* Scalars first, which CSV and JSON share; then JSON with its containers; then CSV. */

#include "render_values.h"

#include "decimal_digits.h"
#include "double_text.h"
#include "render_moments.h"
#include "render_numbers.h"
#include "render_texts.h"

enum {
    MOST_COMPARED = 256, /* a map with more entries is not searched for a key that comes twice: Python does it */
};

static Span find_bytes(const ColumnView *view, int64_t row)
{
    if (view->type->kind == KIND_FIXED_BINARY) {
        const int64_t width = view->type->precision;
        const uint8_t *bytes = view->values + width * (view->offset + row);
        return (Span){bytes, width, bytes + width};
    }
    const int64_t start = find_start(view, row);
    const int64_t size = find_start(view, row + 1) - start;
    if (size == 0) {
        return (Span){0}; /* a column of nothing else may have no bytes at all */
    }
    return (Span){view->values + start, size, view->values_end};
}

static double load_float(const ColumnView *view, int64_t row)
{
    switch (view->type->kind) {
    case KIND_FLOAT16:
        return widen_half(load_uint16(view, row));
    case KIND_FLOAT32:
        return (double)load_float32(view, row);
    default:
        return load_float64(view, row);
    }
}

static bool is_float(int32_t kind)
{
    return kind == KIND_FLOAT64 || kind == KIND_FLOAT32 || kind == KIND_FLOAT16;
}

static uint8_t *write_bool(bool value, uint8_t *out)
{
    return value ? WRITE_CONSTANT("true", out) : WRITE_CONSTANT("false", out);
}

static uint8_t *write_timestamp_of(const ColumnView *view, int64_t row, uint8_t *out)
{
    const int32_t form = view->type->form;
    return write_timestamp(load_int64(view, row), (MillraceUnit)view->type->unit_or_scale,
                           (MillraceUnit)(form & FORM_UNIT_BITS), form & FORM_SPACE ? ' ' : 'T',
                           view->type->flags & MILLRACE_ZONED, out);
}

/* A value whose text has a bounded size, without quotes; NULL if it has none. */
static uint8_t *write_scalar(const ColumnView *view, int64_t row, uint8_t *out)
{
    const MillraceType *type = view->type;
    switch (type->kind) {
    case KIND_BOOL:
        return write_bool(load_bool(view, row), out);
    case KIND_INT8:
        return write_signed(load_int8(view, row), out);
    case KIND_INT16:
        return write_signed(load_int16(view, row), out);
    case KIND_INT32:
        return write_signed(load_int32(view, row), out);
    case KIND_INT64:
        return write_signed(load_int64(view, row), out);
    case KIND_UINT8:
        return write_unsigned(load_uint8(view, row), out);
    case KIND_UINT16:
        return write_unsigned(load_uint16(view, row), out);
    case KIND_UINT32:
        return write_unsigned(load_uint32(view, row), out);
    case KIND_UINT64:
        return write_unsigned(load_uint64(view, row), out);
    case KIND_FLOAT16:
    case KIND_FLOAT32:
    case KIND_FLOAT64:
        return out + write_double(load_float(view, row), type->form == FORM_BARE, out);
    case KIND_DECIMAL128:
        return write_decimal(view->values + 16 * (view->offset + row), 2, type->unit_or_scale, out);
    case KIND_DECIMAL256:
        return write_decimal(view->values + 32 * (view->offset + row), 4, type->unit_or_scale, out);
    case KIND_DATE32:
        return write_date(load_int32(view, row), out);
    case KIND_DATE64:
        return write_date_of_millis(load_int64(view, row), out);
    case KIND_TIME32:
        return write_time(load_int32(view, row), (MillraceUnit)type->unit_or_scale, out);
    case KIND_TIME64:
        return write_time(load_int64(view, row), (MillraceUnit)type->unit_or_scale, out);
    case KIND_TIMESTAMP:
        return write_timestamp_of(view, row, out);
    case KIND_DURATION:
        return write_duration(load_int64(view, row), (MillraceUnit)type->unit_or_scale, out);
    default:
        return NULL;
    }
}

static bool is_number(int32_t kind)
{
    return (kind >= KIND_BOOL && kind <= KIND_UINT64) || kind == KIND_DECIMAL128 || kind == KIND_DECIMAL256;
}

/* Numbers and booleans are bare; all others, and what is no finite number, are texts. */
static uint8_t *write_json_scalar(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const int32_t kind = view->type->kind;
    bool is_bare = is_number(kind);
    if (is_float(kind)) {
        const double value = load_float(view, row);
        is_bare = value - value == 0; /* infinity less infinity is NaN, like all that is done with NaN */
    }
    if (!is_bare) {
        *out++ = '"';
    }
    out = write_scalar(view, row, out);
    if (RARELY(out == NULL)) {
        return stop(page, MILLRACE_IRREGULAR);
    }
    if (!is_bare) {
        *out++ = '"';
    }
    return out;
}

static uint8_t *write_json_string(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const Span text = find_bytes(view, row);
    switch (view->type->form) {
    case FORM_RAW_JSON:
        return write_raw_json(text, out, page);
    case FORM_VERBATIM:
        return write_verbatim(text, out, page);
    default:
        return write_json_text(text, out, page);
    }
}

static uint8_t *write_binary(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const Span bytes = find_bytes(view, row);
    if (view->type->kind == KIND_FIXED_BINARY && view->type->form == FORM_UUID) {
        return write_uuid(bytes.bytes, out);
    }
    return write_base64(bytes, out, page);
}

static uint8_t *write_json_binary(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    *out++ = '"';
    out = write_binary(view, row, out, page);
    if (out != NULL) {
        *out++ = '"';
    }
    return out;
}

static uint8_t *write_items(const ColumnView *items, int64_t first, int64_t end, uint8_t *out, Page *page)
{
    *out++ = '[';
    for (int64_t item = first; item < end; item++) {
        out = write_json(items, item, out, page);
        if (is_stopped(out, page)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
        *out++ = ',';
    }
    if (end > first) {
        out--; /* the last comma becomes the bracket */
    }
    *out++ = ']';
    return out;
}

static uint8_t *write_list(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    if (view->type->kind == KIND_FIXED_LIST) {
        const int64_t size = view->type->precision;
        const int64_t first = (view->offset + row) * size;
        return write_items(view->children, first, first + size, out, page);
    }
    return write_items(view->children, find_start(view, row), find_start(view, row + 1), out, page);
}

uint8_t *write_members(const ColumnView *members, int32_t count, int64_t row, uint8_t *out, Page *page)
{
    if (count == 0) {
        *out++ = '{';
    }
    for (const ColumnView *member = members; member < members + count; member++) {
        if (!has_page_room(out, member->name_length, page)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
        memcpy(out, member->name, (size_t)member->name_length);
        out = write_json(member, row, out + member->name_length, page);
        if (is_stopped(out, page)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
    }
    *out++ = '}';
    return out;
}

static bool are_equal_keys(const ColumnView *keys, int64_t left, int64_t right)
{
    const int32_t kind = keys->type->kind;
    if (kind != KIND_STRING && kind != KIND_LARGE_STRING) {
        uint8_t texts[2][DIGITS_ROOM];
        const uint8_t *left_end = write_scalar(keys, left, texts[0]);
        const uint8_t *right_end = write_scalar(keys, right, texts[1]);
        return left_end - texts[0] == right_end - texts[1] &&
               memcmp(texts[0], texts[1], (size_t)(left_end - texts[0])) == 0;
    }
    const Span one = find_bytes(keys, left);
    const Span other = find_bytes(keys, right);
    return one.size == other.size && (one.size == 0 || memcmp(one.bytes, other.bytes, (size_t)one.size) == 0);
}

/* Whether a key is missing or comes twice, which JSON cannot hold, or whether there are too many to look. */
static bool has_doubtful_keys(const ColumnView *keys, int64_t first, int64_t end)
{
    if (end - first > MOST_COMPARED) {
        return true;
    }
    for (int64_t key = first; key < end; key++) {
        if (is_missing(keys, key)) {
            return true;
        }
        for (int64_t earlier = first; earlier < key; earlier++) {
            if (are_equal_keys(keys, earlier, key)) {
                return true;
            }
        }
    }
    return false;
}

static uint8_t *write_key(const ColumnView *keys, int64_t row, uint8_t *out, Page *page)
{
    if (keys->type->kind == KIND_STRING || keys->type->kind == KIND_LARGE_STRING) {
        return write_json_text(find_bytes(keys, row), out, page);
    }
    *out++ = '"';
    out = write_scalar(keys, row, out);
    *out++ = '"';
    return out;
}

/* Arrow's map is a list of structs of a key and a value; in JSON it is an object. */
static uint8_t *write_map(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const ColumnView *entries = view->children;
    const ColumnView *keys = entries->children;
    const ColumnView *values = keys + 1;
    const int64_t first = entries->offset + find_start(view, row);
    const int64_t end = entries->offset + find_start(view, row + 1);
    if (has_doubtful_keys(keys, first, end)) {
        return stop(page, MILLRACE_IRREGULAR);
    }
    *out++ = '{';
    for (int64_t entry = first; entry < end; entry++) {
        out = write_key(keys, entry, out, page);
        if (is_stopped(out, page)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
        *out++ = ':';
        out = write_json(values, entry, out, page);
        if (is_stopped(out, page)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
        *out++ = ',';
    }
    if (end > first) {
        out--;
    }
    *out++ = '}';
    return out;
}

static uint8_t *write_json_null(uint8_t *out)
{
    return WRITE_CONSTANT("null", out);
}

uint8_t *write_json(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const MillraceType *type = view->type;
    if (is_missing(view, row)) {
        return write_json_null(out);
    }
    switch (type->kind) {
    case KIND_NULL:
        return write_json_null(out);
    case KIND_STRING:
    case KIND_LARGE_STRING:
        return write_json_string(view, row, out, page);
    case KIND_BINARY:
    case KIND_LARGE_BINARY:
    case KIND_FIXED_BINARY:
        return write_json_binary(view, row, out, page);
    case KIND_LIST:
    case KIND_LARGE_LIST:
    case KIND_FIXED_LIST:
        return write_list(view, row, out, page);
    case KIND_STRUCT: /* its children have its rows, where its own offset begins */
        return write_members(view->children, type->children, view->offset + row, out, page);
    case KIND_MAP:
        return write_map(view, row, out, page);
    case KIND_DICTIONARY:
        return write_json(view->children, load_index(view, row), out, page);
    default:
        return write_json_scalar(view, row, out, page);
    }
}

static uint8_t *write_csv_binary(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const uint8_t *start = out;
    out = write_binary(view, row, out, page);
    return out == start ? WRITE_CONSTANT("\"\"", out) : out;
}

/* Containers are JSON in a field; room for the first quote is left before it. */
static uint8_t *write_csv_container(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    uint8_t *end = write_json(view, row, out + 1, page);
    if (is_stopped(end, page)) {
        return stop(page, MILLRACE_TOO_MUCH);
    }
    return quote_in_place(out, end, page);
}

uint8_t *write_csv(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    if (is_missing(view, row)) {
        return out;
    }
    switch (view->type->kind) {
    case KIND_NULL:
        return out;
    case KIND_STRING:
    case KIND_LARGE_STRING:
        if (view->type->form == FORM_VERBATIM) {
            return write_verbatim(find_bytes(view, row), out, page);
        }
        return write_csv_text(find_bytes(view, row), out, page);
    case KIND_BINARY:
    case KIND_LARGE_BINARY:
    case KIND_FIXED_BINARY:
        return write_csv_binary(view, row, out, page);
    case KIND_LIST:
    case KIND_LARGE_LIST:
    case KIND_FIXED_LIST:
    case KIND_STRUCT:
    case KIND_MAP:
        return write_csv_container(view, row, out, page);
    case KIND_DICTIONARY:
        return write_csv(view->children, load_index(view, row), out, page);
    default:
        out = write_scalar(view, row, out);
        return out != NULL ? out : stop(page, MILLRACE_IRREGULAR);
    }
}
