/* Each double's text reads back as the same double, by the C library; and none of 17 digits could be shorter. */

#include <math.h>

#include "../../../functions/millrace/engine/native/source/double_text.h"
#include "input.h"

static int32_t count_digits(const char *text)
{
    int32_t digits = 0;
    bool is_leading = true;
    int32_t zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (is_leading && *text == '0')) {
            continue;
        }
        is_leading = false;
        zeros = *text == '0' ? zeros + 1 : 0;
        digits++;
    }
    return digits - zeros;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Input input = {bytes, (int64_t)size};
    const bool bare = take_byte(&input) & 1;
    const int64_t bits = take_word(&input);
    double value;
    memcpy(&value, &bits, sizeof value);
    uint8_t *room = malloc(DOUBLE_ROOM);
    REQUIRE(room != NULL);
    const int32_t length = write_double(value, bare, room);
    REQUIRE(length > 0 && length <= 25);
    char text[32] = {0};
    memcpy(text, room, (size_t)length);
    free(room);
    if (isnan(value)) {
        REQUIRE(strcmp(text, "NaN") == 0);
        return 0;
    }
    const double back = strtod(text, NULL);
    REQUIRE(memcmp(&back, &value, sizeof value) == 0);
    if (isfinite(value) && value != 0) {
        const int32_t digits = count_digits(text);
        char shorter[40];
        snprintf(shorter, sizeof shorter, "%.*e", digits > 1 ? digits - 2 : 0, value);
        REQUIRE(digits <= 17);
        REQUIRE(digits == 1 || strtod(shorter, NULL) != value);
    }
    return 0;
}
