/*
 * What the detector's files share: arithmetic with names, kernels, constant tables, and the stages.
 *
 * Every name of reference/SPEC.md that this code uses means the same here. Shifts and conversions are written so that
 * C99 defines them for every value (a signed value is never shifted right while negative, an unsigned one never
 * converted to a signed type that cannot hold it); compilers make single instructions of them.
 */
#ifndef AIRMARK_INTERNAL_H
#define AIRMARK_INTERNAL_H

#include <string.h>

#include "airmark.h"

/* Armv5TE's DSP instructions are fewer: those on pairs have a name of their own. Some kernels are GNU C's assembly. */
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32)
#define AM_DSP_IS_THERE 1
#else
#define AM_DSP_IS_THERE 0
#endif
#ifndef AIRMARK_DSP
#define AIRMARK_DSP AM_DSP_IS_THERE
#endif
#if AIRMARK_DSP != 0 && AIRMARK_DSP != 1
#error "airmark: AIRMARK_DSP must be 0 or 1"
#undef AIRMARK_DSP
#define AIRMARK_DSP 0
#elif AIRMARK_DSP && !AM_DSP_IS_THERE
#error "airmark: AIRMARK_DSP is 1 and the core has no DSP instructions: leave the macro out, or name another core"
#undef AIRMARK_DSP
#define AIRMARK_DSP 0
#endif

#if AIRMARK_DSP && (defined(__clang__) || __GNUC__ >= 10)
#include <arm_acle.h>
#endif

/* Shape, in the words of SPEC.md, 2. */
enum {
    AM_BINS = 231,
    AM_FIRST_BIN = 10,
    AM_WHOLE_FRAMES = 128,
    AM_HALF_FRAMES = 64,
    AM_BLOCK_FRAMES = 4,
    AM_LOW_BANDS = 2,
    AM_WHOLE = 0,
    AM_HALF = 1,
    AM_TEMPLATE_STEPS = 9,
    AM_CONFIRM_STEPS = 25, /* at most, SPEC.md, 8.3 */
    AM_LOW_HANDICAP_Q8 = 77
};

/* What the code relies on, beyond C99's exact types, which have bytes of 8 bits and two's complement. */
AIRMARK_STATIC_ASSERT(sizeof(int) >= 4, int_must_have_32_bits, "int must have 32 bits");
AIRMARK_STATIC_ASSERT(sizeof(airmark_key_t) == 16, key_must_have_16_bytes, "a key must have 16 bytes");
AIRMARK_STATIC_ASSERT(AIRMARK_BANDS == 2 * AM_LOW_BANDS, bands_must_be_4, "AIRMARK_BANDS must be 4");
AIRMARK_STATIC_ASSERT(AM_BLOCK_FRAMES * AIRMARK_REPETITIONS == AM_WHOLE_FRAMES, repetitions_must_be_32,
                      "AIRMARK_REPETITIONS must be 32");
AIRMARK_STATIC_ASSERT(AIRMARK_PAIRS == AIRMARK_REPETITIONS * (AIRMARK_REPETITIONS - 1) / 2, pairs_must_be_a_triangle,
                      "AIRMARK_PAIRS must be the pairs of AIRMARK_REPETITIONS");
AIRMARK_STATIC_ASSERT(AIRMARK_RING > AM_WHOLE_FRAMES + (AM_TEMPLATE_STEPS + AM_CONFIRM_STEPS + 1) / 2, ring_must_hold_a_mark,
                      "AIRMARK_RING must hold a mark and what comes while it is confirmed");
AIRMARK_STATIC_ASSERT(32 * AIRMARK_FRAME_WORDS + 14 == 2 * AM_BINS, words_must_hold_the_bins,
                      "AIRMARK_FRAME_WORDS must hold two bits of each bin but 14");

/*
 * Keeps GCC from moving memory accesses across: in long straight code its scheduler would load all operands first, and store
 * them again for want of registers.
 */
#if defined(__GNUC__)
#define AM_IN_ORDER() __asm__ volatile("" ::: "memory")
#else
#define AM_IN_ORDER() ((void)0)
#endif

