/* What the library says about itself, for Python to check before it calls anything else. */

#include "kernel.h"

#ifndef MILLRACE_FINGERPRINT
#define MILLRACE_FINGERPRINT "unknown"
#endif

/* `library.py` finds this text in the file, also in a library for another processor, which it cannot load. */
static const char fingerprint[] = "millrace kernel of sources " MILLRACE_FINGERPRINT;

MILLRACE_EXPORT int32_t millrace_abi(void)
{
    return MILLRACE_ABI;
}

MILLRACE_EXPORT const char *millrace_fingerprint(void)
{
    return fingerprint;
}
