/* Stage confirm: all pairs of repetitions at one place and drift, and their statistics. SPEC.md, 8. */
#include "airmark_internal.h"

enum {
    ROWS_TOGETHER = 8,
    WORDS = 16,
    /* What things cost, SPEC.md, 8.3: about 20 instructions of a Cortex-M4 each. */
    ROWS_COST = 49,
    ROW_COST = 13,
    PAIR_COST = 9,
    TURNED_PAIR_COST = 17,
    STATISTICS_ROW_COST = 11, /* and 27/256 of the square of its numbers */
    SCORE_COST = 215,
    STEP_COST = 1450,
    NARROW_COST = 30 /* left of a step at 8 kHz */
};

/* Whether a step can afford that much more; then it is spent. */
static inline bool spend(uint32_t *cost, uint32_t more)
{
    *cost += more;
    return *cost <= STEP_COST;
}

/* Where row x starts in a triangle of pairs x < y < repetitions, as if it began with y = 0. */
static inline uint32_t row_start(uint32_t x, uint32_t repetitions)
{
    return x * (repetitions - 1u) - x * (x + 1u) / 2u - 1u;
}

/* What am_band_words gives of four frames, with the band chosen but once. */
#define FOUR_FRAMES(b) \
    for (uint32_t i = 0; i < AM_BLOCK_FRAMES; i++) { \
        am_band_words(detector, slot, (b), words); \
        words += 4; \
        slot = slot + 1u == AIRMARK_RING ? 0u : slot + 1u; \
    }

/* The band's words of a repetition's four frames: of each real and imaginary first, real and imaginary second. */
static void block_words(const airmark_t *detector, uint32_t b, uint32_t repetition, uint32_t *words)
{
    uint32_t slot = am_slot(detector, detector->place + AM_BLOCK_FRAMES * repetition);
    if (b == 0) {
        FOUR_FRAMES(0u)
    } else if (b == 1) {
        FOUR_FRAMES(1u)
    } else if (b == 2) {
        FOUR_FRAMES(2u)
    } else {
        FOUR_FRAMES(3u)
    }
}

/* Bits in which x and y differ, 0..512. */
static inline uint32_t count_apart(const uint32_t x[WORDS], const uint32_t y[WORDS])
{
    uint32_t planes[5];
#define TAKE(i, a, b) \
    do { \
        uint32_t c, d; \
        AM_LOAD_TWO(x, i, a, b); \
        AM_LOAD_TWO(y, i, c, d); \
        (a) ^= c; \
        (b) ^= d; \
    } while (0)
    AM_PLANES16(TAKE, planes);
#undef TAKE
    return am_ones_of_planes(planes);
}

/* Whether a turn is too far from the next quarter turn to be taken for it: 31.6 degrees. */
static inline bool is_turned(uint32_t index)
{
    return ((index + 45u) & 127u) > 90u;
}

/*
 * c of SPEC.md, 8.1, of an earlier block x and a later block y; turned: (real, imaginary) of y as (-imaginary, real). index:
 * of the turn that undoes the drift.
 */
static inline int32_t pair_value(const uint32_t x[WORDS], const uint32_t y[WORDS], const uint32_t turned[WORDS],
                                 int32_t lanes, uint32_t index)
{
    /*
     * rho is 4 n_b less the bits in which the real or the imaginary parts differ. From y turned x differs in 256 + iota
     * bits: half of its words are inverted, with the bits in them that are not used.
     */
    if (is_turned(index)) {
        const uint32_t turn = am_wave(index);
        const int32_t rho = lanes - (int32_t)count_apart(x, y);
        const int32_t iota = (int32_t)count_apart(x, turned) - 256;
        return am_shift(rho * am_low(turn) - iota * am_high(turn) + (1 << 15), 16);
    }
    const uint32_t quarter = (index + 64u) >> 7;
    int32_t part = (quarter & 1u) == 0 ? lanes - (int32_t)count_apart(x, y) : 256 - (int32_t)count_apart(x, turned);
    part = (quarter & 2u) == 0 ? part : -part;
    return am_shift(part + 1, 1);
}

/* Remembers where the next step goes on; false. */
static inline bool stop_at(airmark_t *detector, uint32_t x0, uint32_t y, uint32_t i)
{
    detector->pair_x = (uint8_t)x0;
    detector->pair_y = (uint8_t)y;
    detector->pair_i = (uint8_t)i;
    return false;
}

