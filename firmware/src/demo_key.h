/*
 * PUBLIC: the key of "airmark demo", which anyone can make anew. It protects nothing; it is here so that a program can be
 * tried before there is a key: play airmark-demo/marked.wav to the board.
 */
#ifndef AIRMARK_DEMO_KEY_H
#define AIRMARK_DEMO_KEY_H

#include "airmark.h"

static const airmark_key_t airmark_keys[1] = {
    /* profile default, fingerprint 2737d82f */
    {{0xa4307dd9u, 0x86fb6468u, 0xd28fcdf3u, 0x910af09eu}},
};

#endif
