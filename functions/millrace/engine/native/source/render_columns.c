/* Views over Arrow's arrays, and the check that all their texts are texts. */

#include "render_columns.h"

#include <stdlib.h>

#include "render_scalars.h"
#include "utf8.h"

typedef struct {
    ColumnView *views;
    DayText *days;
    const MillraceType *types;
    const uint8_t *names;
} Opening;

static bool is_text(int32_t kind)
{
    return kind == KIND_STRING || kind == KIND_LARGE_STRING;
}

static bool has_starts(int32_t kind)
{
    return is_text(kind) || kind == KIND_BINARY || kind == KIND_LARGE_BINARY || kind == KIND_LIST ||
           kind == KIND_LARGE_LIST || kind == KIND_MAP;
}

static bool has_large_starts(int32_t kind)
{
    return kind == KIND_LARGE_STRING || kind == KIND_LARGE_BINARY || kind == KIND_LARGE_LIST;
}

/* A type's buffers, in the order of Arrow's layouts: validity, then starts or values, then the bytes of texts. */
static void take_buffers(ColumnView *view, const struct ArrowArray *array)
{
    const int32_t kind = view->type->kind;
    view->length = array->length;
    view->offset = array->offset;
    if (array->n_buffers > 0 && array->null_count != 0) {
        view->validity = array->buffers[0];
    }
    view->is_large = has_large_starts(kind);
    if (!has_starts(kind)) {
        view->values = array->n_buffers > 1 ? array->buffers[1] : NULL;
        return;
    }
    view->starts = array->buffers[1];
    if (array->n_buffers > 2 && array->length > 0 && array->buffers[2] != NULL) {
        view->values = array->buffers[2];
        view->values_end = view->values + find_start(view, array->length);
    }
}

static bool open_view(const Opening *opening, int32_t number, const struct ArrowArray *array)
{
    const MillraceType *type = &opening->types[number];
    ColumnView *view = &opening->views[number];
    view->type = type;
    view->name = opening->names + type->name_offset;
    view->name_length = type->name_length;
    view->children = opening->views + type->first_child;
    view->write = choose_scalar_writer(type);
    view->is_bare = is_bare_in_json(type->kind);
    view->is_float = is_float(type->kind);
    view->moments = (MomentForm){
        .unit = (MillraceUnit)type->unit_or_scale,
        .shown = (MillraceUnit)(type->form & FORM_UNIT_BITS),
        .separator = type->form & FORM_SPACE ? ' ' : 'T',
        .is_zoned = (type->flags & MILLRACE_ZONED) != 0,
    };
    view->latest_day = &opening->days[number];
    take_buffers(view, array);
    if (type->kind == KIND_DICTIONARY) { /* its one child is the dictionary itself */
        return array->dictionary != NULL && open_view(opening, type->first_child, array->dictionary);
    }
    if (array->n_children != type->children || array->dictionary != NULL) {
        return false;
    }
    for (int32_t child = 0; child < type->children; child++) {
        if (!open_view(opening, type->first_child + child, array->children[child])) {
            return false;
        }
    }
    return true;
}

ColumnView *open_views(const struct ArrowArray *batch, const MillraceType *types, int32_t type_count,
                       int32_t column_count, const uint8_t *names, int32_t *code)
{
    const size_t count = (size_t)type_count + 1; /* never 0 */
    ColumnView *views = calloc(count, sizeof *views + sizeof(DayText));
    if (views == NULL) {
        *code = MILLRACE_NO_MEMORY;
        return NULL;
    }
    const Opening opening = {views, (DayText *)(views + count), types, names};
    bool is_open = batch->n_children == column_count;
    for (int32_t column = 0; is_open && column < column_count; column++) {
        is_open = open_view(&opening, column, batch->children[column]);
        views[column].offset += batch->offset;
    }
    if (!is_open) {
        free(views);
        *code = MILLRACE_IRREGULAR;
        return NULL;
    }
    return views;
}

/* All texts at once, as one: then each text is whole, too, unless a start lies within a character. "é" cut in two
   halves is no text twice, though its bytes are one. */
static bool has_only_whole_texts(const ColumnView *view, int64_t first, int64_t end)
{
    const int64_t from = find_start(view, first);
    const int64_t size = find_start(view, end) - from;
    if (size == 0) {
        return true;
    }
    const uint8_t *text = view->values + from;
    if (measure_utf8(text, size) != size) {
        return false;
    }
    bool is_cut = false;
    for (int64_t row = first; row < end; row++) {
        const int64_t start = find_start(view, row) - from;
        is_cut |= start < size && (text[start] & 0xC0) == 0x80; /* a byte within a character is 10xxxxxx */
    }
    return !is_cut;
}

bool has_only_utf8(const ColumnView *view, int64_t first, int64_t end)
{
    if (first == end) {
        return true;
    }
    const int32_t kind = view->type->kind;
    if (is_text(kind)) {
        return has_only_whole_texts(view, first, end);
    }
    if (kind == KIND_DICTIONARY) {
        return has_only_utf8(view->children, 0, view->children->length);
    }
    int64_t inner_first = view->offset + first;
    int64_t inner_end = view->offset + end;
    if (kind == KIND_FIXED_LIST) {
        inner_first *= view->type->precision;
        inner_end *= view->type->precision;
    } else if (kind != KIND_STRUCT) {
        if (!has_starts(kind) || view->type->children == 0) {
            return true;
        }
        inner_first = find_start(view, first);
        inner_end = find_start(view, end);
    }
    for (int32_t child = 0; child < view->type->children; child++) {
        if (!has_only_utf8(&view->children[child], inner_first, inner_end)) {
            return false;
        }
    }
    return true;
}
