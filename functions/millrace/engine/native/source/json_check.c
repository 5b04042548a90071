/* One pass over a text that may be a JSON value. NaN and Infinity, which Python can read too, are none. */

#include "json_check.h"

/* What is left of the text. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} Rest;

static bool check_value(Rest *rest, int depth);

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex_digit(uint8_t byte)
{
    const uint8_t lower = byte | 0x20;
    return is_digit(byte) || (lower >= 'a' && lower <= 'f');
}

static bool take(Rest *rest, uint8_t byte)
{
    if (rest->at < rest->end && *rest->at == byte) {
        rest->at++;
        return true;
    }
    return false;
}

static void skip_space(Rest *rest)
{
    while (rest->at < rest->end && (*rest->at == ' ' || *rest->at == '\t' || *rest->at == '\n' || *rest->at == '\r')) {
        rest->at++;
    }
}

static bool take_word(Rest *rest, const char *word, int64_t length)
{
    if (rest->end - rest->at < length || memcmp(rest->at, word, (size_t)length) != 0) {
        return false;
    }
    rest->at += length;
    return true;
}

/* What comes behind a backslash: one of eight characters, or u and four hexadecimal digits. */
static bool take_escape(Rest *rest)
{
    if (rest->at == rest->end) {
        return false;
    }
    const uint8_t escaped = *rest->at++;
    if (escaped != 'u') {
        return escaped != 0 && strchr("\"\\/bfnrt", escaped) != NULL;
    }
    if (rest->end - rest->at < 4) {
        return false;
    }
    for (int digit = 0; digit < 4; digit++) {
        if (!is_hex_digit(*rest->at++)) {
            return false;
        }
    }
    return true;
}

static bool take_string(Rest *rest)
{
    if (!take(rest, '"')) {
        return false;
    }
    while (rest->at < rest->end) {
        const uint8_t byte = *rest->at++;
        if (byte == '"') {
            return true;
        }
        if (byte < 0x20 || (byte == '\\' && !take_escape(rest))) {
            return false;
        }
    }
    return false;
}

static bool take_digits(Rest *rest)
{
    const uint8_t *first = rest->at;
    while (rest->at < rest->end && is_digit(*rest->at)) {
        rest->at++;
    }
    return rest->at > first;
}

/* -0.5e+10: a sign, digits without a leading zero, a fraction, an exponent; all but the digits may be missing. */
static bool take_number(Rest *rest)
{
    take(rest, '-');
    if (!take(rest, '0') && !take_digits(rest)) {
        return false;
    }
    if (take(rest, '.') && !take_digits(rest)) {
        return false;
    }
    if (take(rest, 'e') || take(rest, 'E')) {
        if (!take(rest, '+')) {
            take(rest, '-');
        }
        return take_digits(rest);
    }
    return true;
}

static bool take_member_name(Rest *rest)
{
    if (!take_string(rest)) {
        return false;
    }
    skip_space(rest);
    if (!take(rest, ':')) {
        return false;
    }
    skip_space(rest);
    return true;
}

/* An array's items or an object's members up to the closing bracket, which must be there. */
static bool take_members(Rest *rest, bool is_object, int depth)
{
    const uint8_t closing = is_object ? '}' : ']';
    skip_space(rest);
    if (take(rest, closing)) {
        return true;
    }
    for (;;) {
        if ((is_object && !take_member_name(rest)) || !check_value(rest, depth)) {
            return false;
        }
        skip_space(rest);
        if (take(rest, closing)) {
            return true;
        }
        if (!take(rest, ',')) {
            return false;
        }
        skip_space(rest);
    }
}

static bool check_value(Rest *rest, int depth)
{
    if (rest->at == rest->end || depth > MILLRACE_MOST_DEPTH) {
        return false;
    }
    switch (*rest->at) {
    case '"':
        return take_string(rest);
    case '{':
    case '[': {
        const bool is_object = *rest->at++ == '{';
        return take_members(rest, is_object, depth + 1);
    }
    case 't':
        return take_word(rest, "true", 4);
    case 'f':
        return take_word(rest, "false", 5);
    case 'n':
        return take_word(rest, "null", 4);
    default:
        return take_number(rest);
    }
}

bool is_json_value(const uint8_t *text, int64_t size)
{
    Rest rest = {text, text + size};
    skip_space(&rest);
    if (!check_value(&rest, 0)) {
        return false;
    }
    skip_space(&rest);
    return rest.at == rest.end;
}
