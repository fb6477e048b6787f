/* Stage frames: the sound as one-bit frames. SPEC.md, 4. */
#include "airmark_internal.h"

void airmark_frames_reset(airmark_t *detector)
{
    memset(detector->work, 0, sizeof detector->work);
    memset(detector->earlier, 0, sizeof detector->earlier);
    memset(detector->changed, 0, sizeof detector->changed);
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

/* SPEC.md, 4.3, stage 0: four numbers `step` apart. Returns their changes. */
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

/* x times the conjugate of w, 2^-shift, rounded. */
static inline uint32_t turn_back(uint32_t x, uint32_t w, uint32_t shift, int32_t rounding)
{
    return am_pack(am_shift(am_dot_add(x, w, rounding), shift), am_shift(am_cross_add(w, x, rounding), shift));
}

/* How a stage brings its numbers down, SPEC.md, 4.3: by q, rounded. */
typedef struct {
    uint32_t q;
    uint32_t shift;
    int32_t half;
    int32_t rounding;
} scale_t;

static inline scale_t scale_for(uint32_t size)
{
    scale_t scale;
    scale.q = size > 12u ? size - 12u : 0u;
    scale.shift = 15u + scale.q;
    scale.half = (int32_t)((1u << scale.q) >> 1);
    scale.rounding = (int32_t)(1u << (14u + scale.q));
    return scale;
}

/* Four legs `step` apart, turned by multiples of w1. */
static inline uint32_t turned_butterfly(uint32_t *a, uint32_t step, uint32_t w1, uint32_t w2, uint32_t w3,
                                        const scale_t *scale)
{
    const uint32_t x = a[0];
    const uint32_t t0 =
        am_pack(am_shift(am_low(x) + scale->half, scale->q), am_shift(am_high(x) + scale->half, scale->q));
    const uint32_t t1 = turn_back(a[step], w1, scale->shift, scale->rounding);
    const uint32_t t2 = turn_back(a[2u * step], w2, scale->shift, scale->rounding);
    const uint32_t t3 = turn_back(a[3u * step], w3, scale->shift, scale->rounding);
    return butterfly(a, step, t0, t1, t2, t3);
}

/* One stage after the first: 64 / step groups, legs `step` apart. Returns the changes of its results. */
static inline uint32_t stage(uint32_t work[256], uint32_t groups, uint32_t step, uint32_t size)
{
    const scale_t scale = scale_for(size);
    uint32_t collected = 0;
    uint32_t *a = work;
    for (uint32_t group = 0; group < groups; group++) {
        /* Digits of the group's number reversed: k of the specification. */
        const uint32_t u = 2u * step * airmark_reversed[group * 4u * step];
        const uint32_t w1 = airmark_wave[u];
        const uint32_t w2 = airmark_wave[2u * u];
        const uint32_t w3 = airmark_wave[3u * u];
        for (const uint32_t *const end = a + step; a < end; a++) {
            collected |= turned_butterfly(a, step, w1, w2, w3, &scale);
        }
        a += 3u * step;
    }
    return collected;
}

/*
 * The transform of SPEC.md, 4.3, after its stage 0, whose results changed as `collected` says. There a number lies where
 * decimation in time puts it; here number p lies at the index with p's base-4 digits reversed, so that nothing need be moved
 * before: stage t's legs lie 64 / 4^t apart. Returns H.
 */
static uint32_t transform(uint32_t work[256], uint32_t collected)
{
    collected = stage(work, 4, 16, size_of(collected));
    collected = stage(work, 16, 4, size_of(collected));
    collected = stage(work, 64, 1, size_of(collected));
    return size_of(collected);
}

#ifdef AIRMARK_TAP
uint32_t airmark_frames_transform(uint32_t work[256])
{
    uint32_t collected = 0;
    for (uint32_t i = 0; i < 64; i++) {
        collected |= butterfly(&work[i], 64, work[i], work[i + 64], work[i + 128], work[i + 192]);
    }
    return transform(work, collected);
}
#endif

/* A pair of samples times two numbers of the window. */
static inline uint32_t windowed(uint32_t pair, int32_t first, int32_t second, uint32_t shift, int32_t rounding)
{
    return am_pack(am_shift(am_low(pair) * first + rounding, shift), am_shift(am_high(pair) * second + rounding, shift));
}

/* SPEC.md, 4.2, and stage 0 of 4.3, in place. The second half becomes the next frame's first. Returns stage 0's changes. */
static uint32_t window_frame(airmark_t *detector, uint32_t e)
{
    const int32_t rounding = (int32_t)(1u << (e + 1u));
    const uint32_t shift = e + 2u;
    uint32_t *const earlier = detector->earlier;
    uint32_t *const work = detector->work;
    uint32_t collected = 0;
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t third = work[128 + i];
        const uint32_t fourth = work[192 + i];
        const uint32_t rising = airmark_window[i];
        const uint32_t high = airmark_window[64 + i];
        /* The window's mirror image begins with an even sample too: its pairs straddle those of the table. */
        const uint32_t falling = airmark_window[127 - i];
        const uint32_t low = airmark_window[63 - i];
        const uint32_t t0 = windowed(earlier[i], am_low(rising), am_high(rising), shift, rounding);
        const uint32_t t1 = windowed(earlier[64 + i], am_low(high), am_high(high), shift, rounding);
        const uint32_t t2 = windowed(third, am_low(airmark_window[128 - i]), am_high(falling), shift, rounding);
        const uint32_t t3 = windowed(fourth, am_low(airmark_window[64 - i]), am_high(low), shift, rounding);
        earlier[i] = third;
        earlier[64 + i] = fourth;
        collected |= butterfly(&work[i], 64, t0, t1, t2, t3);
    }
    return collected;
}

