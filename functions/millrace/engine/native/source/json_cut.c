/* Where a text of many JSON objects can be cut between two of them. */
#include "json_state.h"

/* The cut in the making. */
typedef struct {
    const uint8_t *text;
    int64_t close; /* behind the last brace that closed a row; -1 before the first */
    int64_t cut;   /* where a row begins behind another one; 0 if none does */
} Cut;

/* Whether there is nothing but white space, and a comma if rows have one between them. */
static bool is_between_rows(const uint8_t *text, int64_t begin, int64_t end, bool in_array)
{
    int64_t commas = 0;
    for (int64_t at = begin; at < end; at++) {
        const uint8_t byte = text[at];
        commas += byte == ',';
        if (byte != ',' && !is_json_space(byte))
            return false;
    }
    return commas == (in_array ? 1 : 0);
}

static void note_brace(Cut *cut, JsonState *state, int64_t at, bool in_array)
{
    if (cut->text[at] == '}') {
        state->depth--;
        if (state->depth == 0)
            cut->close = at + 1;
        return;
    }
    if (state->depth == 0 && cut->close >= 0 && is_between_rows(cut->text, cut->close, at, in_array))
        cut->cut = at;
    state->depth++;
}

/* Looks at `count` bytes, up to 64: `bytes` are those at `begin`, with zeros behind the end of the text. */
static void scan_block(Cut *cut, JsonState *state, const uint8_t *bytes, int64_t begin, int64_t count, bool in_array)
{
    const Bytes64 block = load_64_bytes(bytes);
    const uint64_t in_string = find_strings(&block, count, UINT64_MAX, state);
    uint64_t braces = (mask_equal(&block, '{') | mask_equal(&block, '}')) & ~in_string;
    while (braces) {
        note_brace(cut, state, begin + lowest_bit(braces), in_array);
        braces &= braces - 1;
    }
}

/* The place of the last row within `size` bytes that has another one before it; 0 if there is none. `state` is that at
 * the beginning, and becomes that at the end. Nothing behind the text is read. */
MILLRACE_EXPORT int64_t millrace_json_cut(const uint8_t *text, int64_t size, int32_t in_array, JsonState *state)
{
    Cut cut = {.text = text, .close = -1};
    int64_t at = 0;
    for (; at + BLOCK <= size; at += BLOCK)
        scan_block(&cut, state, text + at, at, BLOCK, in_array);
    if (at < size) {
        uint8_t rest[BLOCK] = {0};
        memcpy(rest, text + at, (size_t)(size - at));
        scan_block(&cut, state, rest, at, size - at, in_array);
    }
    return cut.cut;
}
