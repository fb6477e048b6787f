/*
 * vectors: runs the golden vectors (tests/vectors) on this very part. Makes each input a piece at a time, pushes it, and
 * compares every stage, by count and CRC32, the detections and the counters with what the vectors say.
 *
 * Output, as TAP (testanything.org) has it, and a sum:
 *
 *     1..39
 *     ok 1 - mark
 *     not ok 2 - early: stage frames, values: got 930 with CRC32 0x12345678, wanted 930 with 0x9ABCDEF0
 *     ok 3 - two-keys # SKIP its 2 keys are more than AIRMARK_MAX_KEYS, 1
 *     37 passed, 1 failed, 1 skipped
 *
 * Exit status under an emulator: 0 where none failed and one passed at least, else 1.
 *
 * vectors_data.h is made of the vectors' files by boards/tools/vectors.py whenever this is built.
 */
#include "airmark_internal.h"
#include "board.h"
#include "crc32.h"
#include "sound.h"
#include "vectors.h"

typedef struct {
    uint32_t count;
    uint32_t crc;
} stage_t;

typedef struct {
    airmark_detection_t detection;
    uint64_t at; /* samples since the last event that had been taken when it was told */
} told_t;

/* Before sample `at`: a new detector, or a reset where there are no keys. */
typedef struct {
    uint32_t at;
    const airmark_key_t *keys;
    uint8_t key_count;
} event_t;

typedef struct {
    const char *name;
    uint32_t rate;
    bool early;
    uint16_t threshold_q8;
    uint64_t first_sample;
    uint32_t length;
    const sound_layer_t *layers;
    uint32_t layer_count;
    const event_t *events; /* the first one, at 0, brings the keys */
    uint32_t event_count;
    uint32_t most_keys; /* of any event */
    const told_t *told;
    uint32_t told_count;
    uint32_t score_q8;
    uint32_t dropped;
    stage_t stages[AM_TAP_STAGES];
} vector_t;

#include "vectors_data.h"

#if VECTORS_NUMERIC_VERSION != AIRMARK_NUMERIC_VERSION
#error "vectors: tests/vectors are of another NUMERIC_VERSION than airmark.h"
#endif

#define ROOM 240

/* How the input is cut: these pieces again and again. In all channels but the last is noise. */
static const struct {
    uint16_t samples;
    uint16_t stride; /* samples times stride: at most ROOM */
} pieces[] = {{160, 1}, {1, 1}, {80, 3}, {147, 1}, {7, 2}, {240, 1}, {120, 2}};

static airmark_t detector;
static sound_layer_t layers[VECTORS_MOST_LAYERS];
static stage_t tapped[AM_TAP_STAGES];
static int16_t samples[ROOM];

/* The case that runs. */
static uint32_t number; /* from 1 */
static const char *name;
static bool failed; /* its line is told: something differed */

/* The first difference but those of stages, which say more and are told first. */
static struct {
    const char *where; /* NULL: none */
    int64_t got;
    int64_t wanted;
} difference;

/* ---- taps ---- */

void vectors_tap(uint32_t stage, uint32_t value)
{
    tapped[stage].count++;
    tapped[stage].crc = crc32_add(tapped[stage].crc ^ value, 8);
}

uint32_t vectors_crc32(const void *bytes, size_t count)
{
    return crc32_of(bytes, count);
}

/* ---- output ---- */

static void tell(const char *text)
{
    port_write(text, strlen(text));
}

static void tell_number(int64_t value)
{
    char digits[21];
    size_t first = sizeof digits;
    uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    do {
        digits[--first] = (char)('0' + rest % 10u);
        rest /= 10u;
    } while (rest);
    if (value < 0) {
        digits[--first] = '-';
    }
    port_write(digits + first, sizeof digits - first);
}

static void tell_hex(uint32_t value)
{
    char digits[10] = "0x";
    for (size_t i = 0; i < 8; i++) {
        digits[2 + i] = "0123456789ABCDEF"[value >> (28u - 4u * i) & 15u];
    }
    port_write(digits, sizeof digits);
}

static void tell_case(const char *result)
{
    tell(result);
    tell_number(number);
    tell(" - ");
    tell(name);
}

static void hold(const char *where, int64_t got, int64_t wanted)
{
    if (got != wanted && difference.where == NULL) {
        difference.where = where;
        difference.got = got;
        difference.wanted = wanted;
    }
}

/* ---- a case ---- */

/* Tells the first stage that differs, where it ran, or else the first other difference. */
static void tell_difference(const vector_t *vector, bool ran)
{
    for (uint32_t i = 0; i < AM_TAP_STAGES && ran && !failed; i++) {
        const stage_t *const wanted = &vector->stages[i];
        const uint32_t crc = ~tapped[i].crc;
        if (tapped[i].count != wanted->count || crc != wanted->crc) {
            failed = true;
            tell_case("not ok ");
            tell(": stage ");
            tell(vectors_stages[i]);
            tell(", values: got ");
            tell_number(tapped[i].count);
            tell(" with CRC32 ");
            tell_hex(crc);
            tell(", wanted ");
            tell_number(wanted->count);
            tell(" with ");
            tell_hex(wanted->crc);
        }
    }
    if (difference.where != NULL && !failed) {
        failed = true;
        tell_case("not ok ");
        tell(": ");
        tell(difference.where);
        tell(": got ");
        tell_number(difference.got);
        tell(", wanted ");
        tell_number(difference.wanted);
    }
}

