/*
 * soak: push sound through one detector for days, made on the way, and tell what it finds. tests/soak/run builds and feeds it.
 *
 * Input, numbers in text: rate, early, first sample, samples; four keys of four words, the last two of which mark nothing; then
 * for each mark, in order of start, its first sample (of the stream, from 0), length, step, seed, key's index, and four
 * amplitudes (sound.h has what they are).
 * Between and beneath marks: stretches of noise, silence, tones and gated noise, every 10 s another.
 *
 * Output, lines of a word and numbers:
 *
 *     found SAMPLE AT SCORE DRIFT KEY EARLY  a detection, and the samples (of the stream, from 0) taken when it was told
 *     at SAMPLES                             now and then
 *     end DROPPED CANDIDATES CONFIRMED       and, at least, how often a candidate was queued and got as far as its confirmation
 *
 * Exit status: 0, 2: the input is wrong, 3: the detector broke a promise of airmark.h, which stderr names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airmark_internal.h"

#include "../vectors/sound.h"

#define GUARD 0xA5C3F00Du
#define PROMISED(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "not so at sample %" PRIu64 ": %s\n", taken_in_all, #condition); \
            exit(3); \
        } \
    } while (0)

enum { KEYS = 4, PIECE = 4096, GUARDS = 16, ACTIVE = 4, STRETCH_S = 10, TOLD_EVERY = 1 << 26 };

/* On the heap, with nothing but guards about the detector: what strays further meets the address sanitizer, if there is one. */
typedef struct {
    uint32_t before[GUARDS];
    airmark_t detector;
    uint32_t after[GUARDS];
} guarded_t;

typedef struct {
    uint64_t start;
    sound_layer_t layer;
} mark_t;

static uint64_t taken_in_all;

static airmark_key_t keys[KEYS];

/* ---- sound ------------------------------------------------------------------------------------------------------ */

static mark_t active[ACTIVE];
static size_t active_count;
static mark_t coming;
static bool is_coming;

static void read_mark(void)
{
    mark_t mark = {0, {.kind = SOUND_MARK}};
    uint32_t key;
    sound_layer_t *const layer = &mark.layer;
    const int numbers = scanf("%" SCNu64 "%" SCNu32 "%" SCNu32 "%" SCNu32 "%" SCNu32 "%" SCNd32 "%" SCNd32 "%" SCNd32 "%" SCNd32,
                              &mark.start, &layer->length, &layer->step, &layer->seed, &key, &layer->amplitudes[0],
                              &layer->amplitudes[1], &layer->amplitudes[2], &layer->amplitudes[3]);
    is_coming = numbers == 9 && key < KEYS;
    if (!is_coming && numbers != EOF) {
        exit(2);
    }
    if (is_coming) {
        memcpy(layer->columns, keys[key].columns, sizeof layer->columns);
        coming = mark;
    }
}

/* What lies beneath marks, for STRETCH_S; `at`: of the stretch. */
static int32_t beneath(uint32_t at, uint32_t rate)
{
    static uint32_t draws = 0x50414B21u;
    static sound_layer_t noise = {.kind = SOUND_NOISE};
    static sound_layer_t tone = {.kind = SOUND_SQUARE};
    if (at == 0) {
        static const int32_t loudness[8] = {4000, 4000, 2000, 700, 150, 0, 1000, 3000};
        draws = sound_draw(draws);
        noise.seed = draws;
        noise.amplitude = loudness[draws >> 29];
        noise.period = 0;
        if ((draws >> 26 & 7u) == 0) {
            /* Gated, up to 16 times a second. */
            noise.period = rate / (1u + (draws >> 8 & 15u));
            noise.burst = noise.period / 4u;
        }
        tone.step = draws << 4 >> 3;
        tone.high = (draws >> 23 & 7u) == 0 ? 1500 : 0;
        tone.low = -tone.high;
    }
    return sound_of_layer(&noise, at) + (tone.high != 0 ? sound_of_layer(&tone, at) : 0);
}