/* Bits of 16 bins each, those of the real parts in the lower and of the imaginary parts in the upper half. */
typedef struct {
    uint32_t sign[15];
    uint32_t faint[15];
} strings_t;

/* SPEC.md, 4.5: the highest bit is set where the part is faint. limit: F. */
static inline uint32_t over_faint(int32_t part, uint32_t limit)
{
    return ((uint32_t)part ^ (0u - ((uint32_t)part >> 31))) - limit;
}

/* The parts of X[k] and X[256 - k], SPEC.md, 4.4: real and imaginary. rising, falling: k and 256 - k with digits reversed. */
static inline void spectrum(const uint32_t work[256], uint32_t rising, uint32_t falling, uint32_t wave, int32_t up[2],
                            int32_t down[2])
{
    const uint32_t a = work[rising];
    const uint32_t b = work[falling];
    const uint32_t mean = am_mean_pair(a, b);
    const uint32_t difference = am_half_difference(a, b);
    const uint32_t crossed = am_mix(difference, mean);
    const int32_t p = am_cross(wave, crossed);
    const int32_t m = am_dot(wave, crossed);
    const int32_t real = am_low(mean) * 32768;
    const int32_t imaginary = am_high(difference) * 32768;
    up[0] = real + p;
    up[1] = imaginary - m;
    down[0] = real - p;
    down[1] = -imaginary - m;
}

/*
 * SPEC.md, 4.4 and 4.5, up to the faint parts. Bins k count up and bins 256 - k down, each pair from the same sums; what
 * falls above the last used bin comes into bits that keep_frame leaves out.
 */
