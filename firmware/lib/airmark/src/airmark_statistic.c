/* Stage statistic: how unlikely an agreement is under a host of that rank. SPEC.md, 9. */
#include "airmark_internal.h"

enum {
    HALF_HANDICAP_Q8 = 102,
    MOST_HOST_HANDICAP_Q8 = 192,
    FREE_LOGARITHM = 2382, /* of a variance 1.5 times that of random signs (1.45 at 8 kHz) */
    NARROW_LOGARITHM = 313 /* an 8 kHz input has fewer used bins */
};

uint32_t airmark_divide(uint64_t n, uint32_t d)
{
    uint32_t rest = (uint32_t)(n >> 32);
    uint32_t digits = (uint32_t)n;
    for (uint32_t i = 0; i < 32; i++) {
        const uint32_t overflow = rest >> 31;
        rest = rest << 1 | digits >> 31;
        digits <<= 1;
        if (overflow != 0 || rest >= d) {
            rest -= d;
            digits |= 1u;
        }
    }
    return digits;
}

uint32_t airmark_square_root(uint64_t n)
{
    uint32_t root = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        const uint64_t next = root | bit;
        if (next * next <= n) {
            root = (uint32_t)next;
        }
    }
    return root;
}

uint32_t airmark_cube_root(uint64_t n)
{
    /* The largest r with r^3 <= n, bit by bit; as n is below 2^63, no larger cube than 2^63 is tried. */
    uint32_t root = 0;
    for (uint32_t bit = 1u << 21; bit != 0; bit >>= 1) {
        const uint64_t next = root | bit;
        if (next * next * next <= n) {
            root = (uint32_t)next;
        }
    }
    return root;
}

int32_t airmark_statistic(int32_t agreement, uint32_t variance, int64_t third)
{
    if (agreement <= 0 || variance == 0) {
        return 0;
    }
    const uint32_t r = airmark_square_root((uint64_t)variance << 20);
    const uint32_t z = airmark_divide((uint64_t)(uint32_t)agreement << 26, r);
    const uint32_t a = third < 0 ? 0 : airmark_divide((uint64_t)third << 16, variance);
    const uint32_t ratio = airmark_divide((uint64_t)98304 * a, r);
    const uint32_t skew = ratio < 4096u ? 4096u : ratio;
    const uint64_t y = ((uint64_t)1 << 36) + ((uint64_t)z * skew >> 1);
    const uint32_t root = airmark_cube_root(y << 21);
    return (int32_t)(airmark_divide((uint64_t)(root - (1u << 19)) * 3072u, skew) +
                     (uint32_t)((uint64_t)skew * 10923u >> 28));
}

int32_t airmark_handicap(const airmark_t *detector)
{
    if (detector->queue[0].half != 0) {
        return HALF_HANDICAP_Q8;
    }
    uint32_t variance = detector->variance[0] + detector->variance[1];
    uint32_t logarithm = detector->config.rate == 8000u ? (uint32_t)NARROW_LOGARITHM : 0u;
    for (; variance >= 512u; variance >>= 1) {
        logarithm += 256;
    }
    return am_clamp((int32_t)(logarithm + variance) - FREE_LOGARITHM, 0, MOST_HOST_HANDICAP_Q8);
}