static void make(int16_t *samples, uint32_t count, uint64_t from, uint32_t rate)
{
    static uint32_t at;
    for (uint32_t i = 0; i < count; i++) {
        int32_t sum = beneath(at, rate);
        at = at + 1u == STRETCH_S * rate ? 0u : at + 1u;
        while (is_coming && coming.start == from + i) {
            if (active_count == ACTIVE) {
                exit(2);
            }
            active[active_count++] = coming;
            read_mark();
        }
        for (size_t k = 0; k < active_count; k++) {
            mark_t *const mark = &active[k];
            const uint32_t n = (uint32_t)(from + i - mark->start);
            if (n == mark->layer.length) {
                *mark = active[--active_count];
                k--;
                continue;
            }
            sum += sound_of_layer(&mark->layer, n);
        }
        samples[i] = (int16_t)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
    }
}

/* ---- the detector ------------------------------------------------------------------------------------------------ */

static void check_guards(const guarded_t *guarded)
{
    for (uint32_t i = 0; i < GUARDS; i++) {
        PROMISED(guarded->before[i] == GUARD + i);
        PROMISED(guarded->after[i] == GUARD + i);
    }
}

int main(void)
{
    uint32_t early;
    airmark_config_t config = AIRMARK_CONFIG(0, keys, KEYS);
    uint64_t length;
    bool is_read = scanf("%" SCNu32 "%" SCNu32 "%" SCNu64 "%" SCNu64, &config.rate, &early, &config.first_sample, &length) == 4;
    config.early = early != 0;
    for (uint32_t i = 0; is_read && i < KEYS * AIRMARK_BANDS; i++) {
        is_read = scanf("%" SCNu32, &keys[i / AIRMARK_BANDS].columns[i % AIRMARK_BANDS]) == 1;
    }
    guarded_t *const guarded = malloc(sizeof *guarded);
    if (!is_read || guarded == NULL) {
        return 2;
    }
    read_mark();
    memset(guarded, 0xDB, sizeof *guarded);
    for (uint32_t i = 0; i < GUARDS; i++) {
        guarded->before[i] = guarded->after[i] = GUARD + i;
    }
    airmark_t *const detector = &guarded->detector;
    if (airmark_init(detector, &config) != AIRMARK_OK) {
        return 2;
    }
    static int16_t piece[PIECE];
    uint32_t cuts = 0x12345679u;
    uint64_t candidates = 0;
    uint64_t confirmed = 0;
    while (taken_in_all < length) {
        const uint32_t count = length - taken_in_all < PIECE ? (uint32_t)(length - taken_in_all) : (uint32_t)PIECE;
        make(piece, count, taken_in_all, config.rate);
        for (uint32_t done = 0; done < count;) {
            /* Pieces of up to 511 samples: any cut happens. */
            cuts = sound_draw(cuts);
            const uint32_t most = 1u + cuts % 511u;
            const uint32_t given = most < count - done ? most : count - done;
            const uint32_t queued = detector->queued;
            const bool was_confirming = detector->step >= AM_TEMPLATE_STEPS;
            airmark_detection_t d;
            bool found;
            const size_t taken = airmark_push(detector, piece + done, given, 1, &d, &found);
            PROMISED(taken > 0 && taken <= given);
            PROMISED(found || taken == given);
            done += (uint32_t)taken;
            taken_in_all += taken;
            candidates += detector->queued > queued;
            confirmed += !was_confirming && detector->step >= AM_TEMPLATE_STEPS;
            if (found) {
                printf("found %" PRIu64 " %" PRIu64 " %" PRId32 " %" PRId32 " %u %d\n", d.sample, taken_in_all, d.score_q8,
                       d.drift_ppm_q4, d.key, d.early);
            }
        }
        check_guards(guarded);
        PROMISED(memcmp(&detector->config, &config, sizeof config) == 0);
        if (taken_in_all % TOLD_EVERY < PIECE) {
            printf("at %" PRIu64 "\n", taken_in_all);
            fflush(stdout);
        }
    }
    printf("end %u %" PRIu64 " %" PRIu64 "\n", airmark_dropped(detector), candidates, confirmed);
    free(guarded);
    return 0;
}
