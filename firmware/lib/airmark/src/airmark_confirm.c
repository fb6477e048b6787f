/* Stage confirm: all pairs of rows at one place and drift, and their statistics. SPEC.md, 8. */
#include "airmark_internal.h"

enum { ROWS = AIRMARK_ROWS, ROWS_TOGETHER = 3, WORDS = 16, STEPS_A_BAND = 5 };

/*
 * Where each step of a band begins: pairs go by blocks of three rows x, in a block by y, then by x. SPEC.md, 8.4. The last
 * step also does the statistics.
 */
typedef struct {
    uint8_t x;
    uint8_t y;
} begin_t;

static const begin_t begins[STEPS_A_BAND + 1] = {{0, 1}, {0, 11}, {3, 9}, {6, 10}, {9, 14}, {15, 16}};

/*
 * A row, SPEC.md, 8.1: of four frames the real and imaginary first, real and imaginary second words of a band. A lane's
 * part is 0 where the mask is 0, else 1 or, where the sign is 1, -1.
 */
typedef struct {
    uint32_t sign[WORDS];
    uint32_t mask[WORDS];
} row_t;

/* Where row x starts in a triangle of pairs x < y < ROWS, as if it began with y = 0. */
static inline uint32_t row_start(uint32_t x)
{
    return x * (ROWS - 1u) - x * (x + 1u) / 2u - 1u;
}

/* The four frames of the block that begins with frame `frame`. */
static void block_words(const airmark_t *detector, uint32_t frame, uint32_t b, uint32_t *words)
{
    uint32_t slot = am_slot(detector, frame);
    for (uint32_t i = 0; i < AM_BLOCK_FRAMES; i++) {
        am_band_words(detector, slot, b, words);
        words += 4;
        slot = slot + 1u == AIRMARK_RING ? 0u : slot + 1u;
    }
}

/* Row number x of a whole mark is the mean of two repetitions, the second one's sign brought to the first's; of a half one. */
static void make_row(const airmark_t *detector, uint32_t b, uint32_t x, bool half, uint32_t column, row_t *row)
{
    const uint32_t *const lanes = am_lanes(detector, b);
    if (half) {
        block_words(detector, detector->place + AM_BLOCK_FRAMES * x, b, row->sign);
        for (uint32_t i = 0; i < WORDS; i += 4) {
            row->mask[i] = row->mask[i + 1u] = lanes[0];
            row->mask[i + 2u] = row->mask[i + 3u] = lanes[1];
        }
        return;
    }
    /* Bits 31 - 2 x and 30 - 2 x of the key: unlike signs turn the second repetition round. */
    const uint32_t unlike = ((column ^ column << 1) << (2u * x) & 0x80000000u) != 0 ? 0u : 0xFFFFFFFFu;
    block_words(detector, detector->place + 2u * AM_BLOCK_FRAMES * x, b, row->sign);
    block_words(detector, detector->place + 2u * AM_BLOCK_FRAMES * x + AM_BLOCK_FRAMES, b, row->mask);
    for (uint32_t i = 0; i < WORDS; i += 4) {
        row->mask[i] = (row->sign[i] ^ row->mask[i] ^ unlike) & lanes[0];
        row->mask[i + 1u] = (row->sign[i + 1u] ^ row->mask[i + 1u] ^ unlike) & lanes[0];
        row->mask[i + 2u] = (row->sign[i + 2u] ^ row->mask[i + 2u] ^ unlike) & lanes[1];
        row->mask[i + 3u] = (row->sign[i + 3u] ^ row->mask[i + 3u] ^ unlike) & lanes[1];
    }
}

/* Adds two words to those counted: the sum's low bits stay in `sum`, `carry` has twice their weight. */
#define ADD2(sum, a, b, carry) ((sum) = am_add3((sum), (a), (b), &(carry)))
#define ADD1(sum, a, carry) ((carry) = (sum) & (a), (sum) ^= (a))

