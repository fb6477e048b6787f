/* Stage frames: the sound as one-bit frames. SPEC.md, 4. */
#include "airmark_internal.h"

void airmark_frames_reset(airmark_t *detector)
{
    memset(detector->work, 0, sizeof detector->work);
    memset(detector->earlier, 0, sizeof detector->earlier);
    memset(detector->loud, 0, sizeof detector->loud);
    memset(detector->frame_words, 0, sizeof detector->frame_words);
    memset(detector->frame_rests, 0, sizeof detector->frame_rests);
    detector->previous = 0;
    detector->fill = 0;
    detector->first_half = true;
    detector->drawn = 0x41524D4Bu;
    detector->newest = AIRMARK_RING - 1;
    detector->frames = 0;
    detector->seen = 0;
}

/*
 * For the level of a block of numbers: bit i of x ^ 2 x is set where bits i and i - 1 of a half differ, so that the highest
 * bit set in the OR of many is that of their largest. (Bit 16 mixes the halves, and counts nothing.)
 */
static inline uint32_t changes(uint32_t pair)
{
    return pair ^ (pair << 1);
}

/* bits(OR of c ^ -(c < 0)) of all the halves whose changes were collected. */
static inline uint32_t size_of(uint32_t collected)
{
    const uint32_t both = (collected | collected >> 16) & 0xFFFEu;
    return both == 0 ? 0u : am_bits(both) - 1u;
}

/* SPEC.md, 4.3, stage 0: four numbers `step` apart. */
static inline uint32_t butterfly(uint32_t *a, uint32_t step, uint32_t t0, uint32_t t1, uint32_t t2, uint32_t t3)
{
    const uint32_t even = am_add_pair(t0, t2);
    const uint32_t odd = am_add_pair(t1, t3);
    const uint32_t even_difference = am_sub_pair(t0, t2);
    const uint32_t odd_difference = am_sub_pair(t1, t3);
    const uint32_t y0 = am_add_pair(even, odd);
    const uint32_t y1 = am_sub_turned(even_difference, odd_difference);
    const uint32_t y2 = am_sub_pair(even, odd);
    const uint32_t y3 = am_add_turned(even_difference, odd_difference);
    a[0] = y0;
    a[step] = y1;
    a[2 * step] = y2;
    a[3 * step] = y3;
    return changes(y0) | changes(y1) | changes(y2) | changes(y3);
}

/* x times the conjugate of w, 2^-(15 + q), rounded. */
static inline uint32_t turn_back(uint32_t x, uint32_t w, uint32_t q, int32_t rounding)
{
    return am_pack(am_shift(am_dot(x, w) + rounding, 15u + q), am_shift(rounding - am_cross(x, w), 15u + q));
}

/*
 * The transform of SPEC.md, 4.3. There a number lies where decimation in time puts it; here number p lies at the index
 * with p's base-4 digits reversed, so that nothing need be moved before: stage t's legs lie 64 / 4^t apart.
 */
uint32_t airmark_frames_transform(uint32_t work[256])
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < 64; i++) {
        size |= butterfly(&work[i], 64, work[i], work[i + 64], work[i + 128], work[i + 192]);
    }
    for (uint32_t stage = 1; stage < 4; stage++) {
        const uint32_t length = 1u << (2u * stage);
        const uint32_t step = 64u >> (2u * stage);
        const uint32_t h = size_of(size);
        const uint32_t q = h > 12u ? h - 12u : 0u;
        const int32_t rounding = (int32_t)(1u << (14u + q));
        const int32_t half = (int32_t)((1u << q) >> 1);
        size = 0;
        for (uint32_t group = 0; group < length; group++) {
            /* Digits of the group's number reversed: k of the specification. */
            const uint32_t k = airmark_reversed[group * 4u * step];
            const uint32_t u = 128u * k / length;
            const uint32_t w1 = airmark_wave[u];
            const uint32_t w2 = airmark_wave[2u * u];
            const uint32_t w3 = airmark_wave[3u * u];
            uint32_t *a = &work[group * 4u * step];
            for (uint32_t i = 0; i < step; i++, a++) {
                const uint32_t x = a[0];
                const uint32_t t0 = am_pack(am_shift(am_low(x) + half, q), am_shift(am_high(x) + half, q));
                size |= butterfly(a, step, t0, turn_back(a[step], w1, q, rounding),
                                  turn_back(a[2u * step], w2, q, rounding), turn_back(a[3u * step], w3, q, rounding));
            }
        }
    }
    return size_of(size);
}

/* SPEC.md, 4.2: both halves windowed in place; the second becomes the next frame's first. */
static void window_frame(airmark_t *detector, uint32_t e)
{
    const int32_t rounding = (int32_t)(1u << (e + 1u));
    for (uint32_t i = 0; i < 128; i++) {
        const uint32_t first = detector->earlier[i];
        const uint32_t second = detector->work[128 + i];
        const int32_t w0 = airmark_window[2 * i];
        const int32_t w1 = airmark_window[2 * i + 1];
        const int32_t w2 = airmark_window[256 - 2 * i];
        const int32_t w3 = airmark_window[255 - 2 * i];
        detector->work[i] = am_pack(am_shift(am_low(first) * w0 + rounding, e + 2u),
                                    am_shift(am_high(first) * w1 + rounding, e + 2u));
        detector->earlier[i] = second;
        detector->work[128 + i] = am_pack(am_shift(am_low(second) * w2 + rounding, e + 2u),
                                          am_shift(am_high(second) * w3 + rounding, e + 2u));
    }
}

/* Signs of one part as they are collected: bit j of strings of 231 bits. */
typedef struct {
    uint32_t sign[2][8];
    uint32_t faint[2][8];
} strings_t;

