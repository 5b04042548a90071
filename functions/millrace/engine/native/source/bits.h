/* Bytes looked at many at a time: words of 8 bytes, and masks of 64, whose bit 5 speaks of byte 5.
 *
 * Both of our architectures (x86-64, aarch64) store the first byte of a text as the lowest of a word. */
#ifndef MILLRACE_BITS_H
#define MILLRACE_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a text is the lowest of a word");

static inline uint64_t load_8_bytes(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

/* The same byte eight times: 0x2c becomes 0x2c2c2c2c2c2c2c2c. */
static inline uint64_t repeat_byte(uint8_t byte)
{
    return 0x0101010101010101U * byte;
}

/* How many of the lowest bits are 0; the mask has a 1 somewhere. */
static inline int lowest_bit(uint64_t mask)
{
    return __builtin_ctzll(mask);
}

/* How many of the highest bits are 0; the mask has a 1 somewhere. */
static inline int highest_bit(uint64_t mask)
{
    return __builtin_clzll(mask);
}

/* 64 bytes, in the registers of the machine. */
#if defined(__SSE2__)

typedef struct {
    __m128i parts[4];
} Bytes64;

static inline Bytes64 load_64_bytes(const uint8_t *text)
{
    Bytes64 bytes;
    for (int part = 0; part < 4; part++)
        bytes.parts[part] = _mm_loadu_si128((const __m128i *)(const void *)(text + 16 * part));
    return bytes;
}

/* Which bytes are the wanted one: of "a,b,..." and a comma 0b1010. */
static inline uint64_t mask_equal(const Bytes64 *bytes, uint8_t wanted)
{
    const __m128i pattern = _mm_set1_epi8((char)wanted);
    uint64_t mask = 0;
    for (int part = 0; part < 4; part++) {
        const int bits = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes->parts[part], pattern));
        mask |= (uint64_t)(uint32_t)bits << (16 * part);
    }
    return mask;
}

#elif defined(__aarch64__)

typedef struct {
    uint8x16_t parts[4];
} Bytes64;

static inline Bytes64 load_64_bytes(const uint8_t *text)
{
    Bytes64 bytes;
    for (int part = 0; part < 4; part++)
        bytes.parts[part] = vld1q_u8(text + 16 * part);
    return bytes;
}

/* Which bytes are the wanted one: of "a,b,..." and a comma 0b1010. */
static inline uint64_t mask_equal(const Bytes64 *bytes, uint8_t wanted)
{
    /* NEON has no instruction for it. Each byte that is equal keeps the bit of its place among eight, and three sums of
     * neighbours bring eight bytes' bits into one. */
    static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t pattern = vdupq_n_u8(wanted), place = vld1q_u8(places);
    uint8x16_t bits[4];
    for (int part = 0; part < 4; part++)
        bits[part] = vandq_u8(vceqq_u8(bytes->parts[part], pattern), place);
    const uint8x16_t first = vpaddq_u8(bits[0], bits[1]), second = vpaddq_u8(bits[2], bits[3]);
    const uint8x16_t sums = vpaddq_u8(first, second);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)), 0);
}

#else

typedef struct {
    uint64_t parts[8];
} Bytes64;

static inline Bytes64 load_64_bytes(const uint8_t *text)
{
    Bytes64 bytes;
    memcpy(bytes.parts, text, sizeof bytes.parts);
    return bytes;
}

/* Which bytes are the wanted one: of "a,b,..." and a comma 0b1010. */
static inline uint64_t mask_equal(const Bytes64 *bytes, uint8_t wanted)
{
    uint64_t mask = 0;
    for (int part = 0; part < 8; part++) {
        const uint64_t other = bytes->parts[part] ^ repeat_byte(wanted); /* an equal byte is 0 here */
        const uint64_t low = (other & 0x7f7f7f7f7f7f7f7fU) + 0x7f7f7f7f7f7f7f7fU;
        const uint64_t equal = ~(low | other) >> 7 & 0x0101010101010101U;
        mask |= (equal * 0x0102040810204080U >> 56) << (8 * part); /* the multiplication gathers eight bits in a byte */
    }
    return mask;
}

#endif

/* Bit n is the parity of the bits up to n: of quotes at 2 and 5, 0b100100, it is 0b011100, "within quotes". */
static inline uint64_t prefix_parity(uint64_t mask)
{
    mask ^= mask << 1;
    mask ^= mask << 2;
    mask ^= mask << 4;
    mask ^= mask << 8;
    mask ^= mask << 16;
    mask ^= mask << 32;
    return mask;
}

#endif
