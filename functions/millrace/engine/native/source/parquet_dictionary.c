/* The dictionary of a leaf: its different values in the order in which they come, and for each row's value its place.

   Values are the same if their bytes are: 0.0 and -0.0 are two, and so are two different NaN. */

#include "parquet_leaf.h"

#include <stdlib.h>

/* A hash table with open addressing: a place is free while its entry is 0, else it has an entry's number plus 1. It begins
   small, since most dictionaries are, and stays in the processor's cache then. */
typedef struct {
    uint32_t hash;
    uint32_t entry;
} Place;

#define FIRST_PLACES 1024

typedef struct {
    Place *places;
    uint32_t count; /* of places: a power of two, at least twice the entries */
    uint32_t *starts; /* where the bytes of an entry are in `out` */
    uint8_t *out;
    int64_t size, capacity;
    int32_t entries;
    int32_t code; /* why no entry could be made */
    int64_t text_bytes;
} Dictionary;

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint32_t hash_bytes(const uint8_t *bytes, int64_t size)
{
    uint64_t hash = (uint64_t)size * UINT64_C(0x9e3779b97f4a7c15), word = 0;
    for (; size >= 8; size -= 8, bytes += 8) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash ^ word);
    }
    word = 0;
    for (int64_t byte = 0; byte < size; byte++) {
        word |= (uint64_t)bytes[byte] << (8 * byte);
    }
    return (uint32_t)mix(hash ^ word);
}

/* Four times as many places; each entry keeps its hash. */
static bool grow_places(Dictionary *dictionary)
{
    const uint32_t count = dictionary->count * 4;
    Place *places = calloc(count, sizeof(Place));
    if (places == NULL) {
        dictionary->code = MILLRACE_NO_MEMORY;
        return false;
    }
    for (uint32_t old = 0; old < dictionary->count; old++) {
        const Place place = dictionary->places[old];
        uint32_t at = place.hash & (count - 1);
        while (place.entry != 0 && places[at].entry != 0) {
            at = (at + 1) & (count - 1);
        }
        if (place.entry != 0) {
            places[at] = place;
        }
    }
    free(dictionary->places);
    dictionary->places = places;
    dictionary->count = count;
    return true;
}

/* Puts an entry's bytes behind the others, texts behind their length; gives its number, or -1 if there is no room.
   `at` is the free place for it. */
static int32_t append_entry(Dictionary *dictionary, uint32_t at, uint32_t hash, TextValue value, bool is_text)
{
    const int64_t lead = is_text ? 4 : 0;
    if (value.size > dictionary->capacity - dictionary->size - lead) {
        dictionary->code = MILLRACE_TOO_MUCH;
        return -1;
    }
    if (is_text) {
        const uint32_t length = (uint32_t)value.size;
        memcpy(dictionary->out + dictionary->size, &length, sizeof length);
    }
    dictionary->size += lead;
    dictionary->starts[dictionary->entries++] = (uint32_t)dictionary->size;
    if (value.size > 0) {
        memcpy(dictionary->out + dictionary->size, value.bytes, (size_t)value.size);
    }
    dictionary->size += value.size;
    dictionary->places[at] = (Place){hash, (uint32_t)dictionary->entries};
    const bool is_full = (uint32_t)dictionary->entries * 2 > dictionary->count;
    return is_full && !grow_places(dictionary) ? -1 : dictionary->entries - 1;
}

static bool is_text_of(const Dictionary *dictionary, uint32_t entry, TextValue text)
{
    const uint8_t *held = dictionary->out + dictionary->starts[entry];
    uint32_t length;
    memcpy(&length, held - 4, sizeof length);
    return (int64_t)length == text.size && (length == 0 || memcmp(held, text.bytes, length) == 0);
}

/* The number of a text's entry, which is made if there is none; -1 if there is no room. */
static int32_t find_text(Dictionary *dictionary, TextValue text)
{
    const uint32_t hash = hash_bytes(text.bytes, text.size), mask = dictionary->count - 1;
    uint32_t at = hash & mask;
    for (; dictionary->places[at].entry != 0; at = (at + 1) & mask) {
        const Place place = dictionary->places[at];
        if (place.hash == hash && is_text_of(dictionary, place.entry - 1, text)) {
            return (int32_t)(place.entry - 1);
        }
    }
    return append_entry(dictionary, at, hash, text, true);
}

static uint64_t load_number(const uint8_t *bytes, int64_t width)
{
    uint64_t number = 0;
    uint32_t half;
    if (width == 8) {
        memcpy(&number, bytes, sizeof number);
        return number;
    }
    memcpy(&half, bytes, sizeof half);
    return half;
}