static void find_signs(const airmark_t *detector, uint32_t size, strings_t *strings)
{
    /* Pairs of bins up to where 16 of the falling and 16 of the rising ones are full, in turn; less the first bin. */
    static const uint8_t ends[15] = {13, 16, 29, 32, 45, 48, 61, 64, 77, 80, 93, 96, 109, 112, 118};
    const uint32_t limit = 1u << (size + 3u);
    int32_t up[2];
    int32_t down[2];
    /*
     * Signs of the rising bins enter both halves at the top and move down, those of the falling ones at the bottom. Faint parts
     * are few, and so are put in their place instead: the loop spends nothing on them where there is none.
     */
    uint32_t rising = 0;
    uint32_t falling = 0;
    uint32_t faint_rising = 0;
    uint32_t faint_falling = 0;
    const uint8_t *rising_at = airmark_reversed + AM_FIRST_BIN;
    const uint8_t *falling_at = airmark_reversed + 256 - AM_FIRST_BIN;
    const uint32_t *wave = airmark_wave + AM_FIRST_BIN;
    uint32_t lowest = 0x00010001u;
    AM_IN_REGISTER(lowest);
    for (uint32_t part = 0; part < 15; part++) {
        const uint8_t *const end = airmark_reversed + AM_FIRST_BIN + ends[part];
        do {
            spectrum(detector->work, *rising_at++, *falling_at--, *wave++, up, down);
            rising = rising >> 1 | (am_pack_high((uint32_t)up[0], (uint32_t)up[1]) & 0x80008000u);
            falling = falling << 1 | (am_pack_high((uint32_t)down[0], (uint32_t)down[1]) >> 15 & lowest);
            const uint32_t u0 = over_faint(up[0], limit);
            const uint32_t u1 = over_faint(up[1], limit);
            const uint32_t d0 = over_faint(down[0], limit);
            const uint32_t d1 = over_faint(down[1], limit);
            if (am_signed(u0 | u1 | d0 | d1) < 0) {
                const uint32_t j = (uint32_t)(rising_at - airmark_reversed) - AM_FIRST_BIN - 1u;
                faint_rising |= (am_pack_high(u0, u1) >> 15 & lowest) << (j & 15u);
                faint_falling |= (am_pack_high(d0, d1) >> 15 & lowest) << ((12u - j) & 15u);
            }
        } while (rising_at < end);
        if ((part & 1u) == 0) {
            strings->sign[14u - part / 2u] = falling;
            strings->faint[14u - part / 2u] = faint_falling;
            falling = faint_falling = 0;
        } else {
            strings->sign[part / 2u] = rising;
            strings->faint[part / 2u] = faint_rising;
            rising = faint_rising = 0;
        }
    }
    /* The middle bin, index 118, has no partner. The rising ones came from 112 to 117, the falling ones from 127 to 119. */
    spectrum(detector->work, airmark_reversed[128], airmark_reversed[128], airmark_wave[128], up, down);
    rising = rising >> 1 | (am_pack_high((uint32_t)up[0], (uint32_t)up[1]) & 0x80008000u);
    strings->sign[7] = (rising >> 9 & 0x007F007Fu) | (strings->sign[7] & 0x01FF01FFu) << 7;
    const uint32_t faint = am_pack_high(over_faint(up[0], limit), over_faint(up[1], limit)) >> 15 & lowest;
    strings->faint[7] |= faint_rising | faint << 6;
}

/* The next draw, SPEC.md, 4.5. */
static inline uint32_t draw(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
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
    uint32_t *const words = detector->frame_words[slot];
    uint32_t drawn = detector->drawn;
    for (uint32_t i = 0; i < 7; i++) {
        const uint32_t faint = am_pack_low(strings->faint[2 * i], strings->faint[2 * i + 1]);
        const uint32_t sign = am_pack_low(strings->sign[2 * i], strings->sign[2 * i + 1]);
        drawn = draw(drawn);
        words[i] = ((sign & ~faint) | (drawn & faint)) & lanes[i];
    }
    for (uint32_t i = 0; i < 7; i++) {
        const uint32_t faint = am_pack_high(strings->faint[2 * i], strings->faint[2 * i + 1]);
        const uint32_t sign = am_pack_high(strings->sign[2 * i], strings->sign[2 * i + 1]);
        drawn = draw(drawn);
        words[7 + i] = ((sign & ~faint) | (drawn & faint)) & lanes[i];
    }
    const uint32_t faint = (strings->faint[14] & 0x7Fu) | (strings->faint[14] >> 16 & 0x7Fu) << 7;
    const uint32_t sign = (strings->sign[14] & 0x7Fu) | (strings->sign[14] >> 16 & 0x7Fu) << 7;
    drawn = draw(drawn);
    detector->frame_rests[slot] = (uint16_t)(((sign & ~faint) | (drawn & faint)) & (lanes[7] | lanes[7] << 7));
    AM_TAP_EACH(detector, AM_TAP_FRAMES, words, AIRMARK_FRAME_WORDS, 1);
    AM_TAP(detector, AM_TAP_FRAMES, detector->frame_rests[slot]);
    detector->drawn = drawn;
    detector->newest = (uint16_t)slot;
    detector->frames++;
    detector->seen = (uint8_t)(detector->seen + (detector->seen < AM_WHOLE_FRAMES));
}

