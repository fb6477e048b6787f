/* See alone.h. */
#include "airmark_internal.h"

#include <stddef.h>

#include "alone.h"

/*
 * The parts of the detector and of the screen that work on one key are no functions of their own in the library, where they cost
 * code: this is both files once more, with what other files see of them under other names.
 */
#undef airmark_init
#define airmark_init alone_init
#define airmark_reset alone_reset
#define airmark_push alone_push
#define airmark_score_q8 alone_score_q8
#define airmark_dropped alone_dropped
#define airmark_status_text alone_status_text
#define airmark_screen alone_screen
#define airmark_screen_reset alone_screen_reset
AM_SELDOM void airmark_reset(airmark_t *detector);
void airmark_screen(airmark_t *detector);
AM_SELDOM void airmark_screen_reset(airmark_t *detector);
#include "airmark.c"
#include "airmark_screen.c"

/* Of the state what depends on the key: from `queue` to the state of the first key. The rest is shared. */
enum {
    OWN_AT = offsetof(airmark_t, queue),
    OWN = offsetof(airmark_t, key_state) + sizeof(airmark_key_state_t) - OWN_AT,
    SHARED = (sizeof(airmark_t) + 15u) / 16u * 16u
};

/* The one that the shared state now works for is the listener of that key and memory. */
static void lend(airmark_t *detector, const airmark_key_t *key, const unsigned char *own)
{
    detector->config.keys = key;
    memcpy((unsigned char *)detector + OWN_AT, own, OWN);
}

static void keep(const airmark_t *detector, unsigned char *own)
{
    memcpy(own, (const unsigned char *)detector + OWN_AT, OWN);
}

static void take_frame(airmark_t *detector, const airmark_key_t *keys, size_t listeners, unsigned char *own)
{
    take_products(detector);
    for (size_t i = 0; i < listeners; i++) {
        lend(detector, &keys[i], own + OWN * i);
        const bool whole = detector->seen >= AM_WHOLE_FRAMES;
        take_level(detector, 0, AM_WHOLE, whole ? (uint32_t)level_of_key(detector, AM_WHOLE, &keys[i]) : 0u);
        if (detector->config.early) {
            const bool half = detector->seen >= AM_HALF_FRAMES;
            take_level(detector, 0, AM_HALF, half ? (uint32_t)level_of_key(detector, AM_HALF, &keys[i]) : 0u);
        }
        keep(detector, own + OWN * i);
    }
}

size_t airmark_alone_bytes(size_t listeners)
{
    return SHARED + OWN * listeners;
}

airmark_status_t airmark_alone(const airmark_config_t *config, const airmark_key_t *keys, size_t listeners, void *memory,
                               const int16_t *samples, size_t count, airmark_alone_t *found, size_t room, size_t *told)
{
    airmark_t *const detector = memory;
    unsigned char *const own = (unsigned char *)memory + SHARED;
    airmark_config_t one = *config;
    one.key_count = 1;
    *told = 0;
    for (size_t i = 0; i < listeners; i++) {
        one.keys = &keys[i];
        const airmark_status_t status = airmark_init(detector, &one);
        if (status != AIRMARK_OK) {
            return status;
        }
        keep(detector, own + OWN * i);
    }
    const uint16_t *const events = due[config->rate == 8000u ? 1 : 0];
    for (size_t taken = 0; taken < count;) {
        const uint32_t fill = detector->fill;
        const uint32_t next = fill < events[0] ? events[0] : fill < events[1] ? events[1] : events[2];
        taken += take(detector, samples + taken, count - taken, 1, next - fill);
        if (detector->fill == fill) {
            continue;
        }
        if (detector->fill == events[2]) {
            if (airmark_frames_make(detector)) {
                advance_frame_start(detector);
                take_frame(detector, keys, listeners, own);
            }
        } else if (detector->fill == events[0] || detector->fill == events[1]) {
            for (size_t i = 0; i < listeners; i++) {
                uint8_t queued;
                memcpy(&queued, own + OWN * i + offsetof(airmark_t, queued) - OWN_AT, sizeof queued);
                if (queued == 0) {
                    continue;
                }
                lend(detector, &keys[i], own + OWN * i);
                airmark_detection_t detection;
                if (work(detector, &detection)) {
                    if (*told < room) {
                        found[*told].detection = detection;
                        found[*told].listener = i;
                        found[*told].at = taken;
                    }
                    ++*told;
                }
                keep(detector, own + OWN * i);
            }
        }
    }
    return AIRMARK_OK;
}