/*
 * Taps: every value that golden vectors hold an implementation to (tests/vectors/README.md), stage by stage, as 32 bits. A
 * build that wants them defines AIRMARK_TAP(detector, stage, value), called with each, and AIRMARK_TAP_CRC(bytes, count), the
 * CRC32 of that many bytes at a pointer. Empty otherwise: arguments are not even evaluated.
 */
enum {
    AM_TAP_INPUT,
    AM_TAP_FRAMES,
    AM_TAP_SCREEN,
    AM_TAP_CANDIDATES,
    AM_TAP_DRIFT,
    AM_TAP_PLACE,
    AM_TAP_CONFIRM,
    AM_TAP_STATISTIC,
    AM_TAP_PEAKS,
    AM_TAP_STAGES
};

#ifdef AIRMARK_TAP
#define AM_TAP(detector, stage, value) AIRMARK_TAP((detector), (stage), (uint32_t)(value))
#define AM_TAP_EACH(detector, stage, values, count, stride) \
    do { \
        for (size_t tapped = 0; tapped < (size_t)(count); tapped++) { \
            AM_TAP((detector), (stage), (values)[tapped * (size_t)(stride)]); \
        } \
    } while (0)
#define AM_TAP_CANDIDATE(detector, stage, candidate) \
    do { \
        AM_TAP((detector), (stage), (candidate)->frame); \
        AM_TAP((detector), (stage), (candidate)->key); \
        AM_TAP((detector), (stage), (candidate)->half); \
        AM_TAP((detector), (stage), (candidate)->level); \
    } while (0)
#else
#define AM_TAP(detector, stage, value) ((void)0)
#define AM_TAP_EACH(detector, stage, values, count, stride) ((void)0)
#define AM_TAP_CANDIDATE(detector, stage, candidate) ((void)0)
#endif

/* Not inlined: loops inside keep their registers. What is done a few times a candidate or less is also made small, not fast. */
#if defined(__GNUC__)
#define AM_NOT_INLINE __attribute__((noinline))
#define AM_SELDOM __attribute__((noinline, cold))
#define AM_OFTEN __attribute__((noinline, hot)) /* fast, though its callers are small */
#else
#define AM_NOT_INLINE
#define AM_SELDOM
#define AM_OFTEN
#endif

/* Keeps a constant in a register: as an immediate operand it would rule out a shifted one beside it. */
#if AIRMARK_DSP
#define AM_IN_REGISTER(constant) __asm__("" : "+r"(constant))
#else
#define AM_IN_REGISTER(constant) ((void)0)
#endif

/* ---- arithmetic ---------------------------------------------------------------------------------------------- */

/* x 2^-n rounded to minus infinity, n = 0..31. */
static inline int32_t am_shift(int32_t x, uint32_t n)
{
    return x < 0 ? ~(~x >> n) : x >> n;
}

/* The same bits as a signed number. */
static inline int32_t am_signed(uint32_t bits)
{
    int32_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Pairs of 16-bit numbers in a word: the low half is the real part or the earlier sample. */
static inline uint32_t am_pack(int32_t low, int32_t high)
{
#if AIRMARK_DSP
    /* No intrinsic has it, and compilers do not find it. */
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(low), "r"(high));
    return pair;
#else
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
#endif
}

/* The low halves of two words, and their high halves, as a pair. */
static inline uint32_t am_pack_low(uint32_t low, uint32_t high)
{
#if AIRMARK_DSP
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(low), "r"(high));
    return pair;
#else
    return (low & 0xFFFFu) | high << 16;
#endif
}

static inline uint32_t am_pack_high(uint32_t low, uint32_t high)
{
#if AIRMARK_DSP
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(high), "r"(low));
    return pair;
#else
    return low >> 16 | (high & 0xFFFF0000u);
#endif
}

/* The low half of one word and the high half of the other, each in its place. */
static inline uint32_t am_mix(uint32_t low, uint32_t high)
{
#if AIRMARK_DSP
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2" : "=r"(pair) : "r"(low), "r"(high));
    return pair;
#else
    return (low & 0xFFFFu) | (high & 0xFFFF0000u);
#endif
}

/* Two samples that lie one after the other. */
static inline uint32_t am_load_pair(const int16_t *samples)
{
#if AIRMARK_DSP && !defined(__ARM_BIG_ENDIAN)
    uint32_t pair;
    memcpy(&pair, samples, sizeof pair);
    return pair;
#else
    return am_pack(samples[0], samples[1]);
#endif
}

