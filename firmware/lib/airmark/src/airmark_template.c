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

/* Adds the products of one lane's groups. z: of each, 2 minus the ones, real and imaginary. */
static inline void add_lane(const uint32_t z[MAX_GROUPS], uint32_t groups, sums_t *sums)
{
    for (uint32_t g = 0; g < groups; g++) {
        sums->energy = am_dot_add(z[g], z[g], sums->energy);
    }
    for (uint32_t q = 1; q < groups; q++) {
        int32_t real = sums->real[q];
        int32_t imaginary = sums->imaginary[q];
        for (uint32_t g = 0; g + q < groups; g++) {
            real = am_dot_add(z[g + q], z[g], real);
            imaginary = am_cross_add(z[g], z[g + q], imaginary);
        }
        sums->real[q] = real;
        sums->imaginary[q] = imaginary;
    }
}

/* The sums of 32 lanes, `lanes` of which count. planes: of each group, of the real and the imaginary parts. */
static void add_word(uint32_t planes[MAX_GROUPS][2][3], uint32_t groups, uint32_t lanes, sums_t *sums)
{
    for (uint32_t offset = 0; offset < 4; offset++) {
        uint32_t counts[MAX_GROUPS][2];
        for (uint32_t g = 0; g < groups; g++) {
            counts[g][0] = nibbles(planes[g][0], offset);
            counts[g][1] = nibbles(planes[g][1], offset);
        }
        for (uint32_t lane = offset; lane < 32; lane += 4) {
            uint32_t z[MAX_GROUPS];
            for (uint32_t g = 0; g < groups; g++) {
                z[g] = am_pack(2 - (int32_t)(counts[g][0] & 15u), 2 - (int32_t)(counts[g][1] & 15u));
                counts[g][0] >>= 4;
                counts[g][1] >>= 4;
            }
            if ((lanes >> lane & 1u) != 0) {
                add_lane(z, groups, sums);
            }
        }
    }
}

/* 7.1: the sums of one part. frame: the chain's first; column: the key's signs in the band, first repetition topmost. */
static void chain_sums(const airmark_t *detector, uint32_t frame, uint32_t b, uint32_t column, uint32_t groups,
                       sums_t *sums)
{
    static const uint32_t used[2][AIRMARK_BANDS][2] = {
        {{0xFFFFFFFFu, 0x01FFFFFFu}, {0xFFFFFFFFu, 0xFE07FFFFu}, {0xFFFFFFFFu, 0xFFF81FFFu}, {0xFFFFFFFFu, 0xFFFFE07Fu}},
        {{0xFFFFFFFFu, 0x01FFFFFFu}, {0xFFFFFFFFu, 0xFE000007u}, {0, 0}, {0, 0}},
    };
    const uint32_t *const lanes = used[detector->config.rate == 8000u ? 1 : 0][b];
    memset(sums, 0, sizeof *sums);
    if (lanes[0] == 0) {
        return;
    }
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t planes[MAX_GROUPS][2][3];
        for (uint32_t g = 0; g < groups; g++) {
            uint32_t real[4];
            uint32_t imaginary[4];
            for (uint32_t i = 0; i < 4; i++) {
                const uint32_t r = 4u * g + i;
                uint32_t words[4];
                am_band_words(detector, am_slot(detector, frame + AM_BLOCK_FRAMES * r), b, words);
                const uint32_t sign = (column >> (31u - r) & 1u) != 0 ? 0xFFFFFFFFu : 0u;
                real[i] = words[half] ^ sign;
                imaginary[i] = words[2u + half] ^ sign;
            }
            count4(real[0], real[1], real[2], real[3], planes[g][0]);
            count4(imaginary[0], imaginary[1], imaginary[2], imaginary[3], planes[g][1]);
        }
        add_word(planes, groups, lanes[half], sums);
    }
}

/* 7.2: what a part adds to the curves. */
static void add_curves(airmark_t *detector, uint32_t chain, uint32_t b, uint32_t groups, const sums_t *sums)
{
    for (int32_t k = 0; k <= ZERO_DRIFT; k++) {
        /* The drifts k and -k share their cosines, and their sines up to the sign. */
        int32_t even = 0;
        int32_t odd = 0;
        for (uint32_t q = 1; q < groups; q++) {
            const uint32_t turn = am_turn(b, (int32_t)(4u * q), DRIFT_STEP_Q4 * k);
            even += sums->real[q] * am_low(turn);
            odd += sums->imaginary[q] * am_high(turn);
        }
        const int32_t fast = sums->energy + am_shift(even - odd + (1 << 13), 14);
        const int32_t slow = sums->energy + am_shift(even + odd + (1 << 13), 14);
        for (uint32_t i = chain < 3u ? 0u : chain - 3u; i <= chain && i < 3u; i++) {
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
    static const uint16_t mean[2][2][2] = {{{7360, 14784}, {3680, 7392}}, {{6336, 6336}, {3168, 3168}}};
    static const uint32_t scale[2][2][2] = {{{49672, 35048}, {100987, 71254}}, {{53536, 53536}, {108842, 108842}}};
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
    for (uint32_t part = 3u * step; part < 3u * step + 3u; part++) {
        const uint32_t chain = part / 4u;
        const uint32_t b = part % 4u;
        sums_t sums;
        chain_sums(detector, candidate->frame - 1u + chain, b, key->columns[b], groups, &sums);
        add_curves(detector, chain, b, groups, &sums);
    }
    return step + 1u == AM_TEMPLATE_STEPS ? decide(detector) : AM_GO_ON;
}
