/* Escapes of JSON strings. */
#include "json_text.h"

#define FIRST_HIGH_SURROGATE 0xd800
#define FIRST_LOW_SURROGATE 0xdc00
#define LAST_SURROGATE 0xdfff

/* The character of an escape of one letter, such as n for a line feed; -1 if there is none. */
static int32_t short_escape(uint8_t letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return -1;
    }
}

int32_t read_escape(const uint8_t **at)
{
    const uint8_t *text = *at + 1;
    if (*text != 'u') {
        *at = text + 1;
        return short_escape(*text);
    }
    const int32_t unit = read_hex(text + 1);
    *at = text + 5;
    if (unit < FIRST_HIGH_SURROGATE || unit > LAST_SURROGATE)
        return unit;
    /* Characters beyond U+FFFF are two escapes: \ud83d\ude00 is U+1F600, a smiling face. */
    text += 5;
    if (unit >= FIRST_LOW_SURROGATE || text[0] != '\\' || text[1] != 'u')
        return -1;
    const int32_t low = read_hex(text + 2);
    if (low < FIRST_LOW_SURROGATE || low > LAST_SURROGATE)
        return -1;
    *at = text + 6;
    return 0x10000 + ((unit - FIRST_HIGH_SURROGATE) << 10) + (low - FIRST_LOW_SURROGATE);
}

int write_character(uint8_t *to, int32_t character)
{
    const uint32_t code = (uint32_t)character;
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (uint8_t)(0xc0 | code >> 6);
        to[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (uint8_t)(0xe0 | code >> 12);
        to[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        to[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | code >> 18);
    to[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    to[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    to[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

const uint8_t *find_string_end(const uint8_t *at, bool *has_escapes, uint64_t *high)
{
    for (;;) {
        const int plain = count_plain(at, high);
        at += plain;
        if (plain == 16)
            continue;
        if (*at == '"')
            return at;
        if (*at != '\\' || at[1] == 0)
            return NULL;
        *has_escapes = true;
        at += 2; /* \" does not end the string */
    }
}
