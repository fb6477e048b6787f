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

typedef char am_history_is_long_enough[AIRMARK_HISTORY >= 2 * (TAPS + 1) ? 1 : -1];

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

/* `count` samples, `stride` apart, one after the other into `to`. */
static inline void gather(int16_t *to, const int16_t *samples, uint32_t count, size_t stride)
{
    if (stride == 1) {
        for (; count >= 4; count -= 4) {
            memcpy(to, samples, 4);
            memcpy(to + 2, samples + 2, 4);
            to += 4;
            samples += 4;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        to[i] = samples[i * stride];
    }
}

size_t airmark_input(airmark_t *detector, const int16_t *samples, size_t count, size_t stride, uint32_t room,
                     int16_t *out, uint32_t *made)
{
    const uint32_t rate = detector->config.rate;
    /* No more input than makes `room` outputs, the least distance of two of which is two samples. */
    size_t most = (size_t)detector->input_skip + 2u * room - 1u;
    if (most > AIRMARK_HISTORY - TAPS) {
        most = AIRMARK_HISTORY - TAPS;
    }
    const uint32_t taken = (uint32_t)(count < most ? count : most);
    int16_t *const history = detector->history;
    gather(history + TAPS - 1, samples, taken, stride);
    uint32_t at = detector->input_skip;
    uint32_t outputs = 0;
    if (rate == 44100u) {
        uint32_t phase = detector->input_phase;
        while (at < taken) {
            out[outputs++] = (int16_t)convolve(airmark_filter_44[phase * 64u / 160u], history + at);
            /* 441 / 160 samples on. */
            phase += 121u;
            at += 2u;
            if (phase >= 160u) {
                phase -= 160u;
                at++;
            }
        }
        detector->input_phase = (uint16_t)phase;
    } else if (rate == 48000u) {
        for (; at + 9u < taken; at += 12u) {
            convolve_6_apart(airmark_filter_48, history + at, out + outputs, out + outputs + 2);
            convolve_6_apart(airmark_filter_48, history + at + 3, out + outputs + 1, out + outputs + 3);
            outputs += 4;
        }
        for (; at < taken; at += 3u) {
            out[outputs++] = (int16_t)convolve(airmark_filter_48, history + at);
        }
    } else {
        for (; at + 2u < taken; at += 4u) {
            convolve_2_apart(airmark_filter_32, history + at, out + outputs, out + outputs + 1);
            outputs += 2;
        }
        for (; at < taken; at += 2u) {
            out[outputs++] = (int16_t)convolve(airmark_filter_32, history + at);
        }
    }
    detector->input_skip = (uint8_t)(at - taken);
    /* The last samples to the front, words at a time where they do not overlap. */
    if (taken >= TAPS) {
        gather(history, history + taken, TAPS, 1);
    } else {
        for (uint32_t i = 0; i < TAPS - 1u; i++) {
            history[i] = history[taken + i];
        }
    }
    *made = outputs;
    return taken;
}

#else

void airmark_input_reset(airmark_t *detector)
{
    (void)detector;
}

#endif
