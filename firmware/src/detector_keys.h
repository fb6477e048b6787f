/*
 * The keys to listen for, airmark_keys[]: the header that DETECTOR_KEYS names, or else keys.h, as "airmark export" wrote it.
 */
#ifndef AIRMARK_DETECTOR_KEYS_H
#define AIRMARK_DETECTOR_KEYS_H

#include "airmark.h"

#ifndef DETECTOR_KEYS
#define DETECTOR_KEYS "keys.h"
#endif

/* Without the second error that an #include would bring: it is of no help, and PlatformIO offers libraries for it. */
#ifndef __has_include
#include DETECTOR_KEYS
#elif __has_include(DETECTOR_KEYS)
#include DETECTOR_KEYS
#else
#error "no keys: keys.h, or what DETECTOR_KEYS names, is not on the include path: 'airmark export KEY.json keys.h' writes it"
#endif

#endif
