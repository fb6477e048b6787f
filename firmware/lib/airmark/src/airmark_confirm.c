/* Stage confirm: all pairs of repetitions at one place and drift, and their statistics. SPEC.md, 8. */
#include "airmark_internal.h"

enum { ROWS_TOGETHER = 4, WORDS = 16, STEPS_A_BAND = 6, HALF_STEPS_A_BAND = 2 };

/* Rows of pairs that each step takes. */
static const uint8_t whole_rows[STEPS_A_BAND] = {0, 3, 7, 12, 19, AIRMARK_REPETITIONS};
static const uint8_t half_rows[HALF_STEPS_A_BAND + 1] = {0, 5, 16};

/* Where row x starts in a triangle of pairs x < y < repetitions, as if it began with y = 0. */
static inline uint32_t row_start(uint32_t x, uint32_t repetitions)
{
    return x * (repetitions - 1u) - x * (x + 1u) / 2u - 1u;
}

/* The band's words of a repetition's four frames: four of each frame. */
static void block_words(const airmark_t *detector, uint32_t b, uint32_t repetition, uint32_t words[WORDS])
{
    uint32_t slot = am_slot(detector, detector->place + AM_BLOCK_FRAMES * repetition);
    for (uint32_t frame = 0; frame < AM_BLOCK_FRAMES; frame++) {
        am_band_words(detector, slot, b, words + 4u * frame);
        slot = slot + 1u == AIRMARK_RING ? 0u : slot + 1u;
    }
}

/* P, A & B and C & P of SPEC.md, 8.1, for the real part's word `re` and the imaginary part's `im`. */
typedef struct {
    uint32_t odd;
    uint32_t both;
    uint32_t crossed;
} bits_t;

static inline bits_t compare(const uint32_t x[WORDS], const uint32_t y[WORDS], uint32_t re, uint32_t im)
{
    bits_t bits;
    const uint32_t a = x[re] ^ y[re];
    const uint32_t b = x[im] ^ y[im];
    bits.odd = a ^ b;
    bits.both = a & b;
    bits.crossed = (y[re] ^ x[im]) & bits.odd;
    return bits;
}

/* c of SPEC.md, 8.1, of an earlier block x and a later block y. */
static inline int32_t pair_value(const uint32_t x[WORDS], const uint32_t y[WORDS], int32_t lanes, uint32_t turn)
{
    am_counter_t odd;
    am_counter_t both;
    am_counter_t crossed;
    bits_t first = compare(x, y, 0, 2);
    bits_t second = compare(x, y, 1, 3);
    bits_t third = compare(x, y, 4, 6);
    am_count(&odd, 0, first.odd, second.odd, third.odd);
    am_count(&both, 0, first.both, second.both, third.both);
    am_count(&crossed, 0, first.crossed, second.crossed, third.crossed);
    first = compare(x, y, 5, 7);
    second = compare(x, y, 8, 10);
    am_count(&odd, 1, 0, first.odd, second.odd);
    am_count(&both, 1, 0, first.both, second.both);
    am_count(&crossed, 1, 0, first.crossed, second.crossed);
    first = compare(x, y, 9, 11);
    second = compare(x, y, 12, 14);
    am_count(&odd, 2, 0, first.odd, second.odd);
    am_count(&both, 2, 0, first.both, second.both);
    am_count(&crossed, 2, 0, first.crossed, second.crossed);
    first = compare(x, y, 13, 15);
    const int32_t ones = (int32_t)am_counted(&odd, first.odd);
    const int32_t rho = lanes - ones - 2 * (int32_t)am_counted(&both, first.both);
    const int32_t iota = 2 * (int32_t)am_counted(&crossed, first.crossed) - ones;
    return am_shift(rho * am_low(turn) - iota * am_high(turn) + (1 << 15), 16);
}

/* 8.1 for the rows first to last - 1. */
static void take_pairs(airmark_t *detector, uint32_t b, uint32_t repetitions, uint32_t first, uint32_t last)
{
    const int32_t lanes = AM_BLOCK_FRAMES * am_used(detector, b);
    uint32_t turns[AIRMARK_REPETITIONS];
    for (uint32_t lag = 1; lag < repetitions - first; lag++) {
        turns[lag] = am_turn(b, (int32_t)lag, detector->drift_ppm_q4);
    }
    for (uint32_t x0 = first; x0 < last; x0 += ROWS_TOGETHER) {
        uint32_t rows[ROWS_TOGETHER][WORDS];
        const uint32_t rows_here = last - x0 < ROWS_TOGETHER ? last - x0 : ROWS_TOGETHER;
        for (uint32_t i = 0; i < rows_here; i++) {
            block_words(detector, b, x0 + i, rows[i]);
        }
        for (uint32_t y = x0 + 1u; y < repetitions; y++) {
            uint32_t words[WORDS];
            block_words(detector, b, y, words);
            for (uint32_t x = x0; x < x0 + rows_here && x < y; x++) {
                detector->scratch.gram[row_start(x, repetitions) + y] =
                    (int8_t)pair_value(rows[x - x0], words, lanes, turns[y - x]);
            }
        }
    }
}

/* 8.2: a band's Q, V, T, added to its group's. */
static void take_statistics(airmark_t *detector, uint32_t b, uint32_t repetitions, uint32_t column)
{
    const int8_t *const gram = detector->scratch.gram;
    int32_t agreement = 0;
    uint32_t variance = 0;
    int64_t third = 0;
    for (uint32_t x = 0; x + 1u < repetitions; x++) {
        const int8_t *const row = gram + x * (repetitions - 1u) - x * (x - 1u) / 2u; /* y = x + 1 and on */
        const uint32_t signs = column << x ^ (0u - (column << x >> 31));
        int32_t triples = 0;
        for (uint32_t i = 0; i < repetitions - 1u - x; i++) {
            const int32_t value = row[i];
            agreement += (signs << (i + 1u) & 0x80000000u) != 0 ? -value : value;
            variance += (uint32_t)(value * value);
            const uint32_t y = x + 1u + i;
            const int8_t *other = gram + y * (repetitions - 1u) - y * (y - 1u) / 2u;
            int32_t sum = 0;
            for (uint32_t w = i + 1u; w < repetitions - 1u - x; w++) {
                sum += row[w] * *other++;
            }
            triples += value * sum;
        }
        third += triples;
    }
    const uint32_t group = b / AM_LOW_BANDS;
    detector->agreement[group] += agreement;
    detector->variance[group] += variance;
    detector->third[group] += third;
}

bool airmark_confirm(airmark_t *detector, uint32_t step)
{
    const airmark_place_t *const candidate = &detector->queue[0];
    const bool half = candidate->half != 0;
    const uint32_t steps = half ? HALF_STEPS_A_BAND : STEPS_A_BAND;
    const uint32_t repetitions = half ? AIRMARK_REPETITIONS / 2 : AIRMARK_REPETITIONS;
    const uint32_t b = step / steps;
    const uint32_t part = step % steps;
    if (step == 0) {
        memset(detector->agreement, 0, sizeof detector->agreement);
        memset(detector->variance, 0, sizeof detector->variance);
        memset(detector->third, 0, sizeof detector->third);
    }
    if (half) {
        take_pairs(detector, b, repetitions, half_rows[part], half_rows[part + 1u]);
    } else if (part + 1u < steps) {
        take_pairs(detector, b, repetitions, whole_rows[part], whole_rows[part + 1u]);
    }
    if (part + 1u == steps) {
        take_statistics(detector, b, repetitions, detector->config.keys[candidate->key].columns[b]);
    }
    return step + 1u == steps * AIRMARK_BANDS;
}
