/* The key of "airmark demo", or keygen --seed 1, which anyone can make: to try the sketch with airmark-demo/marked.wav. */
#ifndef AIRMARK_KEYS_H
#define AIRMARK_KEYS_H

#include "airmark.h"

#if AIRMARK_REPETITIONS != 32 || AIRMARK_BANDS != 4
#error "airmark: the keys are for 32 repetitions in 4 bands: export them with the library's version"
#endif

static const airmark_key_t airmark_keys[1] = {
    /* profile default, fingerprint 2737d82f */
    {{0xa4307dd9u, 0x86fb6468u, 0xd28fcdf3u, 0x910af09eu}},
};

#endif
