/* Columns leave as Arrow arrays: each array owns its buffers until its reader releases it. */

#include <stdlib.h>

#include "columns.h"

#define MOST_BUFFERS 3

/* What an array owns. The members of `ArrowArray` point into it, so it lives as long as the array. */
typedef struct {
    const void *buffers[MOST_BUFFERS];
    struct ArrowArray *children;               /* the structs, one behind the other */
    struct ArrowArray *pointers_to_children[]; /* as Arrow wants them */
} Owner;

static void release_array(struct ArrowArray *array)
{
    Owner *owner = array->private_data;
    for (int64_t child = 0; child < array->n_children; child++) {
        struct ArrowArray *inner = array->children[child];
        if (inner->release != NULL) { /* a reader may have taken a child for itself */
            inner->release(inner);
        }
    }
    for (int32_t buffer = 0; buffer < MOST_BUFFERS; buffer++) {
        free((void *)(uintptr_t)owner->buffers[buffer]);
    }
    free(owner->children);
    free(owner);
    array->release = NULL;
}

/* Gives back what growth took too much of, and the buffer's bytes to the caller. Never NULL for a buffer that Arrow
   wants, even an empty one: not all its readers accept that. */
static uint8_t *take_bytes(Buffer *buffer)
{
    const size_t wanted = (size_t)(buffer->size > 0 ? buffer->size : 1);
    uint8_t *bytes = buffer->bytes;
    if (bytes == NULL || (int64_t)wanted < buffer->capacity) {
        uint8_t *fitting = realloc(bytes, wanted);
        bytes = fitting != NULL ? fitting : bytes;
    }
    *buffer = (Buffer){0};
    return bytes;
}

/* Puts the buffers in the order of Arrow's layouts: validity first, then offsets, then values. */
static int64_t take_buffers(Column *column, const void **buffers)
{
    if (column->layout == LAYOUT_NULL) {
        return 0;
    }
    int64_t count = 0;
    buffers[count++] = column->nulls > 0 ? take_bytes(&column->validity) : NULL;
    if (column->layout == LAYOUT_TEXT || column->layout == LAYOUT_LIST) {
        buffers[count++] = take_bytes(&column->offsets);
    }
    if (column->layout != LAYOUT_STRUCT && column->layout != LAYOUT_LIST) {
        buffers[count++] = take_bytes(&column->values);
    }
    return count;
}

static bool has_missing_buffer(const Owner *owner, int64_t count)
{
    for (int64_t buffer = 1; buffer < count; buffer++) { /* the first, validity, may be missing */
        if (owner->buffers[buffer] == NULL) {
            return true;
        }
    }
    return false;
}

/* On failure `out` is released, or was never filled: `out->release` is NULL. */
static bool export_column(Column *column, struct ArrowArray *out)
{
    const size_t children = (size_t)column->child_count;
    out->release = NULL;
    Owner *owner = calloc(1, sizeof(Owner) + children * sizeof(struct ArrowArray *));
    if (owner == NULL) {
        return false;
    }
    if (children > 0) {
        owner->children = calloc(children, sizeof(struct ArrowArray));
        if (owner->children == NULL) {
            free(owner);
            return false;
        }
    }
    bool is_whole = complete_validity(column);
    *out = (struct ArrowArray){
        .length = column->length,
        .null_count = column->layout == LAYOUT_NULL ? column->length : column->nulls,
        .n_buffers = take_buffers(column, owner->buffers),
        .buffers = owner->buffers,
        .n_children = column->child_count,
        .children = children > 0 ? owner->pointers_to_children : NULL,
        .release = release_array,
        .private_data = owner,
    };
    is_whole = is_whole && !has_missing_buffer(owner, out->n_buffers);
    for (size_t child = 0; child < children; child++) {
        owner->pointers_to_children[child] = &owner->children[child];
        is_whole = is_whole && export_column(&column->children[child], &owner->children[child]);
    }
    if (!is_whole) {
        release_array(out);
    }
    return is_whole;
}

bool export_batch(Column *batch, struct ArrowArray *out)
{
    Allowance *allowance = batch->allowance;
    const bool is_exported = export_column(batch, out);
    if (!is_exported) {
        allowance->code = MILLRACE_NO_MEMORY;
    }
    close_batch(batch); /* its buffers are the array's now */
    return is_exported;
}