static inline int32_t am_low(uint32_t pair)
{
    return (int32_t)((pair & 0xFFFFu) ^ 0x8000u) - 0x8000;
}

static inline int32_t am_high(uint32_t pair)
{
    return am_shift(am_signed(pair), 16);
}

/* Limited to 16 bits. */
static inline int32_t am_saturate(int32_t x)
{
#if AIRMARK_DSP
    int32_t limited;
    __asm__("ssat %0, #16, %1" : "=r"(limited) : "r"(x));
    return limited;
#else
    return x > 32767 ? 32767 : x < -32768 ? -32768 : x;
#endif
}

static inline int32_t am_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Binary digits of x; 0 for 0. */
static inline uint32_t am_bits(uint32_t x)
{
#if defined(__GNUC__)
    return x == 0 ? 0u : 32u - (uint32_t)__builtin_clz(x);
#else
    uint32_t n = 0;
    for (uint32_t step = 16; step != 0; step >>= 1) {
        if (x >> step != 0) {
            x >>= step;
            n += step;
        }
    }
    return n + x;
#endif
}

/* Ones in x. */
static inline uint32_t am_ones(uint32_t x)
{
#if defined(AIRMARK_POPCOUNT)
    return (uint32_t)AIRMARK_POPCOUNT(x);
#else
    x -= (x >> 1) & 0x55555555u;
    x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0Fu;
    return (x * 0x01010101u) >> 24;
#endif
}

/* Full adder on 32 lanes: returns the sums' low bits, *carry their high ones. */
static inline uint32_t am_add3(uint32_t a, uint32_t b, uint32_t c, uint32_t *carry)
{
    const uint32_t half = a ^ b;
    *carry = (a & b) | (half & c);
    return half ^ c;
}

/* Sum of the four bytes. */
static inline uint32_t am_sum_bytes(uint32_t x)
{
#if AIRMARK_DSP
    uint32_t sum;
    __asm__("usad8 %0, %1, %2" : "=r"(sum) : "r"(x), "r"(0));
    return sum;
#else
    x = (x & 0x00FF00FFu) + ((x >> 8) & 0x00FF00FFu);
    return (x + (x >> 16)) & 0xFFFFu;
#endif
}

/* Adds two words to those counted: the sum's low bits stay in `sum`, `carry` has twice their weight. */
#define AM_ADD2(sum, a, b, carry) ((sum) = am_add3((sum), (a), (b), &(carry)))
#define AM_ADD1(sum, a, carry) ((carry) = (sum) & (a), (sum) ^= (a))

/* Words 2 i and 2 i + 1. */
#if AIRMARK_DSP && defined(__thumb2__)
/* By a single load, which compilers do not make of two; in Arm state it takes even registers only. */
#define AM_LOAD_TWO(words, i, a, b) \
    __asm__("ldrd %0, %1, [%2, %3]" \
            : "=&r"(a), "=r"(b) \
            : "r"(words), "i"(8 * (i)), "m"((words)[2 * (i)]), "m"((words)[2 * (i) + 1]))
#else
#define AM_LOAD_TWO(words, i, a, b) ((a) = (words)[2 * (i)], (b) = (words)[2 * (i) + 1])
#endif

/*
 * Ones in every lane of 16 words, TAKE(i, a, b) giving words 2 i and 2 i + 1 in any order: in a tree of full adders, five
 * planes of weight 1 to 16.
 */
#define AM_PLANES16(TAKE, planes) \
    do { \
        uint32_t a, b, ones, twos, fours, eights, sixteens, c1, c2, d1, d2, d3; \
        TAKE(0, a, b); \
        ones = a ^ b; \
        twos = a & b; \
        TAKE(1, a, b); \
        AM_ADD2(ones, a, b, c1); \
        TAKE(2, a, b); \
        AM_ADD2(ones, a, b, c2); \
        AM_ADD2(twos, c1, c2, d1); \
        AM_IN_ORDER(); \
        TAKE(3, a, b); \
        AM_ADD2(ones, a, b, c1); \
        TAKE(4, a, b); \
        AM_ADD2(ones, a, b, c2); \
        AM_ADD2(twos, c1, c2, d2); \
        AM_IN_ORDER(); \
        TAKE(5, a, b); \
        AM_ADD2(ones, a, b, c1); \
        TAKE(6, a, b); \
        AM_ADD2(ones, a, b, c2); \
        AM_ADD2(twos, c1, c2, d3); \
        AM_IN_ORDER(); \
        TAKE(7, a, b); \
        AM_ADD2(ones, a, b, c1); \
        fours = am_add3(d1, d2, d3, &eights); \
        AM_ADD1(twos, c1, d1); \
        AM_ADD1(fours, d1, d2); \
        AM_ADD1(eights, d2, sixteens); \
        (planes)[0] = ones; \
        (planes)[1] = twos; \
        (planes)[2] = fours; \
        (planes)[3] = eights; \
        (planes)[4] = sixteens; \
    } while (0)

/* Ones in five planes, each with its weight: the sum of 32 lanes that count up to 31, 0..992. */
static inline uint32_t am_ones_of_planes(const uint32_t planes[5])
{
    uint32_t ones = planes[0];
    uint32_t twos = planes[1];
    uint32_t fours = planes[2];
    uint32_t eights = planes[3];
    uint32_t sixteens = planes[4];
#if defined(AIRMARK_POPCOUNT)
    return am_ones(ones) + 2u * am_ones(twos) + 4u * am_ones(fours) + 8u * am_ones(eights) + 16u * am_ones(sixteens);
#else
    uint32_t pairs = 0x55555555u;
    uint32_t nibbles = 0x33333333u;
    AM_IN_REGISTER(pairs);
    AM_IN_REGISTER(nibbles);
    ones -= (ones >> 1) & pairs;
    twos -= (twos >> 1) & pairs;
    fours -= (fours >> 1) & pairs;
    eights -= (eights >> 1) & pairs;
    sixteens -= (sixteens >> 1) & pairs;
    ones = (ones & nibbles) + ((ones >> 2) & nibbles);
    twos = (twos & nibbles) + ((twos >> 2) & nibbles);
    fours = (fours & nibbles) + ((fours >> 2) & nibbles);
    eights = (eights & nibbles) + ((eights >> 2) & nibbles);
    sixteens = (sixteens & nibbles) + ((sixteens >> 2) & nibbles);
    ones += twos << 1; /* at most 12 a nibble */
    fours += eights << 1;
    uint32_t bytes = 0x0F0F0F0Fu;
    AM_IN_REGISTER(bytes);
    ones = (ones & bytes) + ((ones >> 4) & bytes);
    fours = (fours & bytes) + ((fours >> 4) & bytes);
    sixteens = (sixteens & bytes) + ((sixteens >> 4) & bytes);
    return am_sum_bytes(ones + (fours << 2) + (sixteens << 4)); /* at most 248 a byte */
#endif
}

/* n / d, both unsigned, d > 0, where the quotient fits 32 bits: n >> 32 < d. 32 steps; no library call on any processor. */
AM_SELDOM uint32_t airmark_divide(uint64_t n, uint32_t d);
/* floor(sqrt(n)), and floor(cbrt(n)) for n < 2^63. */
AM_SELDOM uint32_t airmark_square_root(uint64_t n);
AM_SELDOM uint32_t airmark_cube_root(uint64_t n);

/* ---- kernels on pairs of 16-bit numbers ------------------------------------------------------------------------ */

#if AIRMARK_DSP
/*
 * The instructions by their names. arm_acle.h has them since GCC 10; the cores that Arduino and PlatformIO bring for some boards
 * are of GCC 7 to 9.
 */
#if defined(__clang__) || __GNUC__ >= 10
#define AM_OF_ONE(name) static inline int32_t am_##name(int32_t a) { return __##name(a); }
#define AM_OF_TWO(name) static inline int32_t am_##name(int32_t a, int32_t b) { return __##name(a, b); }
#define AM_OF_THREE(name) static inline int32_t am_##name(int32_t a, int32_t b, int32_t c) { return __##name(a, b, c); }
#else
#define AM_OF_ONE(name) \
    static inline int32_t am_##name(int32_t a) \
    { \
        int32_t result; \
        __asm__(#name " %0, %1" : "=r"(result) : "r"(a)); \
        return result; \
    }
#define AM_OF_TWO(name) \
    static inline int32_t am_##name(int32_t a, int32_t b) \
    { \
        int32_t result; \
        __asm__(#name " %0, %1, %2" : "=r"(result) : "r"(a), "r"(b)); \
        return result; \
    }
#define AM_OF_THREE(name) \
    static inline int32_t am_##name(int32_t a, int32_t b, int32_t c) \
    { \
        int32_t result; \
        __asm__(#name " %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(c)); \
        return result; \
    }
#endif
AM_OF_ONE(sxtb16)
/* Of the second and fourth byte. Compilers shift first. */
static inline int32_t am_sxtb16_ror8(int32_t a)
{
    int32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(a));
    return result;
}
AM_OF_TWO(sadd16)
AM_OF_TWO(ssub16)
AM_OF_TWO(qsub16)
AM_OF_TWO(ssax)
AM_OF_TWO(sasx)
AM_OF_TWO(shadd16)
AM_OF_TWO(shsub16)
AM_OF_TWO(smuad)
AM_OF_TWO(smusdx)
AM_OF_THREE(smlad)
AM_OF_THREE(smlsd)
AM_OF_THREE(smlsdx)

/* Sums of halves modulo 2^16, which here never overflow. */
static inline uint32_t am_add_pair(uint32_t a, uint32_t b) { return (uint32_t)am_sadd16(am_signed(a), am_signed(b)); }
static inline uint32_t am_sub_pair(uint32_t a, uint32_t b) { return (uint32_t)am_ssub16(am_signed(a), am_signed(b)); }
/* Differences limited to 16 bits. */
static inline uint32_t am_saturated_sub_pair(uint32_t a, uint32_t b) { return (uint32_t)am_qsub16(am_signed(a), am_signed(b)); }
/* a - j b and a + j b. */
static inline uint32_t am_sub_turned(uint32_t a, uint32_t b) { return (uint32_t)am_ssax(am_signed(a), am_signed(b)); }
static inline uint32_t am_add_turned(uint32_t a, uint32_t b) { return (uint32_t)am_sasx(am_signed(a), am_signed(b)); }
/* Half the sums, rounded to minus infinity. */
static inline uint32_t am_mean_pair(uint32_t a, uint32_t b) { return (uint32_t)am_shadd16(am_signed(a), am_signed(b)); }
static inline uint32_t am_half_difference(uint32_t a, uint32_t b) { return (uint32_t)am_shsub16(am_signed(a), am_signed(b)); }
/* a.low b.low + a.high b.high (+ c), and a.low b.high - a.high b.low (+ c). */
static inline int32_t am_dot(uint32_t a, uint32_t b) { return am_smuad(am_signed(a), am_signed(b)); }
static inline int32_t am_dot_add(uint32_t a, uint32_t b, int32_t c) { return am_smlad(am_signed(a), am_signed(b), c); }
/* a.low b.low - a.high b.high + c. */
static inline int32_t am_difference_add(uint32_t a, uint32_t b, int32_t c) { return am_smlsd(am_signed(a), am_signed(b), c); }
static inline int32_t am_cross(uint32_t a, uint32_t b) { return am_smusdx(am_signed(a), am_signed(b)); }
static inline int32_t am_cross_add(uint32_t a, uint32_t b, int32_t c) { return am_smlsdx(am_signed(a), am_signed(b), c); }
#else
static inline uint32_t am_add_pair(uint32_t a, uint32_t b)
{
    return am_pack(am_low(a) + am_low(b), am_high(a) + am_high(b));
}
static inline uint32_t am_sub_pair(uint32_t a, uint32_t b)
{
    return am_pack(am_low(a) - am_low(b), am_high(a) - am_high(b));
}
static inline uint32_t am_saturated_sub_pair(uint32_t a, uint32_t b)
{
    return am_pack(am_saturate(am_low(a) - am_low(b)), am_saturate(am_high(a) - am_high(b)));
}
static inline uint32_t am_sub_turned(uint32_t a, uint32_t b)
{
    return am_pack(am_low(a) + am_high(b), am_high(a) - am_low(b));
}
static inline uint32_t am_add_turned(uint32_t a, uint32_t b)
{
    return am_pack(am_low(a) - am_high(b), am_high(a) + am_low(b));
}
static inline uint32_t am_mean_pair(uint32_t a, uint32_t b)
{
    return am_pack(am_shift(am_low(a) + am_low(b), 1), am_shift(am_high(a) + am_high(b), 1));
}
static inline uint32_t am_half_difference(uint32_t a, uint32_t b)
{
    return am_pack(am_shift(am_low(a) - am_low(b), 1), am_shift(am_high(a) - am_high(b), 1));
}
static inline int32_t am_dot(uint32_t a, uint32_t b)
{
    return am_low(a) * am_low(b) + am_high(a) * am_high(b);
}
static inline int32_t am_dot_add(uint32_t a, uint32_t b, int32_t c)
{
    return am_dot(a, b) + c;
}
static inline int32_t am_difference_add(uint32_t a, uint32_t b, int32_t c)
{
    return am_low(a) * am_low(b) - am_high(a) * am_high(b) + c;
}
static inline int32_t am_cross(uint32_t a, uint32_t b)
{
    return am_low(a) * am_high(b) - am_high(a) * am_low(b);
}
static inline int32_t am_cross_add(uint32_t a, uint32_t b, int32_t c)
{
    return am_cross(a, b) + c;
}
#endif

/* ---- constant tables (airmark_tables.c, generated) -------------------------------------------------------------- */

extern const uint32_t airmark_wave[384];            /* (cos, sin) of k/512 of a turn, Q15 */
extern const uint16_t airmark_turns[AIRMARK_BANDS]; /* SPEC.md, 7.2, U */
extern const uint32_t airmark_window[129];          /* samples 2 i and 2 i + 1 of SPEC.md, 4.2, w */
extern const uint16_t airmark_roots[192];  /* SPEC.md, 5.3, T */
extern const uint8_t airmark_reversed[256]; /* base-4 digits reversed */
#if AIRMARK_RESAMPLE
extern const uint32_t airmark_filter_32[12]; /* taps 2 i and 2 i + 1 */
extern const uint32_t airmark_filter_44[64][12];
extern const uint32_t airmark_filter_48[12];
#endif

/* (cos, sin) of index k modulo 512. */
static inline uint32_t am_wave(uint32_t k)
{
    k &= 511u;
    if (k < 384u) {
        return airmark_wave[k];
    }
    const uint32_t opposite = airmark_wave[k - 256u];
    return am_pack(-am_low(opposite), -am_high(opposite));
}

/* SPEC.md, 7.2: the turn that undoes a drift over one repetition in band b; 2^29 are a whole one. They add up modulo 2^32. */
static inline uint32_t am_turn_of_repetition(uint32_t b, int32_t drift_ppm_q4)
{
    return (uint32_t)(drift_ppm_q4 * (int32_t)airmark_turns[b]);
}

/* What to add to a turn before it is taken to the next 512th or quarter, and these: 0..511 and 0..3. */
enum { AM_HALF_512TH = 1 << 19, AM_HALF_QUARTER = 1 << 26 };

static inline uint32_t am_512ths(uint32_t turn)
{
    return turn >> 20 & 511u;
}

static inline uint32_t am_quarters(uint32_t turn)
{
    return turn >> 27 & 3u;
}

/* ---- frames in the ring ------------------------------------------------------------------------------------------ */

/* The band's words of a frame, SPEC.md, 4.6: real and imaginary first, real and imaginary second. slot: in the ring. */
static inline void am_band_words(const airmark_t *detector, uint32_t slot, uint32_t b, uint32_t words[4])
{
    const uint32_t *const real = detector->frame_words[slot];
    const uint32_t *const imaginary = real + 7;
    const uint32_t rest = detector->frame_rests[slot];
    switch (b) {
    case 0:
        words[0] = real[0];
        words[1] = imaginary[0];
        words[2] = real[1] & 0x01FFFFFFu;
        words[3] = imaginary[1] & 0x01FFFFFFu;
        break;
    case 1:
        words[0] = real[2];
        words[1] = imaginary[2];
        words[2] = (real[1] & 0xFE000000u) | (real[3] & 0x0007FFFFu);
        words[3] = (imaginary[1] & 0xFE000000u) | (imaginary[3] & 0x0007FFFFu);
        break;
    case 2:
        words[0] = real[4];
        words[1] = imaginary[4];
        words[2] = (real[3] & 0xFFF80000u) | (real[5] & 0x00001FFFu);
        words[3] = (imaginary[3] & 0xFFF80000u) | (imaginary[5] & 0x00001FFFu);
        break;
    default:
        words[0] = real[6];
        words[1] = imaginary[6];
        words[2] = (real[5] & 0xFFFFE000u) | (rest & 0x7Fu);
        words[3] = (imaginary[5] & 0xFFFFE000u) | rest >> 7;
        break;
    }
}

/* Slot of frame number `frame` (low 32 bits), one of the last AIRMARK_RING. */
static inline uint32_t am_slot(const airmark_t *detector, uint32_t frame)
{
    const uint32_t age = detector->frames - 1u - frame;
    return detector->newest >= age ? detector->newest - age : detector->newest + AIRMARK_RING - age;
}

/* The difference of two frame numbers, either way. */
static inline uint32_t am_distance(uint32_t a, uint32_t b)
{
    return a - b < b - a ? a - b : b - a;
}

/* Used bins of band b. */
static inline int32_t am_used(const airmark_t *detector, uint32_t b)
{
    static const uint8_t used[2][AIRMARK_BANDS] = {{57, 58, 58, 58}, {57, 42, 0, 0}};
    return used[detector->config.rate == 8000u ? 1 : 0][b];
}

/* Lanes of used bins in the band's first and second word. */
static inline const uint32_t *am_lanes(const airmark_t *detector, uint32_t b)
{
    static const uint32_t lanes[2][AIRMARK_BANDS][2] = {
        {{0xFFFFFFFFu, 0x01FFFFFFu}, {0xFFFFFFFFu, 0xFE07FFFFu}, {0xFFFFFFFFu, 0xFFF81FFFu}, {0xFFFFFFFFu, 0xFFFFE07Fu}},
        {{0xFFFFFFFFu, 0x01FFFFFFu}, {0xFFFFFFFFu, 0xFE000007u}, {0, 0}, {0, 0}},
    };
    return lanes[detector->config.rate == 8000u ? 1 : 0][b];
}

/* ---- stages, one file each ---------------------------------------------------------------------------------------- */

/*
 * input, for rates over 16 kHz: takes some of the samples, makes no more than `room` (1 to AM_INPUT_ROOM) at the frames'
 * rate and says how many in *made. Returns the samples taken, at least one.
 */
void airmark_input_reset(airmark_t *detector);
bool airmark_input_rate(uint32_t rate, uint32_t *numerator, uint32_t *denominator, uint32_t *delay);
#if AIRMARK_RESAMPLE
enum { AM_INPUT_ROOM = 86 }; /* what comes between two things that are due, airmark.c */
size_t airmark_input(airmark_t *detector, const int16_t *samples, size_t count, size_t stride, uint32_t room,
                     int16_t *out, uint32_t *made);
#endif

/*
 * frames: add takes samples, no more than the hop still lacks; once it is full (fill is the hop), make makes the frame and
 * is true, or false for the very first half. The transform, for tests, works in place and returns SPEC.md's H.
 */
AM_SELDOM void airmark_frames_reset(airmark_t *detector);
void airmark_frames_add(airmark_t *detector, const int16_t *samples, uint32_t count, size_t stride);
bool airmark_frames_make(airmark_t *detector);
#ifdef AIRMARK_TAP
uint32_t airmark_frames_transform(uint32_t work[256]);
#endif

/* screen: after each frame; the level, and candidates into the queue. */
AM_SELDOM void airmark_screen_reset(airmark_t *detector);
void airmark_screen(airmark_t *detector);

/* template and confirm: one step of the work on the first candidate; template is false where it is refused, confirm true
 * when done. */
AM_SELDOM bool airmark_template(airmark_t *detector, uint32_t step);
bool airmark_confirm(airmark_t *detector);

/* statistic: the score of a group of bands, and the handicap, by which that of the confirmed place is lowered, Q8. */
AM_SELDOM int32_t airmark_statistic(int32_t agreement, uint32_t variance, int64_t third);
AM_SELDOM int32_t airmark_handicap(const airmark_t *detector);

/* peaks: whether a confirmed place is told, and its detection. */
AM_SELDOM bool airmark_peaks(airmark_t *detector, int32_t score_q8, airmark_detection_t *detection);

#endif
