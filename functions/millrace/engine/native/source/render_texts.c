/* Sixteen bytes are copied at once, and looked at as one: most have nothing that needs care. */

#include "render_texts.h"

#include "json_check.h"

typedef uint8_t Bytes16 __attribute__((vector_size(16)));
typedef uint64_t Words2 __attribute__((vector_size(16)));

enum { BLOCK = 16 };

/* Fewer than sixteen bytes, at the end of all, and zeros. Apart from the usual way, so that a block there stays in a
   register. */
__attribute__((noinline)) static Bytes16 load_last_bytes(Span text)
{
    Bytes16 block = {0};
    memcpy(&block, text.bytes, (size_t)(text.size < BLOCK ? text.size : BLOCK));
    return block;
}

/* The next sixteen bytes; zeros behind the end of what may be read. */
static inline Bytes16 load_block(Span text)
{
    if (RARELY(text.readable - text.bytes < BLOCK)) {
        return text.size > 0 ? load_last_bytes(text) : (Bytes16){0};
    }
    Bytes16 block;
    memcpy(&block, text.bytes, BLOCK);
    return block;
}

/* The number of the first byte that a comparison marked (with 255 each, 0 for the others); 16 if there is none. */
static inline int64_t find_first(Bytes16 marks)
{
    const Words2 words = (Words2)marks;
    if (OFTEN((words[0] | words[1]) == 0)) {
        return BLOCK;
    }
    /* Little-endian: the first byte is the lowest of its word. */
    return words[0] != 0 ? __builtin_ctzll(words[0]) / 8 : 8 + __builtin_ctzll(words[1]) / 8;
}

/* C2 and E2 begin U+0085, U+2028 and U+2029, and other characters. */
static inline Bytes16 mark_for_json(Bytes16 block)
{
    return (Bytes16)((block < 0x20) | (block == '"') | (block == '\\') | (block == 0xC2) | (block == 0xE2));
}

static inline Bytes16 mark_for_raw_json(Bytes16 block)
{
    return (Bytes16)((block == '\n') | (block == '\r') | (block == 0xC2) | (block == 0xE2));
}

static inline Bytes16 mark_for_csv(Bytes16 block)
{
    return (Bytes16)((block == '"') | (block == ',') | (block == '\n') | (block == '\r'));
}

static inline Bytes16 mark_quotes(Bytes16 block)
{
    return (Bytes16)(block == '"');
}

/* Copies bytes up to the first that is marked, or all; whoever calls has room for a block. */
#define COPY_UNMARKED(mark, text, out)                                                                                 \
    do {                                                                                                               \
        const Bytes16 block = load_block(text);                                                                        \
        memcpy((out), &block, BLOCK);                                                                                  \
        int64_t copied = find_first(mark(block));                                                                      \
        copied = copied < (text).size ? copied : (text).size;                                                          \
        advance(&(text), copied);                                                                                      \
        (out) += copied;                                                                                               \
        is_marked = copied < BLOCK;                                                                                    \
    } while (0)

static inline void advance(Span *text, int64_t count)
{
    text->bytes += count;
    text->size -= count;
}

/* What ends lines for some tools, as an escape; another character of which one byte was marked, as it is. */
static uint8_t *write_line_end(Span *text, uint8_t *out)
{
    const uint8_t *byte = text->bytes;
    if (text->size >= 2 && byte[0] == 0xC2 && byte[1] == 0x85) {
        advance(text, 2);
        return WRITE_CONSTANT("\\u0085", out);
    }
    if (text->size >= 3 && byte[0] == 0xE2 && byte[1] == 0x80 && (byte[2] == 0xA8 || byte[2] == 0xA9)) {
        out = WRITE_CONSTANT("\\u2028", out);
        out[-1] = byte[2] == 0xA8 ? '8' : '9';
        advance(text, 3);
        return out;
    }
    *out++ = *byte;
    advance(text, 1);
    return out;
}

/* \b \t \n \f \r have letters, by their numbers 8 to 13; the others become \u001f and the like. */
static uint8_t *write_control(uint8_t byte, uint8_t *out)
{
    static const char letters[] = "btn-fr";
    if (byte >= 8 && byte <= 13 && byte != 11) {
        *out++ = '\\';
        *out++ = (uint8_t)letters[byte - 8];
        return out;
    }
    out = WRITE_CONSTANT("\\u00", out);
    *out++ = (uint8_t)('0' + (byte >> 4));
    *out++ = (uint8_t)"0123456789abcdef"[byte & 15];
    return out;
}

static uint8_t *write_json_escape(Span *text, uint8_t *out)
{
    const uint8_t byte = *text->bytes;
    if (byte >= 0x80) {
        return write_line_end(text, out);
    }
    advance(text, 1);
    if (byte < 0x20) {
        return write_control(byte, out);
    }
    *out++ = '\\';
    *out++ = byte;
    return out;
}

