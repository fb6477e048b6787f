/* Stage screen: a running level from the short lags, and the candidates it lets through. SPEC.md, 5. */
#include "airmark_internal.h"

enum { WHOLE_LEAST = 576, HALF_LEAST = 768 };

/* Frames after which a report no longer matters: long before their count comes round. SPEC.md, 10. */
#define FORGOTTEN (1u << 30)

/* Pairs of repetitions at lags 1 to 4, of two bands: lanes of the planes that count. */
static const uint16_t lanes_of_two_bands[2] = {2 * (31 + 30 + 29 + 28), 2 * (15 + 14 + 13 + 12)};

void airmark_screen_reset(airmark_t *detector)
{
    memset(detector->products, 0, sizeof detector->products);
    memset(detector->blocks, 0, sizeof detector->blocks);
    memset(detector->planes, 0, sizeof detector->planes);
    for (uint32_t phase = 0; phase < 4; phase++) {
        for (uint32_t span = 0; span < 2; span++) {
            /* All planes zero: levels of -7 everywhere. */
            detector->power[phase][span][0] = detector->power[phase][span][1] =
                (uint16_t)(49u * lanes_of_two_bands[span]);
        }
    }
    detector->level = 0;
}

/* u of SPEC.md, 5.2, at a bit of its planes. */
static inline uint32_t level_at(uint32_t ones, uint32_t twos, uint32_t fours, uint32_t bit)
{
    return (ones >> bit & 1u) | (twos >> bit & 1u) << 1 | (fours >> bit & 1u) << 2;
}

/* Ones in four words, 0..128. */
static inline uint32_t ones4(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
#if defined(AIRMARK_POPCOUNT)
    return am_ones(a) + am_ones(b) + am_ones(c) + am_ones(d);
#else
    uint32_t twos;
    uint32_t ones = am_add3(a, b, c, &twos);
    /* Lanes of two bits hold ones + d, 0..4, and twice as much of the rest. */
    ones -= (ones >> 1) & 0x55555555u;
    d -= (d >> 1) & 0x55555555u;
    twos -= (twos >> 1) & 0x55555555u;
    ones = (ones & 0x33333333u) + ((ones >> 2) & 0x33333333u) + (d & 0x33333333u) + ((d >> 2) & 0x33333333u);
    twos = (twos & 0x33333333u) + ((twos >> 2) & 0x33333333u);
    ones = (ones & 0x0F0F0F0Fu) + ((ones >> 4) & 0x0F0F0F0Fu);
    twos = (twos & 0x0F0F0F0Fu) + ((twos >> 4) & 0x0F0F0F0Fu);
    return am_sum_bytes(ones + (twos << 1)); /* at most 32 a byte */
#endif
}

/* 5.1 of band b: the block sums of all lags. Lag 0 is the frame itself: am_band_words is long, and so stands here once. */
static void sum_blocks(airmark_t *detector, uint32_t b)
{
    const int32_t used = am_used(detector, b);
    const uint32_t phase = (detector->frames - 1u) & 3u;
    uint32_t slot = detector->newest;
    uint32_t words[4] = {0, 0, 0, 0};
    for (uint32_t lag = 0; lag <= AIRMARK_SCREEN_LAGS; lag++) {
        uint32_t older[4];
        am_band_words(detector, slot, b, older);
        slot = slot >= AM_BLOCK_FRAMES ? slot - AM_BLOCK_FRAMES : slot + AIRMARK_RING - AM_BLOCK_FRAMES;
        if (lag == 0) {
            for (uint32_t i = 0; i < 4; i++) {
                words[i] = older[i];
            }
            continue;
        }
        const int32_t product =
            used - (int32_t)ones4(words[0] ^ older[0], words[1] ^ older[1], words[2] ^ older[2], words[3] ^ older[3]);
        int8_t *const last = &detector->products[phase][lag - 1u][b];
        int16_t *const block = &detector->blocks[lag - 1u][b];
        *block = (int16_t)(*block + product - *last);
        *last = (int8_t)product;
    }
}

