/* What is open at a place in JSON text, and how blocks of 64 bytes change it. */
#ifndef MILLRACE_JSON_STATE_H
#define MILLRACE_JSON_STATE_H

#include "bits.h"
#include "kernel.h"

#define BLOCK 64

/* What is open at a place in the text. A place within a row has another state than none: {"a":[{"b":1}, is one brace,
 * and {"a":"x is one brace and a string. */
typedef struct {
    int64_t depth;      /* braces, those in strings left out */
    int32_t in_string;  /* 1 within a string */
    int32_t is_escaped; /* 1 if the next byte is behind a backslash that escapes it */
} JsonState;

/* Which of `count` bytes are escaped by a backslash before them: of \\" the second backslash, of \" the quote. */
static inline uint64_t find_escaped(uint64_t backslashes, int64_t count, JsonState *state)
{
    uint64_t escaped = (uint64_t)state->is_escaped;
    state->is_escaped = 0;
    backslashes &= ~escaped;
    while (backslashes) {
        const int at = lowest_bit(backslashes);
        if (at == count - 1)
            state->is_escaped = 1; /* the first byte behind these */
        else
            escaped |= UINT64_C(2) << at;
        /* The backslash and what it escapes are done with. */
        backslashes &= at >= BLOCK - 2 ? 0 : ~UINT64_C(0) << (at + 2);
    }
    return escaped;
}

/* Which of `count` bytes are within strings, opening quotes among them; `some` are the bytes that there are, so that
 * others behind the text may have any value. */
static inline uint64_t find_strings(const Bytes64 *block, int64_t count, uint64_t some, JsonState *state)
{
    const uint64_t backslashes = mask_equal(block, '\\') & some;
    uint64_t quotes = mask_equal(block, '"') & some;
    if (RARELY((backslashes | (uint64_t)state->is_escaped) != 0))
        quotes &= ~find_escaped(backslashes, count, state);
    const uint64_t in_string = prefix_parity(quotes) ^ (state->in_string ? UINT64_MAX : 0);
    state->in_string = (int32_t)(in_string >> (BLOCK - 1));
    return in_string;
}

static inline bool is_json_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

#endif