uint8_t *write_json_text(const uint8_t *bytes, int64_t size, const uint8_t *readable, uint8_t *out, Page *page)
{
    Span text = {bytes, size, readable};
    bool is_marked = false;
    *out++ = '"';
    for (;;) {
        COPY_UNMARKED(mark_for_json, text, out);
        if (text.size == 0) {
            break;
        }
        if (is_marked) {
            out = write_json_escape(&text, out);
        }
        if (RARELY(out > page->end)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
    }
    *out++ = '"';
    return out;
}

uint8_t *write_raw_json(const uint8_t *bytes, int64_t size, const uint8_t *readable, uint8_t *out, Page *page)
{
    Span text = {bytes, size, readable};
    bool is_marked = false;
    if (!is_json_value(bytes, size)) {
        return stop(page, MILLRACE_IRREGULAR);
    }
    while (text.size > 0) {
        COPY_UNMARKED(mark_for_raw_json, text, out);
        if (is_marked && text.size > 0) {
            if (*text.bytes >= 0x80) {
                out = write_line_end(&text, out);
            } else {
                *out++ = ' ';
                advance(&text, 1);
            }
        }
        if (RARELY(out > page->end)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
    }
    return out;
}

static uint8_t *write_quoted(const uint8_t *bytes, int64_t size, const uint8_t *readable, uint8_t *out, Page *page)
{
    Span text = {bytes, size, readable};
    bool is_marked = false;
    *out++ = '"';
    while (text.size > 0) {
        COPY_UNMARKED(mark_quotes, text, out);
        if (is_marked && text.size > 0) {
            out = WRITE_CONSTANT("\"\"", out);
            advance(&text, 1);
        }
        if (RARELY(out > page->end)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
    }
    *out++ = '"';
    return out;
}

uint8_t *write_csv_text(const uint8_t *bytes, int64_t size, const uint8_t *readable, uint8_t *out, Page *page)
{
    Span text = {bytes, size, readable};
    bool is_marked = false;
    uint8_t *start = out;
    if (size == 0) {
        return WRITE_CONSTANT("\"\"", out);
    }
    for (;;) {
        COPY_UNMARKED(mark_for_csv, text, out);
        if (text.size == 0) {
            return out;
        }
        if (is_marked) {
            return write_quoted(bytes, size, readable, start, page);
        }
        if (RARELY(out > page->end)) {
            return stop(page, MILLRACE_TOO_MUCH);
        }
    }
}

/* a"b,c was written behind one free byte; two quotes around it and one more within make "a""b,c". It is moved from
   its end, so that nothing is overwritten before it is read. */
uint8_t *quote_in_place(uint8_t *start, uint8_t *end, Page *page)
{
    int64_t quotes = 0;
    bool needs_quotes = end == start + 1;
    for (const uint8_t *at = start + 1; at < end; at++) {
        quotes += *at == '"';
        needs_quotes |= *at == ',' || *at == '\n' || *at == '\r';
    }
    if (quotes == 0 && !needs_quotes) {
        memmove(start, start + 1, (size_t)(end - start - 1));
        return end - 1;
    }
    if (!has_page_room(end, quotes, page)) {
        return stop(page, MILLRACE_TOO_MUCH);
    }
    uint8_t *to = end + quotes;
    *to = '"';
    for (const uint8_t *from = end - 1; from > start; from--) {
        *--to = *from;
        if (*from == '"') {
            *--to = '"';
        }
    }
    *start = '"';
    return end + quotes + 1;
}

uint8_t *write_verbatim(const uint8_t *bytes, int64_t size, uint8_t *out, Page *page)
{
    if (!has_page_room(out, size, page)) {
        return stop(page, MILLRACE_TOO_MUCH);
    }
    if (size > 0) {
        memcpy(out, bytes, (size_t)size);
    }
    return out + size;
}

/* Three bytes, 24 bits, are four characters of six bits each; the last ones of a shorter rest are = signs. */
uint8_t *write_base64(const uint8_t *bytes, int64_t size, uint8_t *out, Page *page)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!has_page_room(out, size / 3 * 4 + 4, page)) {
        return stop(page, MILLRACE_TOO_MUCH);
    }
    while (size > 0) {
        const int64_t count = size < 3 ? size : 3;
        uint32_t bits = (uint32_t)bytes[0] << 16;
        bits |= count > 1 ? (uint32_t)bytes[1] << 8 : 0;
        bits |= count > 2 ? bytes[2] : 0;
        *out++ = (uint8_t)alphabet[bits >> 18];
        *out++ = (uint8_t)alphabet[bits >> 12 & 63];
        *out++ = (uint8_t)(count > 1 ? alphabet[bits >> 6 & 63] : '=');
        *out++ = (uint8_t)(count > 2 ? alphabet[bits & 63] : '=');
        bytes += count;
        size -= count;
    }
    return out;
}