static void make_frame(airmark_t *detector)
{
    strings_t strings;
    const uint32_t e = size_of(detector->changed[0] | detector->changed[1]);
    if (e == 0) {
        memset(&strings, 0xFF, sizeof strings); /* all is faint, and its signs do not matter */
        memcpy(detector->earlier, detector->work + 128, sizeof detector->earlier);
    } else {
        find_signs(detector, transform(detector->work, window_frame(detector, e)), &strings);
    }
    keep_frame(detector, &strings);
}

void airmark_frames_add(airmark_t *detector, const int16_t *samples, uint32_t count, size_t stride)
{
    AM_TAP_EACH(detector, AM_TAP_INPUT, samples, count, stride);
    uint32_t fill = detector->fill;
    uint32_t changed = detector->changed[1];
    /* The last sample in the upper half, so that with the next two it makes what is subtracted from them. */
    uint32_t last = am_pack(0, detector->previous);
    if (detector->config.rate == 8000u) {
        /* Every second sample is zero. */
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t next = am_pack(samples[i * stride], 0);
            const uint32_t d = am_saturated_sub_pair(next, last >> 16) & 0xFFFFu;
            detector->work[128u + fill] = d;
            changed |= changes(d) & 0xFFFFu;
            last = next << 16;
            fill++;
        }
    } else {
        if (count > 0 && (fill & 1u) != 0) {
            const uint32_t next = am_pack(0, *samples);
            const uint32_t d = am_saturated_sub_pair(next, last) & 0xFFFF0000u;
            detector->work[128u + fill / 2u] |= d;
            changed |= changes(d);
            last = next;
            fill++;
            count--;
            samples += count > 0 ? stride : 0;
        }
        uint32_t *word = &detector->work[128u + fill / 2u];
        fill += count;
        if (stride == 1) {
            for (; count >= 4; count -= 4) {
                const uint32_t next = am_load_pair(samples);
                const uint32_t then = am_load_pair(samples + 2);
                const uint32_t d = am_saturated_sub_pair(next, last >> 16 | next << 16);
                const uint32_t e = am_saturated_sub_pair(then, next >> 16 | then << 16);
                word[0] = d;
                word[1] = e;
                word += 2;
                changed |= changes(d);
                changed |= changes(e);
                last = then;
                samples += 4;
            }
        }
        for (; count >= 2; count -= 2) {
            const uint32_t next = am_pack(samples[0], samples[stride]);
            const uint32_t d = am_saturated_sub_pair(next, last >> 16 | next << 16);
            *word++ = d;
            changed |= changes(d);
            last = next;
            /* Not past the end: a stride may lead out of the caller's memory. */
            samples += count > 2 ? 2u * stride : 0;
        }
        if (count > 0) {
            const uint32_t next = am_pack(*samples, 0);
            const uint32_t d = am_saturated_sub_pair(next, last >> 16) & 0xFFFFu;
            *word = d;
            changed |= changes(d) & 0xFFFFu;
            last = next << 16;
        }
    }
    detector->previous = (int16_t)am_high(last);
    /* The bits that count: what is remembered is then the same wherever the sound was cut. */
    detector->changed[1] = changed & 0xFFFEFFFEu;
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
    detector->changed[0] = detector->changed[1];
    detector->changed[1] = 0;
    detector->fill = 0;
    return whole;
}