static inline void note_part(strings_t *strings, uint32_t string, uint32_t j, int32_t part, uint32_t limit)
{
    const uint32_t bit = 1u << (j & 31u);
    if (part < 0) {
        strings->sign[string][j >> 5] |= bit;
    }
    if ((uint32_t)part + limit < 2u * limit) {
        strings->faint[string][j >> 5] |= bit;
    }
}

/* SPEC.md, 4.4 and 4.5, up to the faint parts. */
static void find_signs(const airmark_t *detector, uint32_t size, strings_t *strings)
{
    const uint32_t limit = 1u << (size + 3u);
    const uint32_t bins = detector->config.rate == 8000u ? 99u : (uint32_t)AM_BINS;
    for (uint32_t k = AM_FIRST_BIN; k <= 128u; k++) {
        const uint32_t a = detector->work[airmark_reversed[k]];
        const uint32_t b = detector->work[airmark_reversed[256u - k]];
        const uint32_t wave = airmark_wave[k];
        const uint32_t mean = am_mean_pair(a, b);
        const uint32_t difference = am_half_difference(a, b);
        const uint32_t crossed = am_pack(am_low(difference), am_high(mean));
        const int32_t p = am_cross(wave, crossed);
        const int32_t m = am_dot(wave, crossed);
        const int32_t real = am_low(mean) * 32768;
        const int32_t imaginary = am_high(difference) * 32768;
        const uint32_t j = k - AM_FIRST_BIN;
        if (j < bins) {
            note_part(strings, 0, j, real + p, limit);
            note_part(strings, 1, j, imaginary - m, limit);
        }
        const uint32_t mirrored = 256u - AM_FIRST_BIN - k;
        if (k < 128u && mirrored < bins) {
            note_part(strings, 0, mirrored, real - p, limit);
            note_part(strings, 1, mirrored, -imaginary - m, limit);
        }
    }
}

static inline uint32_t draw(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

/* SPEC.md, 4.5: faint parts take drawn bits, and the frame goes into the ring. */
static void keep_frame(airmark_t *detector, const strings_t *strings)
{
    static const uint32_t used[2][8] = {
        {0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0x7Fu},
        {0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0x7u, 0u, 0u, 0u, 0u},
    };
    const uint32_t *const lanes = used[detector->config.rate == 8000u ? 1 : 0];
    const uint32_t slot = detector->newest + 1u == AIRMARK_RING ? 0u : detector->newest + 1u;
    for (uint32_t string = 0; string < 2; string++) {
        for (uint32_t i = 0; i < 7; i++) {
            const uint32_t faint = strings->faint[string][i];
            const uint32_t drawn = draw(&detector->drawn);
            detector->frame_words[slot][7 * string + i] =
                ((strings->sign[string][i] & ~faint) | (drawn & faint)) & lanes[i];
        }
    }
    const uint32_t faint = strings->faint[0][7] | strings->faint[1][7] << 7;
    const uint32_t sign = strings->sign[0][7] | strings->sign[1][7] << 7;
    const uint32_t drawn = draw(&detector->drawn);
    const uint32_t rest = ((sign & ~faint) | (drawn & faint)) & (lanes[7] | lanes[7] << 7);
    detector->frame_rests[slot] = (uint16_t)rest;
    detector->newest = (uint16_t)slot;
    detector->frames++;
    detector->seen = (uint8_t)(detector->seen + (detector->seen < AM_WHOLE_FRAMES));
}

static void make_frame(airmark_t *detector)
{
    strings_t strings;
    const uint32_t loud = (uint32_t)detector->loud[0] | detector->loud[1];
    if (loud == 0) {
        memset(strings.sign, 0, sizeof strings.sign);
        memset(strings.faint, 0xFF, sizeof strings.faint);
        strings.faint[0][7] = strings.faint[1][7] = 0x7Fu;
        memcpy(detector->earlier, detector->work + 128, sizeof detector->earlier);
    } else {
        memset(&strings, 0, sizeof strings);
        window_frame(detector, am_bits(loud));
        find_signs(detector, airmark_frames_transform(detector->work), &strings);
    }
    keep_frame(detector, &strings);
}

void airmark_frames_add(airmark_t *detector, const int16_t *samples, uint32_t count, size_t stride)
{
    const bool narrow = detector->config.rate == 8000u;
    int32_t previous = detector->previous;
    uint32_t loud = detector->loud[1];
    uint32_t fill = detector->fill;
    for (const uint32_t end = fill + count; fill < end; fill++) {
        const int32_t sample = *samples;
        const int32_t d = am_saturate(sample - previous);
        previous = sample;
        loud |= (uint32_t)(d < 0 ? ~d : d);
        if (narrow) {
            /* Every second sample is zero. */
            detector->work[128u + fill] = am_pack(d, 0);
        } else if ((fill & 1u) == 0) {
            detector->work[128u + fill / 2u] = am_pack(d, 0);
        } else {
            detector->work[128u + fill / 2u] |= am_pack(0, d);
        }
        /* Not past the last one: a stride may lead out of the caller's memory. */
        if (fill + 1u < end) {
            samples += stride;
        }
    }
    detector->previous = (int16_t)previous;
    detector->loud[1] = (uint16_t)loud;
    detector->fill = (uint16_t)fill;
}

bool airmark_frames_make(airmark_t *detector)
{
    const bool whole = !detector->first_half;
    if (whole) {
        make_frame(detector);
    } else {
        memcpy(detector->earlier, detector->work + 128, sizeof detector->earlier);
        detector->first_half = false;
    }
    detector->loud[0] = detector->loud[1];
    detector->loud[1] = 0;
    detector->fill = 0;
    return whole;
}