/* Ones in 16 words W(0) to W(15), 0..512: in a tree of full adders, up to planes of weight 16. */
#define COUNT16(W, count) \
    do { \
        uint32_t ones = W(0), twos, fours, eights, sixteens, c1, c2, c3, d1, d2, d3; \
        ADD2(ones, W(1), W(2), twos); \
        ADD2(ones, W(3), W(4), c1); \
        ADD2(ones, W(5), W(6), c2); \
        ADD2(twos, c1, c2, d1); \
        AM_IN_ORDER(); \
        ADD2(ones, W(7), W(8), c1); \
        ADD2(ones, W(9), W(10), c2); \
        ADD2(twos, c1, c2, d2); \
        AM_IN_ORDER(); \
        ADD2(ones, W(11), W(12), c1); \
        ADD2(ones, W(13), W(14), c2); \
        ADD2(twos, c1, c2, d3); \
        ADD1(ones, W(15), c3); \
        AM_IN_ORDER(); \
        fours = am_add3(d1, d2, d3, &eights); \
        ADD1(twos, c3, d1); \
        ADD1(fours, d1, d2); \
        ADD1(eights, d2, sixteens); \
        (count) = am_ones_of_planes(ones, twos, fours, eights, sixteens); \
    } while (0)

/* One word of lanes that count in both rows, and of those whose signs are unlike. */
#define TAKE(i) \
    do { \
        both = x->mask[i] & y->mask[i]; \
        unlike = both & (x->sign[i] ^ y->sign[i]); \
    } while (0)
/* Two further words into both trees, their carries into carry and unlike_carry. */
#define TAKE2(i, carry, unlike_carry) \
    do { \
        TAKE(i); \
        const uint32_t first = both; \
        const uint32_t unlike_first = unlike; \
        TAKE((i) + 1); \
        ADD2(ones, first, both, carry); \
        ADD2(unlike_ones, unlike_first, unlike, unlike_carry); \
        AM_IN_ORDER(); \
    } while (0)

/* Sum of the products of two rows' parts, -464..464: those that count in both, less twice those of unlike signs. */
static int32_t product(const row_t *x, const row_t *y)
{
    uint32_t both, unlike;
    uint32_t ones, twos, fours, eights, sixteens, c1, c2, c3, d1, d2, d3;
    uint32_t unlike_ones, unlike_twos, unlike_fours, unlike_eights, unlike_sixteens, e1, e2, e3, f1, f2, f3;
    TAKE(0);
    ones = both;
    unlike_ones = unlike;
    TAKE2(1, twos, unlike_twos);
    TAKE2(3, c1, e1);
    TAKE2(5, c2, e2);
    ADD2(twos, c1, c2, d1);
    ADD2(unlike_twos, e1, e2, f1);
    TAKE2(7, c1, e1);
    TAKE2(9, c2, e2);
    ADD2(twos, c1, c2, d2);
    ADD2(unlike_twos, e1, e2, f2);
    TAKE2(11, c1, e1);
    TAKE2(13, c2, e2);
    ADD2(twos, c1, c2, d3);
    ADD2(unlike_twos, e1, e2, f3);
    TAKE(15);
    ADD1(ones, both, c3);
    ADD1(unlike_ones, unlike, e3);
    AM_IN_ORDER();
    fours = am_add3(d1, d2, d3, &eights);
    ADD1(twos, c3, d1);
    ADD1(fours, d1, d2);
    ADD1(eights, d2, sixteens);
    const uint32_t counted = am_ones_of_planes(ones, twos, fours, eights, sixteens);
    unlike_fours = am_add3(f1, f2, f3, &unlike_eights);
    ADD1(unlike_twos, e3, f1);
    ADD1(unlike_fours, f1, f2);
    ADD1(unlike_eights, f2, unlike_sixteens);
    return (int32_t)counted -
           2 * (int32_t)am_ones_of_planes(unlike_ones, unlike_twos, unlike_fours, unlike_eights, unlike_sixteens);
}

/* y with its imaginary parts in place of its real ones, and these, their signs inverted, in place of those: see iota. */
static void turn_row(const row_t *y, row_t *turned)
{
    for (uint32_t i = 0; i < WORDS; i += 2) {
        turned->sign[i] = y->sign[i + 1u];
        turned->sign[i + 1u] = ~y->sign[i];
        turned->mask[i] = y->mask[i + 1u];
        turned->mask[i + 1u] = y->mask[i];
    }
}

