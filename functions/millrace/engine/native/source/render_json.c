/* Containers recurse; the depth is bounded where Python describes the types. */

#include "render_json.h"

#include "decimal_digits.h"
#include "render_scalars.h"
#include "render_texts.h"

enum {
    MOST_COMPARED = 256, /* a map with more entries is not searched for a key that comes twice: Python does it */
};

/* Numbers and booleans are bare; all others, and what is no finite number, are texts. */
static uint8_t *write_json_scalar(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    if (view->is_bare && OFTEN(!view->is_float || is_finite(view, row))) {
        return view->write(view, row, out);
    }
    *out++ = '"';
    out = view->write(view, row, out);
    if (RARELY(out == NULL)) {
        return stop(page, MILLRACE_IRREGULAR);
    }
    *out++ = '"';
    return out;
}

static uint8_t *write_json_string(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const Span text = find_bytes(view, row);
    switch (view->type->form) {
    case FORM_RAW_JSON:
        return write_raw_json(text.bytes, text.size, text.readable, out, page);
    case FORM_VERBATIM:
        return write_verbatim(text.bytes, text.size, out, page);
    default:
        return write_json_text(text.bytes, text.size, text.readable, out, page);
    }
}

uint8_t *write_binary(const ColumnView *view, int64_t row, uint8_t *out, Page *page)
{
    const Span bytes = find_bytes(view, row);
    return write_base64(bytes.bytes, bytes.size, out, page);
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
        const uint8_t *left_end = keys->write(keys, left, texts[0]);
        const uint8_t *right_end = keys->write(keys, right, texts[1]);
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
        const Span text = find_bytes(keys, row);
        return write_json_text(text.bytes, text.size, text.readable, out, page);
    }
    *out++ = '"';
    out = keys->write(keys, row, out);
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
    if (is_missing(view, row) || type->kind == KIND_NULL) {
        return write_json_null(out);
    }
    if (OFTEN(view->write != NULL)) {
        return write_json_scalar(view, row, out, page);
    }
    switch (type->kind) {
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
    default: /* a kind that is not printed never comes here: Python asks before */
        return stop(page, MILLRACE_IRREGULAR);
    }
}
