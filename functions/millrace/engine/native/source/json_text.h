/* JSON text byte by byte: white space, strings and their escapes.

 * The text has 64 zero bytes behind it. A zero byte is neither white space nor part of a string or of a number, so that
 * every loop here stops at the end of the text without asking for it. */
#ifndef MILLRACE_JSON_TEXT_H
#define MILLRACE_JSON_TEXT_H

#include "bits.h"
#include "kernel.h"

/* The most bytes that one escape becomes: a character of UTF-8, or an escape of six bytes again. */
#define LONGEST_UNESCAPED 6

/* The first byte from here that is no white space. */
static inline const uint8_t *skip_space(const uint8_t *at)
{
    while (*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* How many of 16 bytes come before the first that is special within a string: a quote, a backslash or a control
 * character; 16 if none is. Adds to `high` whether a byte is not ASCII; some behind the special one count, too. */
static inline int count_plain(const uint8_t *text, uint64_t *high)
{
#if defined(__SSE2__)
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    const __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    /* There is no comparison of unsigned bytes: a byte is at most 0x1f if the smaller of both is itself. */
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const int special = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
    *high |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes);
    return special ? lowest_bit((uint64_t)(uint32_t)special) : 16;
#elif defined(__aarch64__)
    const uint8x16_t bytes = vld1q_u8(text);
    const uint8x16_t quotes = vceqq_u8(bytes, vdupq_n_u8('"')), backslashes = vceqq_u8(bytes, vdupq_n_u8('\\'));
    const uint8x16_t special = vorrq_u8(vorrq_u8(quotes, backslashes), vcltq_u8(bytes, vdupq_n_u8(0x20)));
    /* Shifting pairs of bytes right by four and taking the lower halves leaves four bits for each byte. */
    const uint8x8_t halves = vshrn_n_u16(vreinterpretq_u16_u8(special), 4);
    const uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(halves), 0);
    *high |= vmaxvq_u8(bytes) & 0x80U;
    return mask ? lowest_bit(mask) / 4 : 16;
#else
    for (int at = 0; at < 16; at++) {
        if (text[at] < 0x20 || text[at] == '"' || text[at] == '\\')
            return at;
        *high |= text[at] & 0x80U;
    }
    return 16;
#endif
}

/* The value of a hexadecimal digit; -1 if it is none. */
static inline int32_t hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    const uint8_t letter = byte | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The number that four hexadecimal digits say; negative if one is none. A zero byte is none, so that nothing behind the
 * end is read. */
static inline int32_t read_hex(const uint8_t *text)
{
    int32_t value = 0;
    for (int at = 0; at < 4; at++) {
        const int32_t digit = hex_digit(text[at]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Reads the escape at `*at`, a backslash, and moves behind it. Gives the character, or -1 if it is none: a half of one
 * (a lone surrogate) is none. */
int32_t read_escape(const uint8_t **at);

/* Writes a character as UTF-8, 1 to 4 bytes; gives how many. */
int write_character(uint8_t *to, int32_t character);

/* The end of the string whose first byte behind the quote this is, so the place of its closing quote; NULL if it has
 * none or a control character is in it. Its escapes are not looked at, apart from what they escape. */
const uint8_t *find_string_end(const uint8_t *at, bool *has_escapes, uint64_t *high);

#endif
