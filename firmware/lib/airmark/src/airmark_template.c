/* Stage template: the energy along the key for every drift, and whether it is worth confirming. SPEC.md, 7. */
#include "airmark_internal.h"

enum {
    LEAST_Q8 = 768,
    MAX_GROUPS = 8, /* of four repetitions, in a whole mark */
    ZERO_DRIFT = AIRMARK_DRIFTS / 2,
    DRIFT_STEP_Q4 = 400
};

/* Sums of a part: A of SPEC.md, 7.1, for all q; the energy itself has no imaginary part. */
typedef struct {
    int32_t energy;
    int32_t real[MAX_GROUPS];
    int32_t imaginary[MAX_GROUPS];
} sums_t;

/* Ones among four bits in every lane, as planes of weight 1, 2, 4. */
static inline void count4(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t planes[3])
{
    uint32_t carry;
    const uint32_t sum = am_add3(a, b, c, &carry);
    const uint32_t second = sum & d;
    planes[0] = sum ^ d;
    planes[1] = carry ^ second;
    planes[2] = carry & second;
}

/* Lanes offset, offset + 4, ... of counts in planes, as nibbles. */
static inline uint32_t nibbles(const uint32_t planes[3], uint32_t offset)
{
    return ((planes[0] >> offset) & 0x11111111u) + (((planes[1] >> offset) & 0x11111111u) << 1) +
           (((planes[2] >> offset) & 0x11111111u) << 2);
}

