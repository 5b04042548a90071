/* What a piece of CSV holds, from which nothing is read: where its first record begins, how many end, what it ends in. */
#include "bits.h"
#include "csv.h"

/* Behind the byte that was looked at last; all false: within a field without quotes. */
typedef struct {
    bool in_quotes;
    bool after_edge;    /* a delimiter, a line end or a closing quote: a quote opens */
    bool after_closing; /* a quote that closes: another one opens it again */
    bool after_end;     /* a line end outside of quotes, or the beginning of a record */
    bool after_return;
} Place;

typedef struct {
    const MillraceCsvGrammar *grammar;
    Place place;
    int64_t end_of_first; /* the offset of the first line end outside of quotes, -1 without one */
    MillraceCsvPiece *found;
} Scan;

/* Of 64 bytes, a bit for each: which are quotes, and which are delimiters or line ends. */
typedef struct {
    uint64_t quotes;
    uint64_t edges;
} FieldMarks;

/* Which bytes are within quotes if quotes are around fields, and doubled inside of them, alone; else false. */
static inline bool find_inside(const Place *place, const FieldMarks *marks, uint64_t *inside)
{
    *inside = prefix_parity(marks->quotes) ^ ((uint64_t)0 - (uint64_t)place->in_quotes);
    const uint64_t opening = marks->quotes & *inside, closing = marks->quotes & ~*inside;
    const uint64_t around = marks->edges | marks->quotes;
    const uint64_t may_open = around << 1 | (uint64_t)place->after_edge;
    const uint64_t after_closing = closing << 1 | (uint64_t)place->after_closing;
    return ((opening & ~may_open) | (after_closing & ~around)) == 0;
}

static void move_behind(Place *place, const FieldMarks *marks, uint64_t inside)
{
    place->in_quotes = inside >> 63;
    place->after_edge = (marks->edges | marks->quotes) >> 63;
    place->after_closing = (marks->quotes & ~inside) >> 63;
}

/* Which bytes are within quotes, byte by byte: a quote in the midst of a field is a character like others. */
static uint64_t walk_inside(Place *place, const FieldMarks *marks)
{
    uint64_t inside = 0;
    for (uint64_t bit = 1; bit; bit <<= 1) {
        const bool is_quote = marks->quotes & bit, is_edge = marks->edges & bit;
        if (place->in_quotes) {
            place->in_quotes = !is_quote;
            place->after_edge = place->after_closing = is_quote;
        } else {
            place->in_quotes = is_quote && place->after_edge;
            place->after_edge = is_edge;
            place->after_closing = false;
        }
        if (place->in_quotes)
            inside |= bit;
    }
    return inside;
}

/* Takes 64 bytes, of which so many are of the text; the others are zeros. */
static inline void scan_64_bytes(Scan *scan, const uint8_t *text, int64_t offset)
{
    Place *place = &scan->place;
    const Bytes64 bytes = load_64_bytes(text);
    const uint64_t newlines = mask_equal(&bytes, '\n'), returns = mask_equal(&bytes, '\r');
    const uint64_t breaks = newlines | returns;
    const FieldMarks marks = {
        .quotes = scan->grammar->has_quote ? mask_equal(&bytes, scan->grammar->quote) : 0,
        .edges = breaks | mask_equal(&bytes, scan->grammar->delimiter),
    };
    uint64_t inside = 0;
    if (!(marks.quotes | (uint64_t)place->in_quotes | (uint64_t)place->after_closing))
        place->after_edge = marks.edges >> 63;
    else if (find_inside(place, &marks, &inside))
        move_behind(place, &marks, inside);
    else
        inside = walk_inside(place, &marks);
    /* Of \r\n the \r is the line end. */
    const uint64_t ends = returns | (newlines & ~(returns << 1 | (uint64_t)place->after_return));
    const uint64_t outside = ends & ~inside;
    const uint64_t blank = outside & ((breaks & ~inside) << 1 | (uint64_t)place->after_end);
    place->after_return = returns >> 63;
    place->after_end = (breaks & ~inside) >> 63;
    scan->found->lines += __builtin_popcountll(ends);
    scan->found->ended += __builtin_popcountll(scan->grammar->has_blank_rows ? outside : outside & ~blank);
    if (outside && scan->end_of_first < 0)
        scan->end_of_first = offset + lowest_bit(outside);
}

/* The offset behind the first line end outside of quotes, or behind the text if that ends the record. */
static int64_t find_first(const Scan *scan, const uint8_t *text, int64_t size)
{
    const int64_t end = scan->end_of_first;
    if (end < 0)
        return scan->found->is_open ? -1 : size;
    const bool is_pair = text[end] == '\r' && end + 1 < size && text[end + 1] == '\n';
    return end + 1 + is_pair;
}

/* Looks at a piece of strict CSV without escapes and comments. It begins at a record, or within quotes; what is behind
 * its last line end counts as a record that ends. */
MILLRACE_EXPORT void millrace_csv_scan(const MillraceCsvGrammar *grammar, bool is_open, const uint8_t *text, int64_t size,
                                       MillraceCsvPiece *found)
{
    *found = (MillraceCsvPiece){0};
    Scan scan = {.grammar = grammar, .end_of_first = -1, .found = found};
    scan.place = (Place){.in_quotes = is_open, .after_edge = !is_open, .after_end = !is_open};
    const int64_t whole = size - size % 64;
    for (int64_t offset = 0; offset < whole; offset += 64)
        scan_64_bytes(&scan, text + offset, offset);
    const bool is_in_line = size > 0 && text[size - 1] != '\n' && text[size - 1] != '\r';
    if (size > whole) {
        uint8_t rest[64];
        /* Zeros would be text behind a closing quote; delimiters may follow anything and end no record. */
        memset(rest, grammar->delimiter, sizeof rest);
        memcpy(rest, text + whole, (size_t)(size - whole));
        scan_64_bytes(&scan, rest, whole);
    }
    found->is_open = scan.place.in_quotes;
    found->ended += is_in_line && !found->is_open;
    found->first = is_open ? find_first(&scan, text, size) : 0;
}
