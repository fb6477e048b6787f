/*
 * check CASES: run the detector on what tests/mutants/run has made with the model, and end with status 1 and one line at the
 * first case in which any tapped stage, a detection, or the level and the dropped candidates after any push differ.
 *
 * CASES, all 32-bit words: a count of sums of stage statistic and six words of each (see run_sum), then of each case the count of its words, rate, early, threshold, first sample (low, high), stride,
 * samples a push, count of segments, of each segment its first sample and how many keys with their words (none: a reset),
 * samples, the words that hold them, the counts and checksums of all stages, and those of detections and of pushes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "airmark_internal.h"

#include "../vectors/crc32.h"

typedef struct {
    uint32_t count;
    uint32_t sum;
} tally_t;

static tally_t tallies[AM_TAP_STAGES + 2];

void mutant_tap(uint32_t stage, uint32_t value)
{
    tally_t *const tally = &tallies[stage];
    tally->count++;
    tally->sum = (tally->sum ^ value) * 0x9E3779B1u;
    tally->sum ^= tally->sum >> 15;
}

uint32_t mutant_crc(const void *bytes, size_t count)
{
    return crc32_of(bytes, count);
}

/* The state with room behind it, so that a seeded error that writes there is found by what it computes. */
static struct {
    airmark_t detector;
    uint32_t behind[1024];
} state;
static airmark_key_t keys[AIRMARK_MAX_KEYS];
static airmark_key_t *const own_keys = keys;

static uint32_t run_case(const uint32_t *w)
{
    airmark_config_t config = {w[0], own_keys, 0, w[1] != 0, (uint16_t)w[2], (uint64_t)w[4] << 32 | w[3]};
    const uint32_t stride = w[5];
    const uint32_t block = w[6];
    const uint32_t segments = w[7];
    const uint32_t *const first = w + 8;
    w = first;
    for (uint32_t i = 0; i < segments; i++) {
        w += 2 + AIRMARK_BANDS * w[1];
    }
    const uint32_t samples = *w++;
    const int16_t *const sound = (const int16_t *)(const void *)w;
    w += (samples * stride + 1) / 2;
    memset(tallies, 0, sizeof tallies);
    const uint32_t *segment = first;
    for (uint32_t i = 0; i < segments; i++) {
        const uint32_t start = segment[0];
        const uint32_t count = segment[1];
        if (count > 0) {
            for (uint32_t key = 0; key < count; key++) {
                memcpy(keys[key].columns, segment + 2 + AIRMARK_BANDS * key, sizeof keys[key].columns);
            }
            config.key_count = (uint8_t)count;
            if (airmark_init(&state.detector, &config) != AIRMARK_OK) {
                return AM_TAP_STAGES + 3;
            }
        } else {
            airmark_reset(&state.detector);
        }
        segment += 2 + AIRMARK_BANDS * count;
        const uint32_t end = i + 1 < segments ? segment[0] : samples;
        for (uint32_t from = start; from < end; from += block) {
            const uint32_t to = block < end - from ? from + block : end;
            for (uint32_t done = from; done < to;) {
                airmark_detection_t d;
                bool found;
                const size_t taken =
                    airmark_push(&state.detector, sound + (size_t)done * stride, to - done, stride, &d, &found);
                if (taken == 0 || taken > to - done) {
                    return AM_TAP_STAGES + 3;
                }
                done += (uint32_t)taken;
                if (found) {
                    const uint32_t told[7] = {(uint32_t)d.sample, (uint32_t)(d.sample >> 32), (uint32_t)d.score_q8,
                                              (uint32_t)d.drift_ppm_q4, d.key, d.early, done - start};
                    for (uint32_t k = 0; k < 7; k++) {
                        mutant_tap(AM_TAP_STAGES, told[k]);
                    }
                }
            }
            mutant_tap(AM_TAP_STAGES + 1, airmark_score_q8(&state.detector));
            mutant_tap(AM_TAP_STAGES + 1, airmark_dropped(&state.detector));
        }
    }
    for (uint32_t i = 0; i < AM_TAP_STAGES + 2; i++) {
        if (tallies[i].count != w[2 * i] || tallies[i].sum != w[2 * i + 1]) {
            return i + 1;
        }
    }
    return 0;
}

/* kind, a (low, high), b (low, high), and what comes of them. */
static bool run_sum(const uint32_t w[6])
{
    const uint64_t a = (uint64_t)w[2] << 32 | w[1];
    switch (w[0]) {
    case 0:
        return airmark_divide(a, w[3]) == w[5];
    case 1:
        return airmark_square_root(a) == w[5];
    case 2:
        return airmark_cube_root(a) == w[5];
    default:
        return airmark_statistic((int32_t)w[3], w[4], (int64_t)a) == (int32_t)w[5];
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"",          "input", "frames",     "screen",   "candidates", "drift", "place", "confirm",
                                        "statistic", "peaks", "detections", "pushes", "use"};
    FILE *const file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL) {
        return 2;
    }
    uint32_t words;
    uint32_t sums;
    if (fread(&sums, sizeof sums, 1, file) != 1) {
        return 2;
    }
    for (; sums > 0; sums--) {
        uint32_t sum[6];
        if (fread(sum, sizeof sum, 1, file) != 1) {
            return 2;
        }
        if (!run_sum(sum)) {
            printf("-1 statistic\n");
            return 1;
        }
    }
    memset(&state, 0xDB, sizeof state);
    for (int i = 0; fread(&words, sizeof words, 1, file) == 1; i++) {
        uint32_t *const of_case = malloc(words * sizeof words);
        if (of_case == NULL || fread(of_case, sizeof words, words, file) != words) {
            return 2;
        }
        const uint32_t stage = run_case(of_case);
        free(of_case);
        if (stage != 0) {
            printf("%d %s\n", i, names[stage]);
            return 1;
        }
    }
    return 0;
}
