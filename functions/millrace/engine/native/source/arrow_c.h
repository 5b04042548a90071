/* The two structures of Arrow's C Data Interface, in which arrays cross the border without a copy.

   Their members, their order and the flags are fixed for good by Arrow's specification ("The Arrow C data interface").
   Whoever fills one in sets `release`; whoever has read it calls `release`, which frees all and sets itself to NULL. */

#ifndef MILLRACE_ARROW_C_H
#define MILLRACE_ARROW_C_H

#include <stdint.h>

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif
