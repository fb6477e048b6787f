/* See primitives.h. Right values are computed in 64 bits, and by other means than the functions use. */
#include "airmark_internal.h"
#include "primitives.h"

/* The low 16 bits as a signed number, in wide arithmetic. */
static inline int64_t half(uint32_t bits)
{
    const int64_t v = bits & 0xFFFFu;
    return v < 32768 ? v : v - 65536;
}

static inline int64_t whole(uint32_t bits)
{
    return bits < 0x80000000u ? (int64_t)bits : (int64_t)bits - 4294967296;
}

/* v 2^-n, rounded down. */
static inline int64_t down(int64_t v, uint32_t n)
{
    const int64_t unit = (int64_t)1 << n;
    return v >= 0 ? v / unit : -((-v + unit - 1) / unit);
}

static inline int64_t limited(int64_t v)
{
    return v > 32767 ? 32767 : v < -32768 ? -32768 : v;
}

/* Of four bits at a time, from a table. */
static inline uint32_t ones_of(uint32_t x)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < 32; i += 4) {
        n += (uint32_t)(0x4332322132212110u >> (x >> i & 15u) * 4u) & 15u;
    }
    return n;
}

static inline bool is_pair(uint32_t pair, int64_t low, int64_t high)
{
    return pair == ((uint32_t)((uint64_t)low & 0xFFFFu) | (uint32_t)((uint64_t)high & 0xFFFFu) << 16);
}

/*
 * Two 16-bit numbers a and b, the halves of x, in words p and q, so that either half of the result sees all pairs and not the
 * same one: p = (a, ~a), q = (b, ~b). c is ~a and d is ~b.
 */
#define WITH_PAIRS(condition) \
    const int64_t a = half(x); \
    const int64_t b = half(x >> 16); \
    const int64_t c = -1 - a; \
    const int64_t d = -1 - b; \
    const uint32_t p = (x & 0xFFFFu) | ~x << 16; \
    const uint32_t q = x >> 16 | (~x & 0xFFFF0000u); \
    (void)a, (void)b, (void)c, (void)d, (void)p, (void)q; \
    return !(condition)

#define PROOFS(P) \
    P(signed, return am_signed(x) != whole(x)) \
    P(low, return am_low(x) != half(x)) \
    P(high, return am_high(x) != half(x >> 16)) \
    P(saturate, return am_saturate(am_signed(x)) != limited(whole(x))) \
    P(bits, const uint32_t n = am_bits(x); \
      return n > 32 || (uint64_t)x >> n != 0 || (n == 0 ? x != 0 : (uint64_t)x >> (n - 1) != 1)) \
    P(ones, return am_ones(x) != ones_of(x)) \
    P(sum_bytes, return am_sum_bytes(x) != (x & 255u) + (x >> 8 & 255u) + (x >> 16 & 255u) + (x >> 24)) \
    P(shift, for (uint32_t n = 0; n < 32; n++) { \
        if (am_shift(am_signed(x), n) != down(whole(x), n)) { \
            return true; \
        } \
    } return false) \
    P(pack, return am_pack((int32_t)half(x), (int32_t)half(x >> 16)) != x) \
    P(add_pair, WITH_PAIRS(is_pair(am_add_pair(p, q), a + b, c + d))) \
    P(sub_pair, WITH_PAIRS(is_pair(am_sub_pair(p, q), a - b, c - d))) \
    P(saturated_sub_pair, WITH_PAIRS(is_pair(am_saturated_sub_pair(p, q), limited(a - b), limited(c - d)))) \
    P(sub_turned, WITH_PAIRS(is_pair(am_sub_turned(p, q), a + d, c - b))) \
    P(add_turned, WITH_PAIRS(is_pair(am_add_turned(p, q), a - d, c + b))) \
    P(mean_pair, WITH_PAIRS(is_pair(am_mean_pair(p, q), down(a + b, 1), down(c + d, 1)))) \
    P(half_difference, WITH_PAIRS(is_pair(am_half_difference(p, q), down(a - b, 1), down(c - d, 1)))) \
    P(dot, WITH_PAIRS(am_dot(p, q) == a * b + c * d)) \
    P(dot_add, WITH_PAIRS(am_dot_add(p, q, -12345) == a * b + c * d - 12345)) \
    P(difference_add, WITH_PAIRS(am_difference_add(p, q, 54321) == a * b - c * d + 54321)) \
    P(cross, WITH_PAIRS(am_cross(p, q) == a * d - c * b)) \
    P(cross_add, WITH_PAIRS(am_cross_add(p, q, 54321) == a * d - c * b + 54321)) \
    P(pack_low, WITH_PAIRS(is_pair(am_pack_low(p, q), a, b))) \
    P(pack_high, WITH_PAIRS(is_pair(am_pack_high(p, q), c, d))) \
    P(mix, WITH_PAIRS(is_pair(am_mix(p, q), a, d)))

enum { TOGETHER = 4096 };

#define FUNCTIONS(name, ...) \
    static inline bool fails_##name(uint32_t x) \
    { \
        __VA_ARGS__; \
    } \
    static uint64_t prove_##name(uint64_t count) \
    { \
        uint64_t done = 0; \
        for (; done + TOGETHER <= count; done += TOGETHER) { \
            const uint32_t first = (uint32_t)done * 0x9E3779B1u; \
            uint32_t failed = 0; \
            for (uint32_t k = 0; k < TOGETHER; k++) { \
                failed |= fails_##name(first + k * 0x9E3779B1u); \
            } \
            if (failed != 0) { \
                break; \
            } \
        } \
        while (done < count && !fails_##name((uint32_t)done * 0x9E3779B1u)) { \
            done++; \
        } \
        return done; \
    }
PROOFS(FUNCTIONS)

static const struct {
    const char *name;
    bool (*fails)(uint32_t x);
    uint64_t (*prove)(uint64_t count);
} all[] = {
#define ROW(name, ...) {#name, fails_##name, prove_##name},
    PROOFS(ROW)
};

size_t proofs(void)
{
    return sizeof all / sizeof all[0];
}

const char *proof_name(size_t proof)
{
    return all[proof].name;
}

bool proof_fails(size_t proof, uint32_t x)
{
    return all[proof].fails(x);
}

uint64_t prove(size_t proof, uint64_t count)
{
    return all[proof].prove(count);
}

uint32_t planes_wrong(void)
{
    uint32_t wrong = 0;
    for (uint32_t set = 0; set < 65536; set++) {
        uint32_t planes[5];
#define TAKE(i, a, b) ((a) = 0u - (set >> 2 * (i) & 1u), (b) = 0u - (set >> (2 * (i) + 1) & 1u))
        AM_PLANES16(TAKE, planes);
#undef TAKE
        const uint32_t ones = ones_of(set);
        for (uint32_t i = 0; i < 5; i++) {
            wrong += planes[i] != 0u - (ones >> i & 1u);
        }
    }
    return wrong;
}

uint64_t cubes_wrong(uint64_t first, uint64_t end)
{
    for (uint64_t r = first; r < end; r++) {
        const uint64_t cube = r * r * r;
        if (airmark_cube_root(cube) != r || airmark_cube_root(cube - 1) != r - 1 || airmark_cube_root(cube + 1) != r) {
            return r;
        }
    }
    return end;
}

uint64_t squares_wrong(uint64_t first, uint64_t end, uint64_t step)
{
    for (uint64_t r = first; r < end; r += step) {
        const uint64_t square = r * r;
        if (airmark_square_root(square) != r || airmark_square_root(square - 1) != r - 1 ||
            airmark_square_root(square + 1) != r) {
            return r;
        }
    }
    return end;
}

int32_t p_shift(int32_t x, uint32_t n) { return am_shift(x, n); }
int32_t p_clamp(int32_t x, int32_t low, int32_t high) { return am_clamp(x, low, high); }
uint32_t p_add3(uint32_t a, uint32_t b, uint32_t c, uint32_t *carry) { return am_add3(a, b, c, carry); }
uint32_t p_ones_of_planes(const uint32_t *planes) { return am_ones_of_planes(planes); }
uint32_t p_ones16(const uint32_t *words)
{
    uint32_t planes[5];
#define TAKE(i, a, b) AM_LOAD_TWO(words, i, a, b)
    AM_PLANES16(TAKE, planes);
#undef TAKE
    return am_ones_of_planes(planes);
}
int32_t p_dot(uint32_t a, uint32_t b) { return am_dot(a, b); }
int32_t p_dot_add(uint32_t a, uint32_t b, int32_t c) { return am_dot_add(a, b, c); }
int32_t p_difference_add(uint32_t a, uint32_t b, int32_t c) { return am_difference_add(a, b, c); }
int32_t p_cross(uint32_t a, uint32_t b) { return am_cross(a, b); }
int32_t p_cross_add(uint32_t a, uint32_t b, int32_t c) { return am_cross_add(a, b, c); }
uint32_t p_pack_low(uint32_t a, uint32_t b) { return am_pack_low(a, b); }
uint32_t p_pack_high(uint32_t a, uint32_t b) { return am_pack_high(a, b); }
uint32_t p_mix(uint32_t a, uint32_t b) { return am_mix(a, b); }
uint32_t p_load_pair(const int16_t *samples) { return am_load_pair(samples); }
uint32_t p_turn_index(uint32_t b, int32_t lag, int32_t drift_ppm_q4)
{
    return am_512ths((uint32_t)lag * am_turn_of_repetition(b, drift_ppm_q4) + (uint32_t)AM_HALF_512TH);
}
uint32_t p_quarter(uint32_t b, int32_t lag, int32_t drift_ppm_q4)
{
    return am_quarters((uint32_t)lag * am_turn_of_repetition(b, drift_ppm_q4) + (uint32_t)AM_HALF_QUARTER);
}
uint32_t p_distance(uint32_t a, uint32_t b) { return am_distance(a, b); }
uint32_t p_divide(uint64_t n, uint32_t d) { return airmark_divide(n, d); }
uint32_t p_square_root(uint64_t n) { return airmark_square_root(n); }
uint32_t p_cube_root(uint64_t n) { return airmark_cube_root(n); }
int32_t p_statistic(int32_t agreement, uint32_t variance, int64_t third)
{
    return airmark_statistic(agreement, variance, third);
}
int32_t p_handicap(uint32_t low, uint32_t high, uint8_t half, uint32_t rate)
{
    airmark_t detector;
    detector.config.rate = rate;
    detector.queue[0].half = half;
    detector.variance[0] = low;
    detector.variance[1] = high;
    return airmark_handicap(&detector);
}
uint32_t p_transform(uint32_t *work) { return airmark_frames_transform(work); }
