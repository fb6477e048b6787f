/* Runs of the detector that keep all that is tapped. */
#include <stdlib.h>

#include "airmark_internal.h"
#include "tapped.h"

#include "../vectors/crc32.h"
#include "../vectors/sound.h"

static struct {
    uint32_t *values;
    size_t count;
    size_t room;
} taps[AM_TAP_STAGES];

void tap(int stage, uint32_t value)
{
    if (taps[stage].count == taps[stage].room) {
        taps[stage].room = 2 * taps[stage].room + 1024;
        taps[stage].values = realloc(taps[stage].values, taps[stage].room * sizeof *taps[stage].values);
        if (taps[stage].values == NULL) {
            abort();
        }
    }
    taps[stage].values[taps[stage].count++] = value;
}

uint32_t tap_crc32(const void *bytes, size_t count)
{
    return crc32_of(bytes, count);
}

size_t tap_stages(void)
{
    return AM_TAP_STAGES;
}

void tap_clear(void)
{
    for (int stage = 0; stage < AM_TAP_STAGES; stage++) {
        taps[stage].count = 0;
    }
}

size_t tap_count(int stage)
{
    return taps[stage].count;
}

const uint32_t *tap_values(int stage)
{
    return taps[stage].values;
}

size_t tap_run(airmark_t *detector, const int16_t *samples, size_t count, size_t block, size_t stride,
               airmark_detection_t *detections, uint64_t *at, size_t room)
{
    size_t told = 0;
    for (size_t start = 0; start < count; start += block) {
        const size_t end = block < count - start ? start + block : count;
        for (size_t done = start; done < end;) {
            airmark_detection_t detection;
            bool found;
            done += airmark_push(detector, samples + done * stride, end - done, stride, &detection, &found);
            if (found) {
                if (told < room) {
                    detections[told] = detection;
                    at[told] = done;
                }
                told++;
            }
        }
    }
    return told;
}

void tap_skip_frames(airmark_t *detector, uint32_t more)
{
    detector->frames += more;
}

void tap_sound(const int64_t *numbers, size_t count, int16_t *samples, size_t length)
{
    sound_layer_t layers[16];
    for (size_t k = 0; k < count && k < 16; k++) {
        const int64_t *const n = numbers + 20 * k;
        layers[k] = (sound_layer_t){.kind = (sound_kind_t)n[0],
                                    .start = (uint32_t)n[1],
                                    .length = (uint32_t)n[2],
                                    .step = (uint32_t)n[3],
                                    .seed = (uint32_t)n[4],
                                    .value = (int32_t)n[5],
                                    .high = (int32_t)n[6],
                                    .low = (int32_t)n[7],
                                    .amplitude = (int32_t)n[8],
                                    .period = (uint32_t)n[9],
                                    .burst = (uint32_t)n[10]};
        for (size_t b = 0; b < 4; b++) {
            layers[k].columns[b] = (uint32_t)n[11 + b];
            layers[k].amplitudes[b] = (int32_t)n[15 + b];
        }
    }
    for (size_t i = 0; i < length; i++) {
        samples[i] = sound_sample(layers, (uint32_t)count, (uint32_t)i);
    }
}

tap_state_t tap_state(const airmark_t *detector)
{
    tap_state_t state = {
        detector->frames,
        detector->place,
        detector->offset,
        detector->drift_ppm_q4,
        detector->scratch.search.low,
        detector->queue[0].level,
        detector->queued,
        detector->step,
        {0, 0, 0, 0},
    };
    for (uint32_t i = 0; i < detector->queued; i++) {
        state.waiting[i] = detector->queue[i].frame;
    }
    return state;
}

void tap_queue(airmark_t *detector, uint8_t queued, uint32_t n, bool half, uint16_t level, uint8_t step)
{
    for (uint32_t i = 0; i < queued; i++) {
        const airmark_place_t place = {n + i, 0, half, level};
        detector->queue[i] = place;
    }
    detector->queued = queued;
    detector->step = step;
    detector->place = n;
}

void tap_put(airmark_t *detector, uint8_t at, uint32_t n, uint8_t key, bool half)
{
    const airmark_place_t place = {n, key, half, 1000};
    detector->queue[at] = place;
}

void tap_place(airmark_t *detector, uint32_t place)
{
    detector->place = place;
}

void tap_end_confirm(airmark_t *detector, int32_t low, int32_t high, uint32_t variance)
{
    detector->step = AM_TEMPLATE_STEPS + 1;
    detector->pair_band = detector->config.rate == 8000u ? (uint8_t)AM_LOW_BANDS : (uint8_t)AIRMARK_BANDS;
    for (uint32_t group = 0; group < 2; group++) {
        detector->agreement[group] = group == 0 ? low : high;
        detector->variance[group] = variance;
        detector->third[group] = 0;
    }
}

void tap_dropped(airmark_t *detector, uint16_t dropped)
{
    detector->dropped = dropped;
}

size_t tap_confirm(airmark_t *detector, int16_t drift_ppm_q4, uint8_t *bands, size_t room)
{
    const uint32_t place = detector->place;
    (void)airmark_template(detector, 0); /* it begins with nothing there */
    detector->place = place;
    detector->drift_ppm_q4 = drift_ppm_q4;
    size_t steps = 0;
    for (bool done = false; !done && steps < room; steps++) {
        done = airmark_confirm(detector);
        bands[steps] = detector->pair_band;
    }
    return steps;
}

bool tap_template(airmark_t *detector, uint32_t first, uint32_t last, const int32_t *curves, const int32_t *energies)
{
    if (first == 0) {
        (void)airmark_template(detector, first++); /* it begins with nothing */
    }
    /* What the steps will add is taken off first. */
    airmark_t other = *detector;
    for (uint32_t step = first; step <= last; step++) {
        (void)airmark_template(&other, step);
    }
    for (uint32_t i = 0; i < 2 * AIRMARK_DRIFTS; i++) {
        const uint32_t group = i / AIRMARK_DRIFTS;
        const uint32_t k = i % AIRMARK_DRIFTS;
        detector->scratch.search.curves[group][k] += curves[i] - other.scratch.search.curves[group][k];
    }
    static const uint32_t chains[4] = {0, 1, 4, 5};
    for (uint32_t i = 0; i < 4; i++) {
        detector->scratch.search.energies[chains[i]] += energies[i] - other.scratch.search.energies[chains[i]];
    }
    bool likely = true;
    for (uint32_t step = first; step <= last; step++) {
        likely = airmark_template(detector, step);
    }
    return likely;
}
