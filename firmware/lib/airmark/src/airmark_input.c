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

/* Taps times samples, rounded to 16 bits. */
static inline int32_t convolve(const int16_t filter[TAPS], const int16_t samples[TAPS])
{
    int32_t sum = 1 << 14;
    for (uint32_t k = 0; k < TAPS; k += 8) {
        sum = am_dot_add(am_load_pair(filter + k), am_load_pair(samples + k), sum);
        sum = am_dot_add(am_load_pair(filter + k + 2), am_load_pair(samples + k + 2), sum);
        sum = am_dot_add(am_load_pair(filter + k + 4), am_load_pair(samples + k + 4), sum);
        sum = am_dot_add(am_load_pair(filter + k + 6), am_load_pair(samples + k + 6), sum);
    }
    return am_saturate(am_shift(sum, 15));
}

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
    most = most > AIRMARK_HISTORY - TAPS ? AIRMARK_HISTORY - TAPS : most;
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
    } else {
        const int16_t *const filter = rate == 48000u ? airmark_filter_48 : airmark_filter_32;
        const uint32_t step = rate == 48000u ? 3u : 2u;
        for (; at < taken; at += step) {
            out[outputs++] = (int16_t)convolve(filter, history + at);
        }
    }
    detector->input_skip = (uint8_t)(at - taken);
    for (uint32_t i = 0; i < TAPS - 1u; i++) {
        history[i] = history[taken + i];
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
