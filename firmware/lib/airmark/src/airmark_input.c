/* Stage input: any input rate to the frames' 16 kHz (8 kHz stays). SPEC.md, 3. */
#include "airmark_internal.h"

bool airmark_input_rate(uint32_t rate, uint32_t *numerator, uint32_t *denominator, uint32_t *delay)
{
    switch (rate) {
    case 8000:
        *numerator = 1;
        *denominator = 2;
        *delay = 0;
        return true;
    case 16000:
        *numerator = 1;
        *denominator = 1;
        *delay = 0;
        return true;
#if AIRMARK_RESAMPLE
    case 32000:
        *numerator = 2;
        *denominator = 1;
        *delay = 12;
        return true;
    case 44100:
        *numerator = 441;
        *denominator = 160;
        *delay = 12;
        return true;
    case 48000:
        *numerator = 3;
        *denominator = 1;
        *delay = 12;
        return true;
#endif
    default:
        return false;
    }
}

#if AIRMARK_RESAMPLE

enum { TAPS = 24 };

typedef char am_history_is_long_enough[AIRMARK_HISTORY >= 2 * TAPS - 1 ? 1 : -1];

void airmark_input_reset(airmark_t *detector)
{
    memset(detector->history, 0, sizeof detector->history);
    detector->input_phase = 0;
    detector->input_skip = 0;
}

/* Taps times samples, two at a time, added to the rounding. */
#define ADD_PAIR(k) sum = am_dot_add(filter[k], am_load_pair(samples + 2 * (k)), sum)

static inline int32_t convolve(const uint32_t filter[TAPS / 2], const int16_t samples[TAPS])
{
    int32_t sum = 1 << 14;
    ADD_PAIR(0);
    ADD_PAIR(1);
    ADD_PAIR(2);
    ADD_PAIR(3);
    ADD_PAIR(4);
    ADD_PAIR(5);
    ADD_PAIR(6);
    ADD_PAIR(7);
    ADD_PAIR(8);
    ADD_PAIR(9);
    ADD_PAIR(10);
    ADD_PAIR(11);
    return am_saturate(am_shift(sum, 15));
}

/* The same for two outputs 2 * APART samples apart, which share the loads of the taps and of most samples. */
#define ADD_PAIRS(k, APART) \
    do { \
        const uint32_t taps = filter[k]; \
        pairs[(k) + (APART)] = am_load_pair(samples + 2 * ((k) + (APART))); \
        sum = am_dot_add(taps, pairs[k], sum); \
        later = am_dot_add(taps, pairs[(k) + (APART)], later); \
    } while (0)

#define DEFINE_CONVOLVE_TWO(NAME, APART) \
    static inline void NAME(const uint32_t filter[TAPS / 2], const int16_t *samples, int16_t *out, int16_t *out_later) \
    { \
        uint32_t pairs[TAPS / 2 + (APART)]; \
        int32_t sum = 1 << 14; \
        int32_t later = 1 << 14; \
        for (uint32_t k = 0; k < (APART); k++) { \
            pairs[k] = am_load_pair(samples + 2 * k); \
        } \
        ADD_PAIRS(0, APART); \
        ADD_PAIRS(1, APART); \
        ADD_PAIRS(2, APART); \
        ADD_PAIRS(3, APART); \
        ADD_PAIRS(4, APART); \
        ADD_PAIRS(5, APART); \
        ADD_PAIRS(6, APART); \
        ADD_PAIRS(7, APART); \
        ADD_PAIRS(8, APART); \
        ADD_PAIRS(9, APART); \
        ADD_PAIRS(10, APART); \
        ADD_PAIRS(11, APART); \
        *out = (int16_t)am_saturate(am_shift(sum, 15)); \
        *out_later = (int16_t)am_saturate(am_shift(later, 15)); \
    }

DEFINE_CONVOLVE_TWO(convolve_2_apart, 1)
DEFINE_CONVOLVE_TWO(convolve_6_apart, 3)

