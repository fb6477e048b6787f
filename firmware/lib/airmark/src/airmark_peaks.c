/* Stage peaks: one detection a mark. SPEC.md, 10. */
#include "airmark_internal.h"

/* Input sample at which a mark of the place begins. */
static uint64_t sample_of(const airmark_t *detector)
{
    uint32_t numerator;
    uint32_t denominator;
    uint32_t delay;
    (void)airmark_input_rate(detector->config.rate, &numerator, &denominator, &delay);
    /* Samples of 16 kHz from the mark to the newest frame's first, times the ratio: under 2^25. */
    const uint32_t ago = (uint32_t)((int32_t)(256u * (detector->frames - 1u - detector->place)) - 128 - detector->offset);
    const uint32_t whole = ago * numerator;
    /* floor((fraction - whole + D/2) / D) from above, so that nothing is negative. */
    const uint32_t back =
        (whole + denominator - 1u - denominator / 2u + denominator - detector->frame_fraction) / denominator - 1u + delay;
    return detector->frame_start > back ? detector->frame_start - back : 0;
}

bool airmark_peaks(airmark_t *detector, int32_t score_q8, airmark_detection_t *detection)
{
    const airmark_place_t *const candidate = &detector->queue[0];
    const uint32_t span = candidate->half;
    AM_TAP_CANDIDATE(detector, AM_TAP_PEAKS, candidate);
    AM_TAP(detector, AM_TAP_PEAKS, detector->place);
    if (score_q8 < (int32_t)detector->config.threshold_q8) {
        AM_TAP(detector, AM_TAP_PEAKS, 0);
        AM_TAP(detector, AM_TAP_PEAKS, 0);
        return false;
    }
    airmark_key_state_t *const state = &detector->key_state[candidate->key];
    const int32_t sum = detector->agreement[0] + detector->agreement[1];
    const int32_t agreement = sum < 1 ? 1 : sum; /* 0: nothing told yet */
    const uint32_t near = span == AM_WHOLE ? AM_WHOLE_FRAMES / 2 : AM_HALF_FRAMES / 2;
    if (state->told_agreement[span] != 0 && am_distance(detector->place, state->told_frame[span]) <= near &&
        agreement <= state->told_agreement[span]) {
        AM_TAP(detector, AM_TAP_PEAKS, 0);
        AM_TAP(detector, AM_TAP_PEAKS, 0);
        return false;
    }
    state->told_frame[span] = detector->place;
    state->told_agreement[span] = agreement;
    AM_TAP(detector, AM_TAP_PEAKS, 1);
    if (span == AM_WHOLE && state->told_agreement[AM_HALF] != 0 &&
        am_distance(detector->place, state->told_frame[AM_HALF]) <= AM_WHOLE_FRAMES / 2) {
        AM_TAP(detector, AM_TAP_PEAKS, 0);
        return false;
    }
    AM_TAP(detector, AM_TAP_PEAKS, 1);
    detection->sample = sample_of(detector);
    detection->score_q8 = score_q8;
    detection->drift_ppm_q4 = detector->drift_ppm_q4;
    detection->key = candidate->key;
    detection->early = span == AM_HALF;
    return true;
}