/* 8.2 for the pairs from `begin` up to, without, `end`. */
static void take_pairs(airmark_t *detector, uint32_t b, bool half, uint32_t column, begin_t begin, begin_t end)
{
    uint32_t turns[ROWS];
    for (uint32_t lag = 1; lag < (uint32_t)ROWS - begin.x; lag++) {
        turns[lag] = am_turn(b, (int32_t)(half ? lag : 2u * lag), detector->drift_ppm_q4);
    }
    uint32_t y = begin.y;
    for (uint32_t x0 = begin.x; x0 < end.x || (x0 == end.x && y < end.y); x0 += ROWS_TOGETHER) {
        const uint32_t stop = x0 == end.x ? end.y : (uint32_t)ROWS;
        row_t rows[ROWS_TOGETHER];
        for (uint32_t i = 0; i < ROWS_TOGETHER; i++) {
            make_row(detector, b, x0 + i, half, column, &rows[i]);
        }
        for (; y < stop; y++) {
            row_t row;
            row_t turned;
            make_row(detector, b, y, half, column, &row);
            turn_row(&row, &turned);
            for (uint32_t x = x0; x < x0 + ROWS_TOGETHER && x < y; x++) {
                const int32_t rho = product(&rows[x - x0], &row);
                const int32_t iota = product(&rows[x - x0], &turned);
                const uint32_t turn = turns[y - x];
                detector->scratch.gram[row_start(x) + y] =
                    (int16_t)am_shift(rho * am_low(turn) - iota * am_high(turn) + (1 << 14), 15);
            }
        }
        y = x0 + ROWS_TOGETHER + 1u;
    }
}

/* 8.3: a band's Q, V, T, added to its group's. */
static void take_statistics(airmark_t *detector, uint32_t b, bool half, uint32_t column)
{
    const int16_t *row = detector->scratch.gram; /* y = x + 1 and on */
    int32_t agreement = 0;
    uint32_t variance = 0;
    int64_t third = 0;
    for (uint32_t x = 0; x < ROWS; x++) {
        const uint32_t others = ROWS - 1u - x;
        const int16_t *next = row + others;
        /* A one where the sign is not that of row x; the next one topmost. */
        uint32_t unlike = column << (half ? x : 2u * x);
        unlike ^= 0u - (unlike >> 31);
        for (uint32_t i = 0; i < others; i++) {
            const int32_t value = row[i];
            int32_t sum = 0;
            unlike <<= half ? 1 : 2;
            agreement += (unlike & 0x80000000u) != 0 ? -value : value;
            variance += (uint32_t)(value * value);
            for (uint32_t w = i + 1u; w < others; w++) {
                sum += row[w] * *next++;
            }
            third += (int64_t)value * sum;
        }
        row += others;
        if (!half) {
            /* What the row's two repetitions have in common: their masks tell. */
            row_t pair;
            uint32_t alike;
            make_row(detector, b, x, half, column, &pair);
#define ALIKE(i) pair.mask[i]
            COUNT16(ALIKE, alike);
#undef ALIKE
            const int32_t within = am_shift((int32_t)alike - AM_BLOCK_FRAMES * am_used(detector, b) + 1, 1);
            agreement += within;
            variance += (uint32_t)(within * within);
        }
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
    const uint32_t b = step / STEPS_A_BAND;
    const uint32_t part = step % STEPS_A_BAND;
    const uint32_t column = detector->config.keys[candidate->key].columns[b];
    if (step == 0) {
        memset(detector->agreement, 0, sizeof detector->agreement);
        memset(detector->variance, 0, sizeof detector->variance);
        memset(detector->third, 0, sizeof detector->third);
    }
    take_pairs(detector, b, half, column, begins[part], begins[part + 1u]);
    if (part + 1u == STEPS_A_BAND) {
        take_statistics(detector, b, half, column);
    }
    return step + 1u == STEPS_A_BAND * AIRMARK_BANDS;
}
