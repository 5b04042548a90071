/* What all parts of the kernel share: codes, faults, types, and how functions are exported.

   The law of every function here: it gives what the Python code gives, or it says that it does not know. It never
   decides a type and never words an error. Python then does the same block again, and finds or explains the fault. */

#ifndef MILLRACE_KERNEL_H
#define MILLRACE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* To be raised when the meaning of a parameter or of a structure changes; `library.py` has the same number. */
#define MILLRACE_ABI 1

/* Everything is hidden in the library (-fvisibility=hidden) but for the functions that say this. */
#define MILLRACE_EXPORT __attribute__((visibility("default")))

/* So many zero bytes lie behind every text that Python gives: a word or a vector may be read at its last byte. */
#define MILLRACE_PADDING 64

/* Lists in structs in lists: types nested deeper than this stay in Python. */
#define MILLRACE_MOST_DEPTH 64

/* Arrow's offsets of texts and lists are int32_t: no column of one batch may hold more bytes or children. */
#define MILLRACE_MOST_OFFSET INT32_MAX

/* Compilers lay out the likely way straight: `if (RARELY(c == '"'))`. */
#define OFTEN(condition) __builtin_expect(!!(condition), 1)
#define RARELY(condition) __builtin_expect(!!(condition), 0)

/* Mirrored in `seam.py`, as are the kinds below; a test compares them. */
typedef enum {
    MILLRACE_OK,           /* the batch is there, and every value of it is proven */
    MILLRACE_IRREGULAR,    /* the text has a shape that this code does not know */
    MILLRACE_CONTRADICTED, /* a value does not have its column's type: `row` and `column` say which */
    MILLRACE_NOT_UTF8,     /* `byte` says where */
    MILLRACE_NO_MEMORY,    /* the machine has no more */
    MILLRACE_TOO_MUCH,     /* more than Python allowed, or than Arrow's offsets can count */
} MillraceCode;

/* Where and why a function gave up. Python only uses it to choose what to try next, never for a message. */
typedef struct {
    int32_t code;
    int32_t column;
    int64_t row;
    int64_t byte;
} MillraceFault;

/* One for each type of Arrow that the kernel can meet; `seam.py` names the same with the same numbers. */
typedef enum {
    KIND_NULL,
    KIND_BOOL,
    KIND_INT8,
    KIND_INT16,
    KIND_INT32,
    KIND_INT64,
    KIND_UINT8,
    KIND_UINT16,
    KIND_UINT32,
    KIND_UINT64,
    KIND_FLOAT16,
    KIND_FLOAT32,
    KIND_FLOAT64,
    KIND_DECIMAL128,
    KIND_DECIMAL256,
    KIND_STRING,
    KIND_LARGE_STRING,
    KIND_BINARY,
    KIND_LARGE_BINARY,
    KIND_FIXED_BINARY,
    KIND_DATE32,
    KIND_DATE64,
    KIND_TIME32,
    KIND_TIME64,
    KIND_TIMESTAMP,
    KIND_DURATION,
    KIND_LIST,
    KIND_LARGE_LIST,
    KIND_FIXED_LIST,
    KIND_STRUCT,
    KIND_MAP,
    KIND_DICTIONARY,
    KIND_COUNT,
} MillraceKind;

/* Units of times, timestamps and durations, in `unit_or_scale`: the unit is 10 ** -(3 * number) seconds. */
typedef enum { UNIT_SECOND, UNIT_MILLI, UNIT_MICRO, UNIT_NANO } MillraceUnit;

/* Bits of `flags`. */
#define MILLRACE_NULLABLE 1
#define MILLRACE_ZONED 2 /* a timestamp that counts from 1970 in UTC and has a zone's name */

/* A type as Python gives it. All types of a schema lie in one flat array, the columns first, in their order.

   Example: the schema {a: int64, b: list<struct<c: string>>} has two columns and five entries:
       0 INT64 "a"    1 LIST "b", first_child 2, children 1    2 STRUCT "item", first_child 3, children 1
       3 STRING "c"
   so that the children of one type lie behind each other, behind their parent. A map has one child, a struct of key
   and value, as in Arrow; a dictionary has one, its values, and its indexes are described by `precision` (a kind). */
typedef struct {
    int32_t kind;
    int32_t form; /* which spelling is read or printed; each part of the kernel says what its numbers mean */
    int32_t unit_or_scale;
    int32_t precision; /* of decimals; of fixed binaries and lists: their size */
    int32_t first_child;
    int32_t children;
    int32_t name_offset; /* the field's name, in UTF-8, in the names that are given with the types */
    int32_t name_length;
    int32_t flags;
} MillraceType;

#endif
