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
        *delay = 16;
        return true;
    case 48000:
        *numerator = 3;
        *denominator = 1;
        *delay = 16;
        return true;
#endif
    default:
        return false;
    }
}

#if AIRMARK_RESAMPLE

enum { TAPS = 32, TAPS_32 = 24 };

typedef char am_history_is_long_enough[AIRMARK_HISTORY >= 2 * TAPS ? 1 : -1];

void airmark_input_reset(airmark_t *detector)
{
    memset(detector->history, 0, sizeof detector->history);
    detector->input_phase = 0;
    detector->input_skip = 0;
}

static inline uint32_t two_samples(const int16_t *samples)
{
    uint32_t pair;
    memcpy(&pair, samples, sizeof pair);
    return pair;
}

/* Taps times samples, rounded to 16 bits; `taps` is a multiple of 8. */
static inline int32_t convolve(const int16_t *filter, const int16_t *samples, uint32_t taps)
{
    int32_t sum = 1 << 14;
    for (uint32_t k = 0; k < taps; k += 8) {
        sum = am_dot_add(two_samples(filter), two_samples(samples), sum);
        sum = am_dot_add(two_samples(filter + 2), two_samples(samples + 2), sum);
        sum = am_dot_add(two_samples(filter + 4), two_samples(samples + 4), sum);
        sum = am_dot_add(two_samples(filter + 6), two_samples(samples + 6), sum);
        filter += 8;
        samples += 8;
    }
    return am_saturate(am_shift(sum, 15));
}

size_t airmark_input(airmark_t *detector, const int16_t *samples, size_t count, size_t stride, uint32_t room,
                     int16_t *out, uint32_t *made)
{
    const uint32_t rate = detector->config.rate;
    const uint32_t taps = rate == 32000u ? (uint32_t)TAPS_32 : (uint32_t)TAPS;
    /* No more input than makes `room` outputs, the least distance of two of which is two samples. */
    size_t most = (size_t)detector->input_skip + 2u * room - 1u;
    most = most > AIRMARK_HISTORY - TAPS ? AIRMARK_HISTORY - TAPS : most;
    const uint32_t taken = (uint32_t)(count < most ? count : most);
    int16_t *const fresh = detector->history + (taps - 1u);
    for (uint32_t i = 0; i < taken; i++) {
        fresh[i] = *samples;
        /* Not past the last one: a stride may lead out of the caller's memory. */
        if (i + 1u < taken) {
            samples += stride;
        }
    }
    uint32_t at = detector->input_skip;
    uint32_t outputs = 0;
    while (at < taken) {
        const int16_t *const first = detector->history + at;
        if (rate == 44100u) {
            const uint32_t phase = detector->input_phase;
            out[outputs++] = (int16_t)convolve(airmark_filter_44[phase * 64u / 160u], first, TAPS);
            /* 441 / 160 samples on. */
            const uint32_t next = phase + 121u;
            at += next >= 160u ? 3u : 2u;
            detector->input_phase = (uint16_t)(next >= 160u ? next - 160u : next);
        } else if (rate == 48000u) {
            out[outputs++] = (int16_t)convolve(airmark_filter_48, first, TAPS);
            at += 3u;
        } else {
            out[outputs++] = (int16_t)convolve(airmark_filter_32, first, TAPS_32);
            at += 2u;
        }
    }
    detector->input_skip = (uint8_t)(at - taken);
    memmove(detector->history, detector->history + taken, (taps - 1u) * sizeof detector->history[0]);
    *made = outputs;
    return taken;
}

#else

void airmark_input_reset(airmark_t *detector)
{
    (void)detector;
}

#endif