/* 5.2 of band b: the block sums into the planes, and what the powers gain and lose by them. */
static void shift_planes(airmark_t *detector, uint32_t b)
{
    static const uint8_t squares[8] = {49, 25, 9, 1, 1, 9, 25, 49};
    const uint32_t phase = (detector->frames - 1u) & 3u;
    uint32_t whole = 0;
    uint32_t half = 0;
    for (uint32_t lag = 1; lag <= AIRMARK_SCREEN_LAGS; lag++) {
        const uint32_t level =
            (uint32_t)am_clamp((int32_t)((uint32_t)(detector->blocks[lag - 1u][b] + 256) >> 3) - 28, 0, 7);
        uint32_t *const planes = detector->planes[phase][lag - 1u][b];
        const uint32_t ones = planes[0];
        const uint32_t twos = planes[1];
        const uint32_t fours = planes[2];
        whole += squares[level] - squares[level_at(ones, twos, fours, 31u - lag)];
        if (detector->config.early) {
            half += squares[level] - squares[level_at(ones, twos, fours, 15u - lag)];
        }
        planes[0] = ones << 1 | (level & 1u);
        planes[1] = twos << 1 | (level >> 1 & 1u);
        planes[2] = fours << 1 | level >> 2;
    }
    uint16_t *power = &detector->power[phase][AM_WHOLE][b / AM_LOW_BANDS];
    *power = (uint16_t)(*power + whole);
    power = &detector->power[phase][AM_HALF][b / AM_LOW_BANDS];
    *power = (uint16_t)(*power + half);
}

static void take_products(airmark_t *detector)
{
    const uint32_t bands = detector->config.rate == 8000u ? AM_LOW_BANDS : AIRMARK_BANDS;
    for (uint32_t b = 0; b < bands; b++) {
        sum_blocks(detector, b);
        shift_planes(detector, b);
    }
}

/* Adds plane k of two bands to the sums: `bands` carries from plane to plane of the two, `carry` of the sums. */
#define ADD_PLANE(k) \
    do { \
        const uint32_t both = am_add3(planes[0][k] ^ d0, planes[1][k] ^ d1, bands, &bands) << lag; \
        sums[k] = am_add3(sums[k], both, carry, &carry); \
    } while (0)

/* Q of two bands, SPEC.md, 5.3; first: the lower or upper two. */
static int32_t agreement_of_bands(const airmark_t *detector, uint32_t span, uint32_t first, const uint32_t *columns)
{
    const uint32_t phase = (detector->frames - 1u) & 3u;
    uint32_t c0 = columns[first];
    uint32_t c1 = columns[first + 1u];
    uint32_t lanes = 0xFFFFFFFFu;
    if (span != AM_WHOLE) {
        c0 >>= 16;
        c1 >>= 16;
        lanes = 0xFFFFu;
    }
    /* The sum of u, turned round by the key, lane by lane: of two bands and four lags at most 56, in six planes. */
    uint32_t sums[5] = {0, 0, 0, 0, 0};
    uint32_t thirty_twos = 0;
    for (uint32_t lag = 1; lag <= AIRMARK_SCREEN_LAGS; lag++) {
        const uint32_t(*const planes)[3] = &detector->planes[phase][lag - 1u][first];
        const uint32_t d0 = c0 ^ c0 >> lag;
        const uint32_t d1 = c1 ^ c1 >> lag;
        uint32_t bands = 0;
        uint32_t carry = 0;
        /* The uppermost lanes have no partner at this lag: the shift leaves them out, and moves the others alike. */
        ADD_PLANE(0);
        ADD_PLANE(1);
        ADD_PLANE(2);
        sums[3] = am_add3(sums[3], bands << lag, carry, &carry);
        thirty_twos ^= sums[4] & carry;
        sums[4] ^= carry;
    }
    sums[0] &= lanes;
    sums[1] &= lanes;
    sums[2] &= lanes;
    sums[3] &= lanes;
    sums[4] &= lanes;
    return 2 * (int32_t)(am_ones_of_planes(sums) + 32u * am_ones(thirty_twos & lanes)) -
           7 * (int32_t)lanes_of_two_bands[span];
}

/* Q over the root of P, Q8; 0 for Q <= 0. */
static int32_t level_of_group(int32_t q, uint32_t power)
{
    if (q <= 0) {
        return 0;
    }
    uint32_t t = 0;
    while (power < 1u << 14) {
        power <<= 2;
        t++;
    }
    return (int32_t)(((uint32_t)q * airmark_roots[(power >> 8) - 64u]) >> (14u - t));
}

