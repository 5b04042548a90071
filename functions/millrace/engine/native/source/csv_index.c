/* The index of a text's fields, made of 64 bytes at a time. */
#include "csv_index.h"

#define PIECE_BYTES 32768 /* text and index of a piece stay in the fastest cache until all columns are read */

void begin_index(CsvIndex *index, const CsvShape *shape, const uint8_t *text, int64_t size, uint32_t *ends)
{
    *index = (CsvIndex){.shape = shape, .text = text, .size = size, .ends = ends, .row_end = shape->width};
    index->after_edge = true;
    ends[0] = UINT32_MAX; /* one before 0 */
}

int64_t count_ends(const CsvShape *shape)
{
    return 1 + shape->width + PIECE_BYTES + 2 * 64;
}

/* What 64 bytes hold, a bit for each byte. */
typedef struct {
    uint64_t ends;      /* delimiters and line ends outside of quotes */
    uint64_t line_ends; /* line ends outside of quotes */
} Marks;

/* Whether quotes are around fields, and doubled inside of them, alone; moves the index's state behind the bytes. */
static inline bool check_quotes(CsvIndex *index, uint64_t quotes, uint64_t edges, uint64_t *inside)
{
    /* Of the bytes  1,"a""b",c  the quotes are 2, 4, 5 and 7. Inside are 2 and 3, 5 and 6: a quote that opens is inside,
     * one that closes is not. So a doubled quote closes and opens at once. */
    *inside = prefix_parity(quotes) ^ index->in_quotes;
    const uint64_t opening = quotes & *inside, closing = quotes & ~*inside;
    const uint64_t around = edges | quotes;
    const uint64_t may_open = around << 1 | (uint64_t)index->after_edge;
    const uint64_t after_closing = closing << 1 | (uint64_t)index->after_closing;
    index->has_pairs |= (opening & after_closing) != 0;
    index->in_quotes = (uint64_t)0 - (*inside >> 63);
    index->after_edge = around >> 63;
    index->after_closing = closing >> 63;
    return ((opening & ~may_open) | (after_closing & ~around)) == 0;
}

/* Finds what ends fields in the next 64 bytes; false if a quote is irregular. */
static inline bool find_marks(CsvIndex *index, Marks *marks)
{
    const CsvShape *shape = index->shape;
    const Bytes64 bytes = load_64_bytes(index->text + index->position);
    uint64_t line_ends = mask_equal(&bytes, '\n');
    const uint64_t returns = mask_equal(&bytes, '\r');
    const uint64_t delimiters = mask_equal(&bytes, shape->delimiter);
    uint64_t quotes = 0, inside = 0;
    if (shape->has_quote)
        quotes = mask_equal(&bytes, shape->quote);
    bool good = true;
    const uint64_t edges = delimiters | line_ends | returns;
    if (quotes | index->in_quotes | (uint64_t)index->after_closing)
        good = check_quotes(index, quotes, edges, &inside);
    else
        index->after_edge = edges >> 63;
    if (returns | (uint64_t)index->after_return) {
        /* Of \r\n the \r ends the record, and the \n is passed over at the next one's beginning. */
        index->has_loose_starts = true;
        line_ends = returns | (line_ends & ~(returns << 1 | (uint64_t)index->after_return));
        index->after_return = returns >> 63;
    }
    uint64_t outside = ~inside;
    if (index->size - index->position < 64) /* what is behind the text's end is no part of it */
        outside &= (UINT64_C(1) << (index->size - index->position)) - 1;
    marks->line_ends = line_ends & outside;
    marks->ends = (delimiters & outside) | marks->line_ends;
    return good;
}

/* Appends the offsets of 64 bytes' ends. */
static inline void append_ends(CsvIndex *index, uint64_t ends)
{
    uint32_t *const first = index->ends + 1 + index->count, *next = first;
    const uint32_t base = (uint32_t)index->position;
    while (ends) {
        *next++ = base + (uint32_t)lowest_bit(ends);
        ends &= ends - 1;
    }
    index->count += next - first;
}

