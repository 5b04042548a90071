/* Where the rows of a range of JSON text begin, without knowing how deep the range begins. */
#include "json_state.h"

/* So many brackets and fewer may be open where a range begins. */
#define LEVELS 64

/* What was seen between rows, if the range begins `level` brackets deep: at the depth that an array's elements have, one
 * below the top, or at the top if there is no array around the rows. */
typedef struct {
    int64_t commas;
    int64_t opens;  /* opened brackets */
    int64_t place;  /* of the first cut between two rows: the comma, or the brace where there is none; -1 without */
    int64_t rows;   /* commas, or brackets opened, up to there */
    int64_t lines;  /* line ends before it */
} JsonLevel;

typedef struct {
    JsonState state; /* its depth is that of all brackets, counted from the range's beginning */
    int64_t bytes;   /* that were looked at */
    int64_t lines;   /* line ends in them */
    JsonLevel levels[LEVELS];
} JsonMarks;

/* The text that is looked at, and behind which of its bytes the last object ended. */
typedef struct {
    const uint8_t *text;
    int64_t close; /* -1 before the first */
    bool in_array;
} Marking;

static JsonLevel *find_level(JsonMarks *marks, bool in_array)
{
    const int64_t level = (in_array ? 1 : 0) - marks->state.depth;
    return level >= 0 && level < LEVELS ? &marks->levels[level] : NULL;
}

/* Where two rows can be cut that are an object which ended at `close` and one that begins at `open`; -1 if there is
 * more between than white space, and one comma in an array. */
static int64_t find_place(const Marking *marking, int64_t open)
{
    int64_t comma = -1;
    for (int64_t at = marking->close; at < open; at++) {
        const uint8_t byte = marking->text[at];
        if (byte == ',' && marking->in_array && comma < 0)
            comma = at;
        else if (!is_json_space(byte))
            return -1;
    }
    return marking->in_array ? comma : open;
}

/* `lines` are the line ends before `open` in the range. */
static void note_cut(const Marking *marking, JsonMarks *marks, JsonLevel *level, int64_t open, int64_t lines)
{
    const int64_t place = find_place(marking, open);
    if (place < 0)
        return;
    level->place = marks->bytes + place;
    level->rows = marking->in_array ? level->commas : level->opens;
    level->lines = lines;
    for (int64_t at = place; at < open; at++)
        level->lines -= marking->text[at] == '\n';
}

static void note_open(const Marking *marking, JsonMarks *marks, int64_t at, int64_t lines)
{
    JsonLevel *level = find_level(marks, marking->in_array);
    if (level != NULL) {
        if (level->place < 0 && marking->close >= 0 && marking->text[at] == '{')
            note_cut(marking, marks, level, at, lines);
        level->opens++;
    }
    marks->state.depth++;
}

static void note_sign(Marking *marking, JsonMarks *marks, int64_t at, int64_t lines)
{
    switch (marking->text[at]) {
    case '{':
    case '[':
        note_open(marking, marks, at, lines);
        break;
    case ',': {
        JsonLevel *level = find_level(marks, true);
        if (level != NULL)
            level->commas++;
        break;
    }
    case '}':
        marking->close = at + 1;
        marks->state.depth--;
        break;
    default:
        marks->state.depth--;
    }
}

/* Looks at `count` bytes, up to 64: `bytes` are those at `begin`, with any behind the end of the text. */
static void mark_block(Marking *marking, JsonMarks *marks, const uint8_t *bytes, int64_t begin, int64_t count)
{
    const Bytes64 block = load_64_bytes(bytes);
    const uint64_t some = count == BLOCK ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    const uint64_t outside = ~find_strings(&block, count, some, &marks->state) & some;
    uint64_t signs = mask_equal(&block, '{') | mask_equal(&block, '}') | mask_equal(&block, '[') | mask_equal(&block, ']');
    if (marking->in_array)
        signs |= mask_equal(&block, ',');
    signs &= outside;
    const uint64_t line_ends = mask_equal(&block, '\n') & some;
    while (signs) {
        const int at = lowest_bit(signs);
        const uint64_t before = line_ends & ((UINT64_C(1) << at) - 1);
        note_sign(marking, marks, begin + at, marks->lines + __builtin_popcountll(before));
        signs &= signs - 1;
    }
    marks->lines += __builtin_popcountll(line_ends);
}

/* Adds the next text of a range to `marks`. A cut is found only if all that is between its rows is in one text. */
MILLRACE_EXPORT void millrace_json_marks(const uint8_t *text, int64_t size, int32_t in_array, JsonMarks *marks)
{
    Marking marking = {.text = text, .close = -1, .in_array = in_array != 0};
    int64_t at = 0;
    for (; at + BLOCK <= size; at += BLOCK)
        mark_block(&marking, marks, text + at, at, BLOCK);
    if (at < size) {
        uint8_t rest[BLOCK] = {0};
        memcpy(rest, text + at, (size_t)(size - at));
        mark_block(&marking, marks, rest, at, size - at);
    }
    marks->bytes += size;
}

typedef struct {
    int64_t rows;
    int64_t lines;
} LineCounts;

/* Whether text that begins with a brace and ends with one is closed by this one and by no other. */
static bool is_one_object(const uint8_t *text, int64_t size)
{
    JsonState state = {0};
    for (int64_t at = 0; at < size; at += BLOCK) {
        const int64_t count = size - at < BLOCK ? size - at : BLOCK;
        const Bytes64 block = load_64_bytes(text + at);
        const uint64_t some = count == BLOCK ? UINT64_MAX : (UINT64_C(1) << count) - 1;
        const uint64_t outside = ~find_strings(&block, count, some, &state) & some;
        const uint64_t opens = mask_equal(&block, '{') & outside;
        uint64_t closes = mask_equal(&block, '}') & outside;
        /* The depth behind a closing brace: those opened before it, without those closed before it and itself. */
        while (closes) {
            const int place = lowest_bit(closes);
            const uint64_t before = (UINT64_C(1) << place) - 1;
            const uint64_t closed = mask_equal(&block, '}') & outside & before;
            const int64_t depth =
                state.depth + __builtin_popcountll(opens & before) - __builtin_popcountll(closed) - 1;
            if (depth <= 0)
                return depth == 0 && at + place == size - 1;
            closes &= closes - 1;
        }
        state.depth += __builtin_popcountll(opens) - __builtin_popcountll(mask_equal(&block, '}') & outside);
    }
    return false;
}

/* How many bytes from the beginning are whole lines, each of them blank or one object by its braces; adds how many they
 * are to `counts`. So many zero bytes lie behind the text as behind every text. */
MILLRACE_EXPORT int64_t millrace_json_lines(const uint8_t *text, int64_t size, LineCounts *counts)
{
    int64_t begin = 0;
    const uint8_t *line_end;
    while (begin < size && (line_end = memchr(text + begin, '\n', (size_t)(size - begin))) != NULL) {
        int64_t first = begin, last = line_end - text;
        while (first < last && is_json_space(text[first]))
            first++;
        while (last > first && is_json_space(text[last - 1]))
            last--;
        if (first < last) {
            if (text[first] != '{' || text[last - 1] != '}' || !is_one_object(text + first, last - first))
                return begin;
            counts->rows++;
        }
        counts->lines++;
        begin = line_end - text + 1;
    }
    return begin;
}