/* The products of group g and q groups later, added to the sums of lag q. */
#define ADD_PAIR(g, q) \
    do { \
        real = am_dot_add(z##g, z##q, real); \
        imaginary = am_cross_add(z##g, z##q, imaginary); \
    } while (0)
#define ADD_LAG(q, pairs) \
    do { \
        int32_t real = sums->real[q]; \
        int32_t imaginary = sums->imaginary[q]; \
        pairs; \
        sums->real[q] = real; \
        sums->imaginary[q] = imaginary; \
        AM_IN_ORDER(); \
    } while (0)

/* 2 minus the ones of a lane, (real, imaginary), from words that hold four lanes' nibbles in either half. */
static inline uint32_t lane_of(uint32_t word, uint32_t lane)
{
    return am_sub_pair(0x00020002u, (word >> lane) & 0x000F000Fu);
}

/* Adds the products of one lane, whose nibbles begin at bit `lane` of either half of the groups' words: all lags unrolled. */
static inline void add_lane(const uint32_t words[MAX_GROUPS], uint32_t groups, uint32_t lane, sums_t *sums)
{
    const uint32_t z0 = lane_of(words[0], lane);
    const uint32_t z1 = lane_of(words[1], lane);
    const uint32_t z2 = lane_of(words[2], lane);
    const uint32_t z3 = lane_of(words[3], lane);
    int32_t energy = am_dot_add(z0, z0, am_dot_add(z1, z1, am_dot_add(z2, z2, am_dot_add(z3, z3, sums->energy))));
    if (groups == MAX_GROUPS) {
        const uint32_t z4 = lane_of(words[4], lane);
        const uint32_t z5 = lane_of(words[5], lane);
        const uint32_t z6 = lane_of(words[6], lane);
        const uint32_t z7 = lane_of(words[7], lane);
        energy = am_dot_add(z4, z4, am_dot_add(z5, z5, am_dot_add(z6, z6, am_dot_add(z7, z7, energy))));
        ADD_LAG(1, ADD_PAIR(0, 1); ADD_PAIR(1, 2); ADD_PAIR(2, 3); ADD_PAIR(3, 4); ADD_PAIR(4, 5); ADD_PAIR(5, 6);
                ADD_PAIR(6, 7));
        ADD_LAG(2, ADD_PAIR(0, 2); ADD_PAIR(1, 3); ADD_PAIR(2, 4); ADD_PAIR(3, 5); ADD_PAIR(4, 6); ADD_PAIR(5, 7));
        ADD_LAG(3, ADD_PAIR(0, 3); ADD_PAIR(1, 4); ADD_PAIR(2, 5); ADD_PAIR(3, 6); ADD_PAIR(4, 7));
        ADD_LAG(4, ADD_PAIR(0, 4); ADD_PAIR(1, 5); ADD_PAIR(2, 6); ADD_PAIR(3, 7));
        ADD_LAG(5, ADD_PAIR(0, 5); ADD_PAIR(1, 6); ADD_PAIR(2, 7));
        ADD_LAG(6, ADD_PAIR(0, 6); ADD_PAIR(1, 7));
        ADD_LAG(7, ADD_PAIR(0, 7));
    } else {
        ADD_LAG(1, ADD_PAIR(0, 1); ADD_PAIR(1, 2); ADD_PAIR(2, 3));
        ADD_LAG(2, ADD_PAIR(0, 2); ADD_PAIR(1, 3));
        ADD_LAG(3, ADD_PAIR(0, 3));
    }
    sums->energy = energy;
}

/* The sums of 32 lanes, those set in `lanes`. planes: of each group, of the real and the imaginary parts. */
static void add_word(const uint32_t planes[MAX_GROUPS][2][3], uint32_t groups, uint32_t lanes, sums_t *sums)
{
    for (uint32_t offset = 0; offset < 4; offset++) {
        uint32_t words[2][MAX_GROUPS];
        for (uint32_t g = 0; g < groups; g++) {
            const uint32_t real = nibbles(planes[g][0], offset);
            const uint32_t imaginary = nibbles(planes[g][1], offset);
            words[0][g] = (real & 0xFFFFu) | imaginary << 16;
            words[1][g] = real >> 16 | (imaginary & 0xFFFF0000u);
        }
        for (uint32_t half = 0; half < 2; half++) {
            const uint32_t used = lanes >> (16u * half + offset);
            for (uint32_t lane = 0; lane < 16u; lane += 4) {
                if ((used >> lane & 1u) != 0) {
                    add_lane(words[half], groups, lane, sums);
                }
            }
        }
    }
}

/* 7.1: the sums of one part. frame: the chain's first; column: the key's signs in the band, first repetition topmost. */
static void chain_sums(const airmark_t *detector, uint32_t frame, uint32_t b, uint32_t column, uint32_t groups,
                       sums_t *sums)
{
    const uint32_t *const lanes = am_lanes(detector, b);
    memset(sums, 0, sizeof *sums);
    if (lanes[0] == 0) {
        return;
    }
    uint32_t planes[2][MAX_GROUPS][2][3];
    uint32_t slot = am_slot(detector, frame);
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t words[4][4];
        for (uint32_t i = 0; i < 4; i++) {
            am_band_words(detector, slot, b, words[i]);
            const uint32_t sign = 0u - (column >> 31);
            column <<= 1;
            words[i][0] ^= sign;
            words[i][1] ^= sign;
            words[i][2] ^= sign;
            words[i][3] ^= sign;
            slot += AM_BLOCK_FRAMES;
            slot -= slot >= AIRMARK_RING ? AIRMARK_RING : 0u;
        }
        for (uint32_t half = 0; half < 2; half++) {
            for (uint32_t part = 0; part < 2; part++) {
                const uint32_t w = 2u * half + part;
                count4(words[0][w], words[1][w], words[2][w], words[3][w], planes[half][g][part]);
            }
        }
    }
    for (uint32_t half = 0; half < 2; half++) {
        add_word((const uint32_t(*)[2][3])planes[half], groups, lanes[half], sums);
    }
}

/* 7.2: what a part adds to the curves. */
static void add_curves(airmark_t *detector, uint32_t chain, uint32_t b, uint32_t groups, const sums_t *sums)
{
    uint32_t pairs[MAX_GROUPS];
    for (uint32_t q = 1; q < groups; q++) {
        pairs[q] = am_pack(sums->real[q], sums->imaginary[q]);
    }
    for (uint32_t k = 0; k <= ZERO_DRIFT; k++) {
        /* The drifts k and -k share their cosines, and their sines up to the sign. */
        int32_t fast = 1 << 13;
        int32_t slow = 1 << 13;
        const uint32_t step = 4u * DRIFT_STEP_Q4 * k * airmark_turns[b];
        uint32_t phase = 1u << 19;
        for (uint32_t q = 1; q < groups; q++) {
            phase += step;
            const uint32_t turn = am_wave(phase >> 20);
            fast = am_difference_add(pairs[q], turn, fast);
            slow = am_dot_add(pairs[q], turn, slow);
        }
        fast = sums->energy + am_shift(fast, 14);
        slow = sums->energy + am_shift(slow, 14);
        for (uint32_t i = 0; i < 3; i++) {
            if (chain != i && chain != i + 2u) {
                continue;
            }
            for (uint32_t group = b < AM_LOW_BANDS ? 0u : 1u; group < 2u; group++) {
                detector->scratch.curves[group][i][ZERO_DRIFT + k] += fast;
                if (k > 0) {
                    detector->scratch.curves[group][i][ZERO_DRIFT - k] += slow;
                }
            }
        }
    }
}

/* The drift or place between grid points where a parabola through three values peaks, in `unit` a grid step, limited. */
static int32_t peak_between(int32_t left, int32_t middle, int32_t right, int32_t unit)
{
    const int32_t bend = 2 * middle - left - right;
    return bend > 0 ? am_clamp(unit / 2 * (right - left) / bend, -unit, unit) : 0;
}

/* 7.3 */
static am_result_t decide(airmark_t *detector)
{
    /* SPEC.md's M and C: by used bins (16 kHz, 8 kHz), span, group (low, all). */
    static const uint16_t mean[2][2][2] = {{{3680, 7392}, {1840, 3696}}, {{3168, 3168}, {1584, 1584}}};
    static const uint32_t scale[2][2][2] = {{{70247, 49565}, {142817, 100768}}, {{75711, 75711}, {153926, 153926}}};
    static const uint8_t order[3] = {1, 0, 2};
    const uint32_t narrow = detector->config.rate == 8000u ? 1u : 0u;
    const uint32_t half = detector->queue[0].half;
    uint32_t z[2];
    uint32_t best_i[2];
    uint32_t best_k[2];
    for (uint32_t group = 0; group < 2; group++) {
        int32_t highest = 0;
        best_i[group] = 1;
        best_k[group] = 0;
        for (uint32_t at = 0; at < 3; at++) {
            for (uint32_t k = 0; k < AIRMARK_DRIFTS; k++) {
                const int32_t energy = detector->scratch.curves[group][order[at]][k];
                if ((at == 0 && k == 0) || energy > highest) {
                    highest = energy;
                    best_i[group] = order[at];
                    best_k[group] = k;
                }
            }
        }
        const int32_t over = highest - mean[narrow][half][group];
        z[group] = over <= 0 ? 0u : (uint32_t)((uint64_t)(uint32_t)over * scale[narrow][half][group] >> 16);
    }
    const uint32_t group = (int32_t)z[0] - AM_LOW_HANDICAP_Q8 > (int32_t)z[1] ? 0u : 1u;
    const int32_t level = group == 0 ? (int32_t)z[0] - AM_LOW_HANDICAP_Q8 : (int32_t)z[1];
    if (level < LEAST_Q8) {
        return AM_REFUSED;
    }
    int32_t (*const curves)[AIRMARK_DRIFTS] = detector->scratch.curves[group];
    const uint32_t i = best_i[group];
    const uint32_t k = best_k[group];
    const uint32_t inner = k < 1u ? 1u : k > AIRMARK_DRIFTS - 2u ? AIRMARK_DRIFTS - 2u : k;
    detector->drift_ppm_q4 =
        (int16_t)(DRIFT_STEP_Q4 * ((int32_t)inner - ZERO_DRIFT) +
                  peak_between(curves[i][inner - 1u], curves[i][inner], curves[i][inner + 1u], DRIFT_STEP_Q4));
    detector->offset =
        (int16_t)(i == 1u ? am_clamp(peak_between(curves[0][k], curves[1][k], curves[2][k], 256), -128, 128) : 0);
    detector->place = detector->queue[0].frame - 1u + i;
    return AM_PASSED;
}

am_result_t airmark_template(airmark_t *detector, uint32_t step)
{
    const airmark_place_t *const candidate = &detector->queue[0];
    const airmark_key_t *const key = &detector->config.keys[candidate->key];
    const uint32_t groups = candidate->half != 0 ? 4u : 8u;
    if (step == 0) {
        memset(&detector->scratch, 0, sizeof detector->scratch);
    }
    for (uint32_t part = 2u * step; part < 2u * step + 2u; part++) {
        const uint32_t chain = part / 4u;
        const uint32_t b = part % 4u;
        sums_t sums;
        chain_sums(detector, candidate->frame - 1u + chain, b, key->columns[b], groups, &sums);
        add_curves(detector, chain, b, groups, &sums);
    }
    return step + 1u == AM_TEMPLATE_STEPS ? decide(detector) : AM_GO_ON;
}
