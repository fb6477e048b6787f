/* The key of "airmark keygen --seed 1", which anyone can make: for trying out. Put what airmark export writes here. */
#ifndef AIRMARK_KEYS_H
#define AIRMARK_KEYS_H

#include "airmark.h"

static const airmark_key_t airmark_keys[1] = {
    /* profile default, fingerprint 2737d82f */
    {{0xa4307dd9u, 0x86fb6468u, 0xd28fcdf3u, 0x910af09eu}},
};

#endif