/* Whether the line ends of 64 bytes, which are in the index, are behind a record's last field, and nothing else is. */
static inline bool check_rows(CsvIndex *index, uint64_t line_ends)
{
    while (index->count >= index->row_end) {
        const uint64_t row_end = UINT64_C(1) << (index->ends[index->row_end] - (uint32_t)index->position);
        if (!(line_ends & row_end))
            return false;
        line_ends ^= row_end;
        index->row_end += index->shape->width;
    }
    return line_ends == 0;
}

/* Whether there are line ends alone from where a record begins; the blank lines passed over before are not seen again:
 * a file may have millions of them behind each other. */
static bool is_blank(const CsvIndex *index, int64_t end)
{
    int64_t start = (uint32_t)(index->ends[index->count] + 1);
    if (start < index->blank_end)
        start = index->blank_end;
    while (start < end && (index->text[start] == '\n' || index->text[start] == '\r'))
        start++;
    return start == end;
}

/* Appends the ends one by one, without blank lines; false if a record has another width. */
static bool append_without_blank_lines(CsvIndex *index, const Marks *marks)
{
    const int64_t width = index->shape->width;
    for (uint64_t left = marks->ends; left; left &= left - 1) {
        const int64_t at = index->position + lowest_bit(left);
        const bool is_line_end = marks->line_ends & left & -left;
        const bool is_first = index->count == index->row_end - width;
        if (is_line_end && is_first && width > 1 && is_blank(index, at)) {
            index->has_loose_starts = true;
            index->blank_end = at + 1;
            continue;
        }
        index->ends[++index->count] = (uint32_t)at;
        if (is_line_end != (index->count == index->row_end))
            return false;
        if (is_line_end)
            index->row_end += width;
    }
    return true;
}

/* Takes the next 64 bytes into the index. */
static inline bool index_64_bytes(CsvIndex *index)
{
    Marks marks;
    if (!find_marks(index, &marks))
        return false;
    const int64_t count = index->count, row_end = index->row_end;
    append_ends(index, marks.ends);
    if (!check_rows(index, marks.line_ends)) {
        index->count = count;
        index->row_end = row_end;
        if (!append_without_blank_lines(index, &marks))
            return false;
    }
    index->position += 64;
    return true;
}

bool extend_index(CsvIndex *index, int64_t stop)
{
    const int64_t piece = index->position + PIECE_BYTES;
    while (index->position < stop && (index->position < piece || index->row_end == index->shape->width)) {
        if (!index_64_bytes(index))
            return false;
    }
    if (index->position < index->size)
        return true;
    return !index->in_quotes && index->count == index->row_end - index->shape->width;
}

void drop_rows(CsvIndex *index)
{
    const int64_t whole = index->row_end - index->shape->width, rest = index->count - whole;
    memmove(index->ends, index->ends + whole, (size_t)(rest + 1) * sizeof *index->ends);
    index->count = rest;
    index->row_end = index->shape->width;
}

/* Goes through a text's marks, 64 bytes at a time, up to `stop`; moves `end` behind the last line end. */
static bool find_line_ends(CsvIndex *index, int64_t stop, int64_t *end)
{
    for (; index->position < stop; index->position += 64) {
        Marks marks;
        if (!find_marks(index, &marks))
            return false;
        if (marks.line_ends)
            *end = index->position + 64 - highest_bit(marks.line_ends);
    }
    return true;
}

int64_t find_last_record_end(const CsvShape *shape, const uint8_t *text, int64_t size)
{
    const int64_t sure = size - (size > 0 && text[size - 1] == '\r');
    const int64_t whole = sure - sure % 64; /* the rest is looked at in a copy, behind which may be read */
    CsvIndex index = {.shape = shape, .text = text, .size = sure, .after_edge = true};
    int64_t end = 0;
    if (!find_line_ends(&index, whole, &end))
        return -1;
    uint8_t rest[64] = {0};
    memcpy(rest, text + whole, (size_t)(sure - whole));
    index.text = rest;
    index.position = 0;
    index.size = sure - whole;
    int64_t end_of_rest = 0;
    if (!find_line_ends(&index, index.size, &end_of_rest))
        return -1;
    if (end_of_rest)
        end = whole + end_of_rest;
    /* Of \r\n the \r is the mark. */
    return end + (end > 0 && end < size && text[end - 1] == '\r' && text[end] == '\n');
}