/* Pairs of a band from where the last step came to, until they are done (true) or the next can't be afforded. */
static bool take_pairs(airmark_t *detector, uint32_t b, uint32_t repetitions, uint32_t *cost)
{
    const int32_t lanes = AM_BLOCK_FRAMES * am_used(detector, b);
    const uint32_t turn_of_repetition = am_turn_of_repetition(b, detector->drift_ppm_q4);
    uint32_t *const rows = detector->work; /* its first half is free between frames */
    uint32_t y = detector->pair_y + 1u;
    uint32_t i = detector->pair_i;
    for (uint32_t x0 = detector->pair_x; x0 + 1u < repetitions; x0 += ROWS_TOGETHER, y = x0 + 1u) {
        if (!spend(cost, ROWS_COST)) {
            return stop_at(detector, x0, y - 1u, i);
        }
        for (uint32_t k = 0; k < ROWS_TOGETHER; k++) {
            block_words(detector, b, x0 + k, rows + WORDS * k);
        }
        for (; y < repetitions; y++, i = 0) {
            if (!spend(cost, ROW_COST)) {
                return stop_at(detector, x0, y - 1u, i);
            }
            uint32_t words[WORDS];
            uint32_t turned[WORDS];
            block_words(detector, b, y, words);
            for (uint32_t k = 0; k < WORDS; k += 2) {
                turned[k] = ~words[k + 1u];
                turned[k + 1u] = words[k];
            }
            int8_t *value = &detector->scratch.confirm.gram[row_start(x0 + i, repetitions) + y];
            uint32_t turn = (y - x0 - i) * turn_of_repetition + (uint32_t)AM_HALF_512TH;
            for (; i < ROWS_TOGETHER && x0 + i < y; i++, turn -= turn_of_repetition) {
                const uint32_t index = am_512ths(turn);
                if (!spend(cost, is_turned(index) ? (uint32_t)TURNED_PAIR_COST : (uint32_t)PAIR_COST)) {
                    return stop_at(detector, x0, y - 1u, i);
                }
                *value = (int8_t)pair_value(rows + WORDS * i, words, turned, lanes, index);
                value += repetitions - 2u - x0 - i;
            }
        }
    }
    return true;
}

#if AIRMARK_DSP && !defined(__ARM_BIG_ENDIAN)

/* Four bytes as two pairs of 16-bit numbers: (first, third) and (second, fourth). */
typedef struct {
    int32_t odd;
    int32_t even;
} four_t;

static inline four_t spread(uint32_t bytes)
{
    const four_t four = {am_sxtb16(am_signed(bytes)), am_sxtb16_ror8(am_signed(bytes))};
    return four;
}

