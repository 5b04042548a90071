/* How the fuzz targets read what libFuzzer gives them: choices first, then text. */

#ifndef MILLRACE_FUZZ_INPUT_H
#define MILLRACE_FUZZ_INPUT_H

#include <stdio.h>
#include <stdlib.h>

#include "../../../functions/millrace/engine/native/source/kernel.h"

/* What is left of the input. */
typedef struct {
    const uint8_t *bytes;
    int64_t size;
} Input;

/* Zero when nothing is left, so that a short input still makes all its choices. */
static inline uint8_t take_byte(Input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->bytes++;
}

static inline int64_t take_word(Input *input)
{
    uint64_t word = 0;
    for (int32_t byte = 0; byte < 8; byte++) {
        word = word << 8 | take_byte(input);
    }
    return (int64_t)word;
}

/* All that is left, with the padding behind it that Python promises, and not a byte more: an access behind that is
   found by the address sanitizer. To be freed. */
static inline uint8_t *copy_padded(const Input *input)
{
    uint8_t *copy = calloc((size_t)input->size + MILLRACE_PADDING, 1);
    if (copy == NULL) {
        abort();
    }
    if (input->size > 0) {
        memcpy(copy, input->bytes, (size_t)input->size);
    }
    return copy;
}

/* A find: libFuzzer keeps the input. */
#define REQUIRE(condition)                                                                                            \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                   \
            abort();                                                                                                  \
        }                                                                                                             \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
