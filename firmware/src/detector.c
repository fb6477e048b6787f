/*
 * detector: listens to the board's microphone and tells the marks it finds.
 *
 * The keys come from a header that "airmark export KEY.json keys.h" writes; put it where the compiler looks, or name
 * another with -DDETECTOR_KEYS='"other.h"'. demo_key.h beside this file has the key of "airmark demo", which is public.
 *
 * Output, lines of a word and fields:
 *
 *     detector airmark=0.1.0 rate=16000 keys=1 threshold=6.375
 *     detection sample=48123 seconds=3.007 score=8.211 drift_ppm=-12.31 key=0 early=0
 *     lost sample=51200 count=160        samples that the board could not take, and where; see stream.h
 *     dropped count=1                    candidates that the detector could not look at in time, in all, when it changes
 *     end samples=96000 lost=0 dropped=0 only where the sound can end: 1.5 s of silence follow it, in which what waits is told
 *
 * The lamp is lit for a second from each detection on. Score and drift are rounded; both can be had back, as they are
 * multiples of 1/256 and 1/16.
 *
 * Macros: DETECTOR_EARLY 1: tell a mark from its first half too; DETECTOR_THRESHOLD_Q8, the lowest score told.
 */
#include "airmark.h"
#include "board.h"
#include "detector_keys.h"
#include "line.h"
#include "stream.h"

#ifndef DETECTOR_EARLY
#define DETECTOR_EARLY 0
#endif
#ifndef DETECTOR_THRESHOLD_Q8
#define DETECTOR_THRESHOLD_Q8 AIRMARK_DEFAULT_THRESHOLD_Q8
#endif
#if DETECTOR_THRESHOLD_Q8 < AIRMARK_LEAST_THRESHOLD_Q8 || DETECTOR_THRESHOLD_Q8 > 65535
#error "detector: DETECTOR_THRESHOLD_Q8 is a score in 1/256, 256 to 65535"
#endif

#define KEYS (sizeof airmark_keys / sizeof airmark_keys[0])
#define LIT RATE /* samples */

static airmark_t detector;
static airmark_config_t config = AIRMARK_CONFIG(RATE, airmark_keys, (uint8_t)KEYS);
static uint32_t lit;             /* samples until the lamp goes out */
static uint32_t dropped;         /* in all */
static uint16_t dropped_by_this; /* since the detector began anew */

static uint32_t magnitude(int32_t value)
{
    return value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
}

static void tell(const airmark_detection_t *detection)
{
    field("detection sample=", detection->sample);
    decimal(" seconds=", detection->sample, RATE, 3);
    decimal(detection->score_q8 < 0 ? " score=-" : " score=", magnitude(detection->score_q8), 256, 3);
    decimal(detection->drift_ppm_q4 < 0 ? " drift_ppm=-" : " drift_ppm=", magnitude(detection->drift_ppm_q4), 16, 2);
    field(" key=", detection->key);
    field(" early=", detection->early);
    end_line();
}

static void push(const int16_t *samples, uint32_t count)
{
    uint32_t at = 0;
    while (at < count) {
        airmark_detection_t detection;
        bool found;
        const uint32_t taken = (uint32_t)airmark_push(&detector, samples + at, count - at, 1, &detection, &found);
        at += taken;
        now += taken;
        if (lit) {
            lit -= taken < lit ? taken : lit;
            if (!lit) {
                port_led(false);
            }
        }
        if (found) {
            if (!lit) {
                port_led(true);
            }
            lit = LIT;
            tell(&detection);
        }
    }
    if (dropped_by_this != airmark_dropped(&detector)) {
        dropped += (uint32_t)(airmark_dropped(&detector) - dropped_by_this);
        dropped_by_this = airmark_dropped(&detector);
        field("dropped count=", dropped);
        end_line();
    }
}

static airmark_status_t begin(void)
{
    config.first_sample = now;
    dropped_by_this = 0;
    return airmark_init(&detector, &config);
}

int port_main(void)
{
    airmark_status_t status;
    config.early = DETECTOR_EARLY;
    config.threshold_q8 = DETECTOR_THRESHOLD_Q8;
    status = begin();
    if (status != AIRMARK_OK) {
        text("detector: the configuration has ");
        text(airmark_status_text(status));
        end_line();
        return 1;
    }
    if (!port_audio_start(RATE)) {
        text("detector: the microphone does not start; see the board's file in boards/port");
        end_line();
        return 1;
    }
    text("detector airmark=" AIRMARK_VERSION);
    field(" rate=", RATE);
    field(" keys=", KEYS);
    decimal(" threshold=", config.threshold_q8, 256, 3);
    end_line();
    stream();
    field("end samples=", sound_end);
    field(" lost=", lost);
    field(" dropped=", dropped);
    end_line();
    return 0;
}
