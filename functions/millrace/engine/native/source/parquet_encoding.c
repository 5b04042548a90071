/* The body of a page: whether each row is null, then the values in the leaf's encoding. */

#include "parquet_delta.h"
#include "parquet_leaf.h"
#include "parquet_range.h"
#include "parquet_runs.h"

/* Arrow looks after so many rows whether a page is full, and begins to count again with each batch. */
#define ROWS_BETWEEN_LOOKS 1024
#define LEVELS_LEAD 4
/* Eight bytes may be read and written behind the last value. */
#define SLACK 64

static int64_t least_of(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* The bytes that a piece's texts take, lengths included; their own alone are added to the page's. */
static int64_t measure_texts(const MillraceLeaf *leaf, const Piece *piece, MillracePage *page)
{
    int64_t bytes = 0, values = 0;
    for (int64_t row = 0; row < piece->rows; row++) {
        if (is_value(piece, row)) {
            const int64_t size = text_at(leaf->kind, piece, row).size;
            if (size < 0 || size > INT32_MAX) {
                return -1;
            }
            bytes += size;
            values++;
        }
    }
    page->text_bytes += bytes;
    return bytes + 4 * values;
}

/* Finds how many rows the page has, how many are null, and for texts how many bytes; false if the leaf is not for C. */
static bool measure_page(const MillraceLeaf *leaf, MillracePage *page, int64_t *stored)
{
    const bool is_plain_text = is_text_kind(leaf->kind) && leaf->encoding == ENCODING_PLAIN;
    int64_t batch = page->batch, row = page->row;
    Piece piece;
    *stored = 0;
    while (page->rows < leaf->page_rows && *stored < leaf->page_bytes) {
        if (!next_piece(leaf, &batch, &row, least_of(ROWS_BETWEEN_LOOKS, leaf->page_rows - page->rows), &piece)) {
            break;
        }
        page->rows += piece.rows;
        page->nulls += count_nulls(&piece);
        if (is_plain_text) {
            const int64_t bytes = measure_texts(leaf, &piece, page);
            if (bytes < 0) {
                return false;
            }
            *stored += bytes;
        }
    }
    return leaf->is_nullable || page->nulls == 0;
}

static int64_t bound_page(const MillraceLeaf *leaf, const MillracePage *page, int64_t stored)
{
    const int64_t levels = LEVELS_LEAD + bound_runs(page->rows, 1);
    if (leaf->encoding == ENCODING_DICTIONARY) {
        return levels + bound_runs(page->rows, 32) + SLACK;
    }
    if (leaf->encoding == ENCODING_DELTA) {
        return levels + bound_delta(page->rows) + SLACK;
    }
    return levels + stored + page->rows * 8 + SLACK;
}

/* A piece's levels: 1 for a value, 0 for null. */
static void put_levels(Runs *runs, const Piece *piece)
{
    int64_t row = 0;
    if (piece->validity == NULL) {
        put_repeated(runs, 1, piece->rows);
        return;
    }
    while (row < piece->rows) {
        const int64_t bit = piece->first + row;
        if ((bit & 7) == 0 && piece->rows - row >= 8 && piece->validity[bit >> 3] == 0xFF) {
            put_repeated(runs, 1, 8);
            row += 8;
        } else {
            put_value(runs, is_value(piece, row));
            row++;
        }
    }
}

/* The levels of a page behind their length; gives the number of bytes, 0 for a leaf that cannot be null. */
static int64_t encode_levels(const MillraceLeaf *leaf, const MillracePage *page, uint8_t *out)
{
    int64_t batch = page->batch, row = page->row, left = page->rows;
    Runs runs;
    Piece piece;
    if (!leaf->is_nullable) {
        return 0;
    }
    open_runs(&runs, out + LEVELS_LEAD, 1);
    while (next_piece(leaf, &batch, &row, left, &piece)) {
        put_levels(&runs, &piece);
        left -= piece.rows;
    }
    close_runs(&runs);
    const uint32_t size = (uint32_t)runs.size;
    memcpy(out, &size, sizeof size);
    return LEVELS_LEAD + runs.size;
}

/* Texts behind their lengths. Short ones are copied as two words that overlap, which is faster than a call. */
static uint8_t *put_text(TextValue text, uint8_t *out)
{
    const uint32_t size = (uint32_t)text.size;
    memcpy(out, &size, sizeof size);
    out += 4;
    if (size >= 8 && size <= 16) {
        memcpy(out, text.bytes, 8);
        memcpy(out + size - 8, text.bytes + size - 8, 8);
    } else if (size > 0) {
        memcpy(out, text.bytes, size);
    }
    return out + size;
}

static int64_t encode_texts(const MillraceLeaf *leaf, MillracePage *page, uint8_t *out)
{
    int64_t batch = page->batch, row = page->row, left = page->rows;
    uint8_t *end = out;
    Piece piece;
    while (next_piece(leaf, &batch, &row, left, &piece)) {
        for (int64_t index = 0; index < piece.rows; index++) {
            if (is_value(&piece, index)) {
                end = put_text(text_at(leaf->kind, &piece, index), end);
            }
        }
        left -= piece.rows;
    }
    memset(end, 0, 8); /* read with the last text */
    find_text_range(out, page->rows - page->nulls, page);
    return end - out;
}

static int64_t encode_booleans(const uint8_t *values, int64_t count, uint8_t *out)
{
    memset(out, 0, (size_t)((count + 7) / 8));
    for (int64_t at = 0; at < count; at++) {
        out[at >> 3] |= (uint8_t)(values[at] << (at & 7));
    }
    return (count + 7) / 8;
}

/* Numbers and booleans, gathered in `values` first; -1 for one that cannot be stored. */
static int64_t encode_numbers(const MillraceLeaf *leaf, MillracePage *page, uint8_t *values, uint8_t *out)
{
    const int64_t width = find_stored_width(leaf->physical);
    int64_t batch = page->batch, row = page->row, left = page->rows, count = 0;
    Piece piece;
    while (next_piece(leaf, &batch, &row, left, &piece)) {
        const int64_t gathered = gather_values(leaf, &piece, values + count * (width > 0 ? width : 1));
        if (gathered < 0) {
            return -1;
        }
        count += gathered;
        left -= piece.rows;
    }
    find_range(leaf->physical, values, count, page);
    if (leaf->encoding == ENCODING_DELTA) {
        return encode_delta(values, count, width, out);
    }
    if (leaf->physical == PHYSICAL_BOOLEAN) {
        return encode_booleans(values, count, out);
    }
    memcpy(out, values, (size_t)(count * width));
    return count * width;
}

/* The range of the entries that a page uses: those that `seen` marks. */
static void find_entry_range(const MillraceLeaf *leaf, const uint8_t *seen, uint8_t *values, MillracePage *page)
{
    const int64_t width = find_stored_width(leaf->physical);
    const uint8_t *at = leaf->dictionary;
    int64_t count = 0;
    for (int64_t entry = 0; entry < page->entries; entry++) {
        uint32_t size = (uint32_t)width;
        if (is_text_kind(leaf->kind)) {
            memcpy(&size, at, sizeof size);
            at += 4;
        }
        if (seen[entry] && is_text_kind(leaf->kind)) {
            widen_text_range((TextValue){at, size}, page);
        } else if (seen[entry]) {
            memcpy(values + count++ * width, at, (size_t)width);
        }
        at += size;
    }
    if (!is_text_kind(leaf->kind)) {
        find_range(leaf->physical, values, count, page);
    }
}

/* Arrow takes 1 bit for one entry, and none for none. */
static int32_t find_index_width(int64_t entries)
{
    return entries <= 1 ? (int32_t)entries : 64 - __builtin_clzll((uint64_t)entries - 1);
}

/* How many entries there were when this page was full: entries are numbered as they come. */
static int64_t count_entries(const MillracePage *page, const int32_t *indices, int64_t count)
{
    int32_t last = (int32_t)page->entries - 1;
    for (int64_t at = 0; at < count; at++) {
        last = indices[at] > last ? indices[at] : last;
    }
    return (int64_t)last + 1;
}

/* The places of a page's values in the dictionary, behind the number of their bits. `scratch` has room for a mark for
   each entry, and behind them for the values of a page. */
static int64_t encode_places(const MillraceLeaf *leaf, MillracePage *page, uint8_t *scratch, uint8_t *out)
{
    const int32_t *indices = leaf->indices + page->value;
    const int64_t count = page->rows - page->nulls;
    Runs runs;
    page->entries = count_entries(page, indices, count);
    out[0] = (uint8_t)find_index_width(page->entries);
    memset(scratch, 0, (size_t)page->entries);
    open_runs(&runs, out + 1, out[0]);
    for (int64_t at = 0; at < count; at++) {
        put_value(&runs, (uint32_t)indices[at]);
        scratch[indices[at]] = 1;
    }
    close_runs(&runs);
    find_entry_range(leaf, scratch, scratch + (page->entries + 7) / 8 * 8, page);
    return 1 + runs.size;
}

/* What of a leaf the functions above take for granted. */
static bool is_for_c(const MillraceLeaf *leaf, int64_t scratch_size)
{
    const bool is_text = is_text_kind(leaf->kind);
    const bool has_rows = leaf->page_rows > 0 && leaf->page_rows <= MOST_PAGE_ROWS;
    /* Numbers then never fill a page before its rows do: their bytes need not be counted as Arrow does. */
    const bool is_by_rows = is_text || leaf->page_rows * 10 < leaf->page_bytes;
    const int64_t scratch = (leaf->page_rows + 1) * 8 + (leaf->encoding == ENCODING_DICTIONARY ? leaf->entries + 8 : 0);
    const bool is_delta = leaf->physical == PHYSICAL_INT32 || leaf->physical == PHYSICAL_INT64;
    return has_rows && is_by_rows && scratch_size >= scratch && is_text == (leaf->physical == PHYSICAL_BYTE_ARRAY) &&
           (leaf->encoding != ENCODING_DELTA || is_delta);
}

static int64_t encode_values(const MillraceLeaf *leaf, MillracePage *page, uint8_t *scratch, uint8_t *out)
{
    if (leaf->encoding == ENCODING_DICTIONARY) {
        return encode_places(leaf, page, scratch, out);
    }
    if (is_text_kind(leaf->kind)) {
        return encode_texts(leaf, page, out);
    }
    return encode_numbers(leaf, page, scratch, out);
}

static void go_behind(const MillraceLeaf *leaf, MillracePage *page)
{
    int64_t left = page->rows;
    Piece piece;
    while (next_piece(leaf, &page->batch, &page->row, left, &piece)) {
        left -= piece.rows;
    }
    page->value += page->rows - page->nulls;
}

/* Writes the body of the page that begins at `page->batch` and `page->row`, and says what is in it; no rows are left if
   `page->rows` is 0 then. MILLRACE_TOO_MUCH if `out` has less than `page->size`; MILLRACE_IRREGULAR is Arrow's. */
MILLRACE_EXPORT int32_t millrace_parquet_page(const MillraceLeaf *leaf, MillracePage *page, uint8_t *scratch,
                                              int64_t scratch_size, uint8_t *out, int64_t capacity)
{
    int64_t stored = 0;
    page->rows = page->nulls = page->size = page->text_bytes = 0;
    page->least = page->greatest = NULL;
    page->least_size = page->greatest_size = 0;
    if (!is_for_c(leaf, scratch_size) || !measure_page(leaf, page, &stored)) {
        return MILLRACE_IRREGULAR;
    }
    page->size = bound_page(leaf, page, stored);
    if (page->size > capacity) {
        return MILLRACE_TOO_MUCH;
    }
    const int64_t levels = encode_levels(leaf, page, out);
    const int64_t values = encode_values(leaf, page, scratch, out + levels);
    if (values < 0) {
        return MILLRACE_IRREGULAR;
    }
    page->size = levels + values;
    go_behind(leaf, page);
    return MILLRACE_OK;
}
