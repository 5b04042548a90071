/* The caller's buffer that rows are written to.

   A value of bounded size is written without a look at the room: wherever a value may begin, VALUE_ROOM bytes are free.
   Whoever writes more (texts, names) asks before, and whoever writes values one after the other asks after each:

       out = write_json(view, row, out, page);
       if (is_stopped(out, page)) return stop(page, MILLRACE_TOO_MUCH);

   A writer gives where its text ends, or NULL: then `page->code` says why. */

#ifndef MILLRACE_RENDER_PAGE_H
#define MILLRACE_RENDER_PAGE_H

#include "kernel.h"

enum { VALUE_ROOM = 128 }; /* a decimal of 76 digits, with what copies of whole words write behind it */

typedef struct {
    uint8_t *end; /* the last place where a value may begin */
    int32_t code; /* why a writer stopped; MILLRACE_TOO_MUCH means that the page is full */
} Page;

/* Always NULL. The first reason stays: a full page that was noticed twice is still one. */
static inline uint8_t *stop(Page *page, int32_t code)
{
    if (page->code == MILLRACE_OK) {
        page->code = code;
    }
    return NULL;
}

static inline bool is_stopped(const uint8_t *out, const Page *page)
{
    /* One comparison for both: less one, NULL is the greatest address. */
    return RARELY((uintptr_t)out - 1 >= (uintptr_t)page->end);
}

static inline bool has_page_room(const uint8_t *out, int64_t size, const Page *page)
{
    return OFTEN(page->end - out >= size);
}

/* Constants of a length that the compiler knows: one or two stores. */
#define WRITE_CONSTANT(text, out) (memcpy((out), (text), sizeof(text) - 1), (out) + sizeof(text) - 1)

#endif