static inline uint32_t load_bytes(const int8_t *from)
{
    uint32_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

static inline int32_t dot_of_fours(four_t a, four_t b)
{
    return am_smlad(a.odd, b.odd, am_smuad(a.even, b.even));
}

/*
 * The sum over y of c[x][y] times the sum over w > y of c[x][w] c[y][w], for one row x of `count` numbers and the rows of all
 * y behind it. Numbers are taken in fours that end with the rows' ends, which all rows share.
 */
static AM_NOT_INLINE int32_t triples_of_row(const int8_t *row, uint32_t count)
{
    const int8_t *const end = row + count;
    int32_t triples = 0;
    for (uint32_t done = 0; done + 1u < count; done += 4) {
        const int8_t *at = end - done - 4; /* the next row ends one number less further on than the last one did */
        const int8_t *value = row;
        const four_t four = spread(load_bytes(at));
        uint32_t left = count - 1u;
        for (; left >= done + 5u; left -= 2) {
            at += left;
            triples += *value++ * dot_of_fours(spread(load_bytes(at)), four);
            at += left - 1u;
            triples += *value++ * dot_of_fours(spread(load_bytes(at)), four);
        }
        /* Rows that have fewer than four numbers left: what lies before them does not count. */
        for (; left > done; left--) {
            at += left;
            uint32_t bytes = load_bytes(at);
            if (left < done + 4u) {
                bytes &= 0xFFFFFFFFu << (8u * (4u - (left - done)));
            }
            triples += *value++ * dot_of_fours(spread(bytes), four);
        }
    }
    return triples;
}

/* The sums of a row's numbers times the signs before `signs_end`, and of their squares. */
static AM_NOT_INLINE void sums_of_row(const int8_t *row, uint32_t count, const int8_t *signs_end, int32_t *agreement,
                               uint32_t *variance)
{
    const int8_t *at = row + count;
    int32_t sum = 0;
    int32_t squares = 0;
    while (count > 0) {
        at -= 4;
        signs_end -= 4;
        uint32_t bytes = load_bytes(at);
        if (count < 4) {
            bytes &= 0xFFFFFFFFu << (8u * (4u - count));
        }
        const four_t four = spread(bytes);
        sum += dot_of_fours(four, spread(load_bytes(signs_end)));
        squares += dot_of_fours(four, four);
        count -= count < 4 ? count : 4u;
    }
    *agreement += sum;
    *variance += (uint32_t)squares;
}

#else

static AM_NOT_INLINE int32_t triples_of_row(const int8_t *row, uint32_t count)
{
    const int8_t *next = row + count;
    int32_t triples = 0;
    for (uint32_t i = 0; i < count; i++) {
        int32_t sum = 0;
        for (uint32_t w = i + 1u; w < count; w++) {
            sum += row[w] * *next++;
        }
        triples += row[i] * sum;
    }
    return triples;
}

static AM_NOT_INLINE void sums_of_row(const int8_t *row, uint32_t count, const int8_t *signs_end, int32_t *agreement,
                               uint32_t *variance)
{
    const int8_t *const signs = signs_end - count;
    for (uint32_t i = 0; i < count; i++) {
        *agreement += row[i] * signs[i];
        *variance += (uint32_t)(row[i] * row[i]);
    }
}

#endif

/*
 * 8.2: a band's Q, V, T, added to its group's, row by row from where the last step came to, until they are done (true) or the
 * next row can't be afforded.
 */
static bool take_statistics(airmark_t *detector, uint32_t b, uint32_t repetitions, uint32_t column, uint32_t *cost)
{
    const uint32_t group = b / AM_LOW_BANDS;
    int8_t signs[4 + AIRMARK_REPETITIONS]; /* kernels read words that begin before the first */
    signs[0] = signs[1] = signs[2] = signs[3] = 0;
    for (uint32_t x = detector->pair_y; x < repetitions; x++) {
        signs[4u + x] = (int8_t)(1 - 2 * (int32_t)(column >> (31u - x) & 1u));
    }
    for (uint32_t x = detector->pair_y; x + 1u < repetitions; x++) {
        const uint32_t others = repetitions - 1u - x;
        if (!spend(cost, (27u * others * others >> 8) + STATISTICS_ROW_COST)) {
            return stop_at(detector, repetitions, x, 0);
        }
        const int8_t *const row = &detector->scratch.confirm.gram[row_start(x, repetitions) + x + 1u];
        int32_t agreement = 0;
        sums_of_row(row, others, signs + 4 + repetitions, &agreement, &detector->variance[group]);
        detector->agreement[group] += signs[4u + x] * agreement;
        detector->third[group] += triples_of_row(row, others);
    }
    AM_TAP_CANDIDATE(detector, AM_TAP_CONFIRM, &detector->queue[0]);
    AM_TAP(detector, AM_TAP_CONFIRM, detector->place);
    AM_TAP(detector, AM_TAP_CONFIRM, b);
    AM_TAP(detector, AM_TAP_CONFIRM, detector->agreement[group]);
    AM_TAP(detector, AM_TAP_CONFIRM, detector->variance[group]);
    AM_TAP(detector, AM_TAP_CONFIRM, detector->third[group]);
    AM_TAP(detector, AM_TAP_CONFIRM, (uint64_t)detector->third[group] >> 32);
    AM_TAP(detector, AM_TAP_CONFIRM,
           AIRMARK_TAP_CRC(detector->scratch.confirm.gram, repetitions * (repetitions - 1u) / 2u));
    return true;
}

bool airmark_confirm(airmark_t *detector)
{
    const airmark_place_t *const candidate = &detector->queue[0];
    const bool half = candidate->half != 0;
    const uint32_t repetitions = half ? AIRMARK_REPETITIONS / 2 : AIRMARK_REPETITIONS;
    const bool narrow = detector->config.rate == 8000u;
    uint32_t cost = narrow ? NARROW_COST : 0u;
    for (;;) {
        const uint32_t b = detector->pair_band;
        if (b == (narrow ? (uint32_t)AM_LOW_BANDS : (uint32_t)AIRMARK_BANDS)) {
            return spend(&cost, SCORE_COST);
        }
        if (detector->pair_x < repetitions) {
            if (!take_pairs(detector, b, repetitions, &cost)) {
                return false;
            }
            (void)stop_at(detector, repetitions, 0, 0);
        }
        if (!take_statistics(detector, b, repetitions, detector->config.keys[candidate->key].columns[b], &cost)) {
            return false;
        }
        detector->pair_band = (uint8_t)(b + 1u);
        (void)stop_at(detector, 0, 0, 0);
    }
}