/* `count` samples, `stride` apart, one after the other into `to`, which may be places before them in the same memory. */
static AM_NOT_INLINE void gather(int16_t *to, const int16_t *samples, uint32_t count, size_t stride)
{
    if (stride == 1) {
        for (; count >= 4; count -= 4) {
            uint32_t pair;
            memcpy(&pair, samples, 4);
            memcpy(to, &pair, 4);
            memcpy(&pair, samples + 2, 4);
            memcpy(to + 2, &pair, 4);
            to += 4;
            samples += 4;
        }
    }
    /* Not past the end: a stride may lead out of the caller's memory. */
    for (; count > 4; count -= 4) {
        to[0] = samples[0];
        to[1] = samples[stride];
        to[2] = samples[2 * stride];
        to[3] = samples[3 * stride];
        to += 4;
        samples += 4 * stride;
    }
    for (uint32_t i = 0; i < count; i++) {
        to[i] = samples[i * stride];
    }
}

/*
 * Places of outputs, in 2^-20 of an input sample. At 44.1 kHz a step and a phase, 1/160 of a sample, are rounded up by less
 * than half of that: with up to 159 phases and AM_INPUT_ROOM steps a place is still less than 2^-12 too high, and phases and
 * the 64 rows of the filter all begin at multiples of 1/320.
 */
#define PLACE_BITS 20
#define PLACE(samples) ((uint32_t)(samples) << PLACE_BITS)
#define STEP_44 2890138u
#define PHASE_44 6554u

/*
 * The outputs that are due within `count` samples, the first at *place; the next one's is then counted from behind them.
 * samples: the TAPS - 1 before them, then they. Returns the end of the outputs.
 */
static AM_NOT_INLINE int16_t *resample(uint32_t rate, const int16_t *samples, uint32_t count, uint32_t *place, int16_t *out)
{
    const uint32_t end = PLACE(count);
    uint32_t now = *place;
    if (rate == 44100u) {
        for (; now < end; now += STEP_44) {
            *out++ = (int16_t)convolve(airmark_filter_44[now >> (PLACE_BITS - 6) & 63u], samples + (now >> PLACE_BITS));
        }
    } else {
        uint32_t at = now >> PLACE_BITS;
        if (rate == 48000u) {
            for (; at + 9u < count; at += 12u) {
                convolve_6_apart(airmark_filter_48, samples + at, out, out + 2);
                convolve_6_apart(airmark_filter_48, samples + at + 3, out + 1, out + 3);
                out += 4;
            }
            for (; at < count; at += 3u) {
                *out++ = (int16_t)convolve(airmark_filter_48, samples + at);
            }
        } else {
            for (; at + 2u < count; at += 4u) {
                convolve_2_apart(airmark_filter_32, samples + at, out, out + 1);
                out += 2;
            }
            for (; at < count; at += 2u) {
                *out++ = (int16_t)convolve(airmark_filter_32, samples + at);
            }
        }
        now = PLACE(at);
    }
    *place = now - end;
    return out;
}

size_t airmark_input(airmark_t *detector, const int16_t *samples, size_t count, size_t stride, uint32_t room,
                     int16_t *out, uint32_t *made)
{
    const uint32_t rate = detector->config.rate;
    const uint32_t step = rate == 44100u ? STEP_44 : rate == 48000u ? PLACE(3) : PLACE(2);
    uint32_t place = PLACE(detector->input_skip) + PHASE_44 * detector->input_phase;
    /* As far as the sample with which the last output is due. */
    const uint32_t most = ((place + step * (room - 1u)) >> PLACE_BITS) + 1u;
    uint32_t taken = (uint32_t)(count < most ? count : most);
    int16_t *const history = detector->history;
    const int16_t *last;
    int16_t *end;
    if (stride == 1 && taken >= 2u * TAPS) {
        /* Only the first are put behind the history: the others lie as they must where they are. */
        gather(history + TAPS - 1, samples, TAPS, 1);
        end = resample(rate, history, TAPS, &place, out);
        end = resample(rate, samples + 1, taken - TAPS, &place, end);
        last = samples + taken - (TAPS - 1);
    } else {
        taken = taken < AIRMARK_HISTORY - (TAPS - 1) ? taken : AIRMARK_HISTORY - (TAPS - 1);
        gather(history + TAPS - 1, samples, taken, stride);
        end = resample(rate, history, taken, &place, out);
        last = history + taken;
    }
    gather(history, last, TAPS - 1, 1);
    detector->input_skip = (uint8_t)(place >> PLACE_BITS);
    detector->input_phase = (uint16_t)((place & (PLACE(1) - 1u)) * 160u >> PLACE_BITS);
    *made = (uint32_t)(end - out);
    return taken;
}

#else

void airmark_input_reset(airmark_t *detector)
{
    (void)detector;
}

#endif