static void hold_detection(const airmark_detection_t *got, uint32_t taken, const told_t *wanted)
{
    hold("a detection's sample", (int64_t)got->sample, (int64_t)wanted->detection.sample);
    hold("a detection's score", got->score_q8, wanted->detection.score_q8);
    hold("a detection's drift", got->drift_ppm_q4, wanted->detection.drift_ppm_q4);
    hold("a detection's key", got->key, wanted->detection.key);
    hold("a detection from the first half", got->early, wanted->detection.early);
    hold("samples taken when a detection is told", taken, (int64_t)wanted->at);
}

/* Makes the next samples of the input, as the last channel of so many. */
static void make(uint32_t first, uint32_t count, uint32_t stride, uint32_t layer_count)
{
    uint32_t noise = first + 1u;
    for (uint32_t i = 0; i < count * stride; i++) {
        noise = sound_draw(noise);
        samples[i] = (int16_t)sound_signed(noise);
    }
    for (uint32_t i = 0; i < count; i++) {
        samples[i * stride + stride - 1u] = sound_sample(layers, layer_count, first + i);
    }
}

/* Feeds the input from `at` to `end`; returns how many detections were told before and within. */
static uint32_t feed(const vector_t *vector, uint32_t at, uint32_t end, uint32_t told)
{
    const uint32_t start = at;
    for (uint32_t piece = 0; at < end; piece = (piece + 1u) % (sizeof pieces / sizeof pieces[0])) {
        const uint32_t stride = pieces[piece].stride;
        const uint32_t left = end - at;
        const uint32_t count = pieces[piece].samples < left ? pieces[piece].samples : left;
        make(at, count, stride, vector->layer_count);
        for (uint32_t done = 0; done < count;) {
            const int16_t *const next = samples + (size_t)done * stride + stride - 1u;
            airmark_detection_t detection;
            bool found;
            const size_t taken = airmark_push(&detector, next, count - done, stride, &detection, &found);
            if (taken == 0 || taken > count - done) {
                hold("samples taken by a push", (int64_t)taken, count - done);
                return told;
            }
            done += (uint32_t)taken;
            if (found && told < vector->told_count) {
                hold_detection(&detection, at + done - start, &vector->told[told]);
            }
            told += found;
        }
        at += count;
    }
    return told;
}

/* Returns false where it could not begin. */
static bool run(const vector_t *vector)
{
    uint32_t told = 0;
    for (uint32_t i = 0; i < vector->layer_count; i++) {
        layers[i] = vector->layers[i];
    }
    for (uint32_t i = 0; i < AM_TAP_STAGES; i++) {
        tapped[i].count = 0;
        tapped[i].crc = CRC32_BEGIN;
    }
    for (uint32_t i = 0; i < vector->event_count; i++) {
        const event_t *const event = &vector->events[i];
        const uint32_t end = i + 1u < vector->event_count ? vector->events[i + 1u].at : vector->length;
        if (event->keys == NULL) {
            airmark_reset(&detector);
        } else {
            airmark_config_t config = AIRMARK_CONFIG(vector->rate, event->keys, event->key_count);
            config.early = vector->early;
            config.threshold_q8 = vector->threshold_q8;
            config.first_sample = vector->first_sample;
            const airmark_status_t status = airmark_init(&detector, &config);
            if (status != AIRMARK_OK) {
                hold("airmark_init", status, AIRMARK_OK);
                return false;
            }
        }
        told = feed(vector, event->at, end, told);
    }
    hold("detections", told, vector->told_count);
    hold("score", airmark_score_q8(&detector), vector->score_q8);
    hold("dropped candidates", airmark_dropped(&detector), vector->dropped);
    return true;
}

/* Tells a case that this build can't run, and why; false: it can. */
static bool skips(const vector_t *vector)
{
    if (vector->most_keys > AIRMARK_MAX_KEYS) {
        tell_case("ok ");
        tell(" # SKIP its ");
        tell_number(vector->most_keys);
        tell(" keys are more than AIRMARK_MAX_KEYS, ");
        tell_number(AIRMARK_MAX_KEYS);
        return true;
    }
    if (vector->rate > 16000 && !AIRMARK_RESAMPLE) {
        tell_case("ok ");
        tell(" # SKIP its rate of ");
        tell_number(vector->rate);
        tell(" Hz needs AIRMARK_RESAMPLE");
        return true;
    }
    return false;
}

int port_main(void)
{
    const uint32_t cases = sizeof vectors / sizeof vectors[0];
    uint32_t count_passed = 0, count_failed = 0, count_skipped = 0;
    tell("1..");
    tell_number(cases);
    tell("\n");
    for (number = 1; number <= cases; number++) {
        const vector_t *const vector = &vectors[number - 1u];
        name = vector->name;
        failed = false;
        difference.where = NULL;
        if (skips(vector)) {
            count_skipped++;
        } else {
            tell_difference(vector, run(vector));
            if (failed) {
                count_failed++;
            } else {
                tell_case("ok ");
                count_passed++;
            }
        }
        tell("\n");
    }
    tell_number(count_passed);
    tell(" passed, ");
    tell_number(count_failed);
    tell(" failed, ");
    tell_number(count_skipped);
    tell(" skipped\n");
    return count_failed == 0 && count_passed != 0 ? 0 : 1;
}