/* The same for a number of 4 or 8 bytes, which needs no start and no comparison byte by byte. */
static int32_t find_number(Dictionary *dictionary, const uint8_t *bytes, int64_t width)
{
    const uint64_t number = load_number(bytes, width);
    const uint32_t hash = (uint32_t)(mix(number) >> 16), mask = dictionary->count - 1;
    uint32_t at = hash & mask;
    for (; dictionary->places[at].entry != 0; at = (at + 1) & mask) {
        const int64_t entry = (int64_t)dictionary->places[at].entry - 1;
        if (load_number(dictionary->out + entry * width, width) == number) {
            return (int32_t)entry;
        }
    }
    return append_entry(dictionary, at, hash, (TextValue){bytes, width}, false);
}

static int64_t count_rows(const MillraceLeaf *leaf)
{
    int64_t rows = 0;
    for (int64_t batch = 0; batch < leaf->batch_count; batch++) {
        rows += leaf->batches[batch]->length;
    }
    return rows;
}

static int32_t add_texts(const MillraceLeaf *leaf, const Piece *piece, Dictionary *dictionary, int32_t *indices,
                         int64_t *count)
{
    for (int64_t row = 0; row < piece->rows; row++) {
        if (!is_value(piece, row)) {
            continue;
        }
        const TextValue text = text_at(leaf->kind, piece, row);
        if (text.size < 0 || text.size > dictionary->capacity) {
            return MILLRACE_TOO_MUCH;
        }
        const int32_t entry = find_text(dictionary, text);
        if (entry < 0) {
            return dictionary->code;
        }
        dictionary->text_bytes += text.size;
        indices[(*count)++] = entry;
    }
    return MILLRACE_OK;
}

#define ROWS_AT_ONCE 1024

static int32_t add_numbers(const MillraceLeaf *leaf, const Piece *piece, Dictionary *dictionary, int32_t *indices,
                           int64_t *count)
{
    uint8_t values[(ROWS_AT_ONCE + 1) * 8];
    const int64_t width = find_stored_width(leaf->physical);
    const int64_t gathered = gather_values(leaf, piece, values);
    if (gathered < 0) {
        return MILLRACE_IRREGULAR;
    }
    for (int64_t at = 0; at < gathered; at++) {
        const int32_t entry = find_number(dictionary, values + at * width, width);
        if (entry < 0) {
            return dictionary->code;
        }
        indices[(*count)++] = entry;
    }
    return MILLRACE_OK;
}

static int32_t add_rows(const MillraceLeaf *leaf, Dictionary *dictionary, int32_t *indices)
{
    int64_t batch = 0, row = 0, count = 0;
    int32_t code = MILLRACE_OK;
    Piece piece;
    while (code == MILLRACE_OK && next_piece(leaf, &batch, &row, ROWS_AT_ONCE, &piece)) {
        if (is_text_kind(leaf->kind)) {
            code = add_texts(leaf, &piece, dictionary, indices, &count);
        } else {
            code = add_numbers(leaf, &piece, dictionary, indices, &count);
        }
    }
    return code;
}

/* What became of a dictionary. */
typedef struct {
    int64_t size;
    int64_t entries;
    int64_t text_bytes; /* of all rows' texts */
} MillraceDictionary;

/* Fills `out` with the dictionary as a page has it and `indices`, which has room for every row, with the values' places.
   MILLRACE_TOO_MUCH if the dictionary has no room: then Arrow, too, would go on without one. */
MILLRACE_EXPORT int32_t millrace_parquet_dictionary(const MillraceLeaf *leaf, int32_t *indices, uint8_t *out,
                                                    int64_t capacity, MillraceDictionary *made)
{
    const int64_t rows = count_rows(leaf);
    if (leaf->physical == PHYSICAL_BOOLEAN || rows > INT32_MAX / 8 || capacity > INT32_MAX) {
        return MILLRACE_IRREGULAR;
    }
    Dictionary dictionary = {.out = out, .capacity = capacity, .count = FIRST_PLACES};
    dictionary.places = calloc(FIRST_PLACES, sizeof(Place));
    dictionary.starts = malloc((size_t)(rows + 1) * sizeof(uint32_t));
    int32_t code = MILLRACE_NO_MEMORY;
    if (dictionary.places != NULL && dictionary.starts != NULL) {
        code = add_rows(leaf, &dictionary, indices);
    }
    free(dictionary.places);
    free(dictionary.starts);
    *made = (MillraceDictionary){dictionary.size, dictionary.entries, dictionary.text_bytes};
    return code;
}