static int32_t level_of_key(const airmark_t *detector, uint32_t span, const airmark_key_t *key)
{
    const uint16_t *const power = detector->power[(detector->frames - 1u) & 3u][span];
    const int32_t low = agreement_of_bands(detector, span, 0, key->columns);
    const int32_t level_low = level_of_group(low, power[0]);
    int32_t level_all = level_low;
    if (detector->config.rate != 8000u) {
        const int32_t high = agreement_of_bands(detector, span, AM_LOW_BANDS, key->columns);
        level_all = level_of_group(low + high, (uint32_t)power[0] + power[1]);
    }
    return am_clamp(level_low - AM_LOW_HANDICAP_Q8, level_all, 65535);
}

/* 5.4: the level joins the others of its key and span, and may be a candidate, until the next is higher. */
static void take_level(airmark_t *detector, uint32_t key, uint32_t span, uint32_t level)
{
    AM_TAP(detector, AM_TAP_SCREEN, level);
    airmark_key_state_t *const state = &detector->key_state[key];
    if (detector->frames - 1u - state->told_frame[span] > FORGOTTEN) {
        state->told_agreement[span] = 0;
    }
    uint16_t *const levels = state->levels[span];
    const uint32_t before = levels[0];
    const uint32_t earlier = levels[1];
    levels[1] = (uint16_t)before;
    levels[0] = (uint16_t)level;
    if (level < (span == AM_WHOLE ? WHOLE_LEAST : HALF_LEAST) || level <= before || level <= earlier) {
        return;
    }
    const uint32_t frame = detector->frames - (span == AM_WHOLE ? AM_WHOLE_FRAMES : AM_HALF_FRAMES);
    AM_TAP(detector, AM_TAP_CANDIDATES, frame);
    AM_TAP(detector, AM_TAP_CANDIDATES, key);
    AM_TAP(detector, AM_TAP_CANDIDATES, span);
    AM_TAP(detector, AM_TAP_CANDIDATES, level);
    uint32_t at = 0;
    while (at < detector->queued && (detector->queue[at].frame != frame - 1u || detector->queue[at].key != key ||
                                     detector->queue[at].half != span)) {
        at++;
    }
    if (at < detector->queued) {
        /* The level has risen further: this one instead of that of the frame before. */
        detector->step = at == 0 ? 0 : detector->step;
    } else if (at == AIRMARK_QUEUE) {
        /* The lowest gives way, the oldest of several; not the one being worked on. */
        detector->dropped = (uint16_t)(detector->dropped + (detector->dropped < 65535u));
        at = detector->step > 0 ? 1u : 0u;
        for (uint32_t i = at + 1u; i < AIRMARK_QUEUE; i++) {
            at = detector->queue[i].level < detector->queue[at].level ? i : at;
        }
        if (detector->queue[at].level >= level) {
            return;
        }
        for (; at + 1u < AIRMARK_QUEUE; at++) {
            detector->queue[at] = detector->queue[at + 1u];
            AM_IN_ORDER(); /* no call of memmove */
        }
    } else {
        detector->queued++;
    }
    airmark_place_t *const place = &detector->queue[at];
    place->frame = frame;
    place->key = (uint8_t)key;
    place->half = (uint8_t)span;
    place->level = (uint16_t)level;
}

void airmark_screen(airmark_t *detector)
{
    take_products(detector);
    AM_TAP_EACH(detector, AM_TAP_SCREEN, &detector->blocks[0][0], AIRMARK_SCREEN_LAGS * AIRMARK_BANDS, 1);
    uint32_t highest = 0;
    for (uint32_t key = 0; key < detector->config.key_count; key++) {
        const airmark_key_t *const signs = &detector->config.keys[key];
        uint32_t level = 0;
        if (detector->seen >= AM_WHOLE_FRAMES) {
            level = (uint32_t)level_of_key(detector, AM_WHOLE, signs);
        }
        take_level(detector, key, AM_WHOLE, level);
        highest = level > highest ? level : highest;
        if (detector->config.early) {
            level = 0;
            if (detector->seen >= AM_HALF_FRAMES) {
                level = (uint32_t)level_of_key(detector, AM_HALF, signs);
            }
            take_level(detector, key, AM_HALF, level);
        }
    }
    detector->level = (uint16_t)highest;
}
