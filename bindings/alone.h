/*
 * Many detectors of one key each that hear the same sound, as devices with a key each would: what measures false alarms. They
 * share what does not depend on the key (input, frames, the screen's products), and each has queue and slots of its own, so
 * that every one tells bit by bit what it would tell by itself.
 */
#ifndef AIRMARK_ALONE_H
#define AIRMARK_ALONE_H

#include "airmark.h"

/* A mark that one of them told. */
typedef struct {
    airmark_detection_t detection; /* its `key` is 0 */
    size_t listener;               /* whose it is: index of the key */
    uint64_t at;                   /* samples heard by then, with the one at which it became certain */
} airmark_alone_t;

/* Bytes of `memory`, aligned for a uint64_t, for that many. */
size_t airmark_alone_bytes(size_t listeners);

/*
 * What they tell in `count` samples, in the order of time: the first `room` detections, and in *told how many there are. config:
 * what all have but for their keys; keys: one each, `listeners` of them, 1 at least. Returns what airmark_init says of these.
 */
airmark_status_t airmark_alone(const airmark_config_t *config, const airmark_key_t *keys, size_t listeners, void *memory,
                               const int16_t *samples, size_t count, airmark_alone_t *found, size_t room, size_t *told);

#endif
