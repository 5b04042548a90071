/* UTF-8 check: 64 bytes at once, and the last ones, or those around a fault, character by character.

   Each byte is judged by itself and the three before it, without a branch, sixteen at once:
   several GB/s for any script, where following the characters one by one reaches 0.5. */

#include "utf8.h"

#define BLOCK 64
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* GCC's and Clang's vectors: SSE2 on x86-64, NEON on arm64, from one source. */
typedef uint8_t Sixteen __attribute__((vector_size(16)));

static uint64_t load_word(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word); /* compilers make one load of it, at any address */
    return word;
}

static Sixteen load_sixteen(const uint8_t *text)
{
    Sixteen bytes;
    memcpy(&bytes, text, sizeof bytes);
    return bytes;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the character at `text`, which does not begin in ASCII: 2, 3 or 4; or 0 if it is none.

   The second byte alone rules out what is too long, a surrogate or beyond U+10FFFF (Unicode, table 3-7):
       E0 A0..BF, as E0 80..9F would fit in two bytes     ED 80..9F, as ED A0..BF are the surrogates D800..DFFF
       F0 90..BF, as F0 80..8F would fit in three bytes   F4 80..8F, as F4 90.. is beyond U+10FFFF */
static int64_t measure_character(const uint8_t *text, int64_t size)
{
    const uint8_t first = text[0];
    if (first < 0xC2 || first > 0xF4 || size < 2 || !is_continuation(text[1])) {
        return 0; /* 80..BF continue a character, C0 and C1 would fit in one byte */
    }
    if (first < 0xE0) {
        return 2;
    }
    const uint8_t second = text[1];
    const bool is_refused = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                            (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    if (is_refused || size < 3 || !is_continuation(text[2])) {
        return 0;
    }
    if (first < 0xF0) {
        return 3;
    }
    return size >= 4 && is_continuation(text[3]) ? 4 : 0;
}

/* How far characters are whole, from `at`, where one begins. */
static int64_t measure_characters(const uint8_t *text, int64_t size, int64_t at)
{
    while (at < size) {
        const int64_t length = text[at] < 0x80 ? 1 : measure_character(text + at, size - at);
        if (length == 0) {
            break;
        }
        at += length;
    }
    return at;
}

/* The start of the last character before `at`, in text that is right up to there: it may go on behind it. */
static int64_t find_last_character(const uint8_t *text, int64_t at)
{
    while (at > 0 && is_continuation(text[at - 1])) {
        at--;
    }
    return at > 0 && text[at - 1] >= 0xC0 ? at - 1 : at;
}

static bool is_ascii_block(const uint8_t *text)
{
    uint64_t bits = 0;
    for (int32_t word = 0; word < BLOCK; word += 8) {
        bits |= load_word(text + word);
    }
    return (bits & HIGH_BITS) == 0;
}

/* Whether the character before `text` ends there; three bytes before it are readable. */
static bool is_boundary(const uint8_t *text)
{
    return text[-1] < 0xC0 && text[-2] < 0xE0 && text[-3] < 0xF0;
}

/* Whether each byte of a block may come behind the three before it.

   A byte must be a continuation (80..BF) exactly if the byte before it leads two bytes or more (C0..), or the one
   before that three (E0..), or the one before that four (F0..): behind E6 BC comes one, behind E6 BC A2 none.
   Sixteen bytes are compared at once; a comparison gives FF for yes and 00 for no. */
static bool is_right_block(const uint8_t *text)
{
    Sixteen wrong = {0};
    for (int32_t at = 0; at < BLOCK; at += 16) {
        const Sixteen byte = load_sixteen(text + at);
        const Sixteen before = load_sixteen(text + at - 1);
        const Sixteen second = load_sixteen(text + at - 2);
        const Sixteen third = load_sixteen(text + at - 3);
        const Sixteen is_led = (Sixteen)((before >= 0xC0) | (second >= 0xE0) | (third >= 0xF0));
        const Sixteen is_following = (Sixteen)((byte & 0xC0) == 0x80);
        wrong |= is_led ^ is_following;
        wrong |= (Sixteen)(((byte & 0xFE) == 0xC0) | (byte > 0xF4));
        wrong |= (Sixteen)((before == 0xE0) & (byte < 0xA0)); /* these four as in measure_character */
        wrong |= (Sixteen)((before == 0xED) & (byte > 0x9F));
        wrong |= (Sixteen)((before == 0xF0) & (byte < 0x90));
        wrong |= (Sixteen)((before == 0xF4) & (byte > 0x8F));
    }
    uint64_t halves[2];
    memcpy(halves, &wrong, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

int64_t measure_utf8(const uint8_t *text, int64_t size)
{
    /* Blocks look three bytes back. A character that goes on behind the sixth byte is left for them. */
    int64_t at = measure_characters(text, size < 6 ? size : 6, 0);
    if (size < 6 || at < 3) {
        return at;
    }
    while (size - at >= BLOCK) {
        const bool is_right = is_ascii_block(text + at) ? is_boundary(text + at) : is_right_block(text + at);
        if (!is_right) {
            break;
        }
        at += BLOCK;
    }
    return measure_characters(text, size, find_last_character(text, at));
}

/* The same for Python: the offset of the first byte that is no UTF-8, or `size`. */
MILLRACE_EXPORT int64_t millrace_utf8(const uint8_t *text, int64_t size)
{
    return measure_utf8(text, size);
}
