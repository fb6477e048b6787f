/* The gate: whether a mark covers a wake word. The rules are in airmark_gate.h. */
#include "airmark_gate.h"

#include <string.h>

#define FRAME 512u
#define HOP 256u
#define LAST_SLOT 170u       /* samples after a frame's end: the later one of the two slots (reference/SPEC.md, 6) */
#define RESAMPLING_DELAY 12u /* input samples, of which a reported place is earlier (3 and 10) */
#define TOO_LARGE ((uint64_t)1 << 63)

/* Samples of 16 kHz at a rate, rounded up. */
static uint32_t at_rate(uint32_t samples, uint32_t rate)
{
    return (samples * (rate / 100u) + 159u) / 160u;
}

uint32_t airmark_gate_length(uint32_t rate)
{
    return AIRMARK_RATE_IS_SUPPORTED(rate) ? at_rate(AIRMARK_REPETITIONS * 4u * HOP, rate) : 0u;
}

/*
 * SPEC.md, 6: the last step of confirm is done while frame n* is in the ring, at the latest in the last slot before frame
 * n* + RING is complete. SPEC.md, 10: the mark begins no earlier than frame n*, less the delay of resampling.
 */
uint32_t airmark_gate_latest(uint32_t rate)
{
    if (!AIRMARK_RATE_IS_SUPPORTED(rate)) {
        return 0;
    }
    return at_rate((AIRMARK_RING - 1u) * HOP + FRAME + LAST_SLOT, rate) + (rate > 16000u ? RESAMPLING_DELAY : 0u);
}

airmark_gate_status_t airmark_gate_init(airmark_gate_t *gate, const airmark_gate_config_t *config, uint64_t first_sample)
{
    if (gate == NULL || config == NULL) {
        return AIRMARK_GATE_BAD_ARGUMENT;
    }
    if (!AIRMARK_RATE_IS_SUPPORTED(config->rate)) {
        return AIRMARK_GATE_BAD_RATE;
    }
    if (config->overlap_percent < 1u || config->overlap_percent > 100u) {
        return AIRMARK_GATE_BAD_OVERLAP;
    }
    if (first_sample >= TOO_LARGE) {
        return AIRMARK_GATE_BAD_SAMPLE;
    }
    gate->config = *config;
    return airmark_gate_reset(gate, first_sample);
}

airmark_gate_status_t airmark_gate_reset(airmark_gate_t *gate, uint64_t first_sample)
{
    if (gate == NULL) {
        return AIRMARK_GATE_BAD_ARGUMENT;
    }
    if (first_sample >= TOO_LARGE) {
        return AIRMARK_GATE_BAD_SAMPLE;
    }
    gate->heard = first_sample;
    gate->forgotten = 0;
    gate->has_forgotten = false;
    gate->count = 0;
    memset(gate->marks, 0, sizeof gate->marks);
    return AIRMARK_GATE_OK;
}

static bool is_known(const airmark_gate_t *gate, const airmark_detection_t *detection)
{
    const uint32_t repetition = at_rate(4u * HOP, gate->config.rate);
    for (uint32_t i = 0; i < gate->count; i++) {
        const airmark_detection_t *const known = &gate->marks[i].detection;
        const uint64_t apart =
            known->sample > detection->sample ? known->sample - detection->sample : detection->sample - known->sample;
        if (known->key == detection->key && apart <= repetition) {
            return true;
        }
    }
    return false;
}

static void forget(airmark_gate_t *gate, uint64_t sample)
{
    gate->forgotten = gate->has_forgotten && gate->forgotten > sample ? gate->forgotten : sample;
    gate->has_forgotten = true;
}

airmark_gate_status_t airmark_gate_mark(airmark_gate_t *gate, const airmark_detection_t *detection, uint64_t heard)
{
    if (gate == NULL || detection == NULL) {
        return AIRMARK_GATE_BAD_ARGUMENT;
    }
    if (detection->sample >= TOO_LARGE || heard >= TOO_LARGE) {
        return AIRMARK_GATE_BAD_SAMPLE;
    }
    if (heard <= gate->heard) {
        return AIRMARK_GATE_BACKWARDS;
    }
    const uint32_t suppressing = gate->config.keys[detection->key / 32u] >> (detection->key % 32u);
    if ((suppressing & 1u) == 0u || is_known(gate, detection)) {
        return AIRMARK_GATE_OK;
    }
    uint32_t place = gate->count;
    if (place == AIRMARK_GATE_MARKS) {
        place = 0;
        for (uint32_t i = 1; i < AIRMARK_GATE_MARKS; i++) {
            place = gate->marks[i].detection.sample < gate->marks[place].detection.sample ? i : place;
        }
        if (detection->sample < gate->marks[place].detection.sample) {
            forget(gate, detection->sample);
            return AIRMARK_GATE_OK;
        }
        forget(gate, gate->marks[place].detection.sample);
    } else {
        gate->count++;
    }
    gate->marks[place].detection = *detection;
    gate->marks[place].heard = heard;
    return AIRMARK_GATE_OK;
}

airmark_gate_status_t airmark_gate_heard(airmark_gate_t *gate, uint64_t heard)
{
    if (gate == NULL) {
        return AIRMARK_GATE_BAD_ARGUMENT;
    }
    if (heard >= TOO_LARGE) {
        return AIRMARK_GATE_BAD_SAMPLE;
    }
    if (heard < gate->heard) {
        return AIRMARK_GATE_BACKWARDS;
    }
    gate->heard = heard;
    return AIRMARK_GATE_OK;
}

/* Told earlier; of two told at once, the one that begins first, then that of the lower key. */
static bool is_earlier(const airmark_gate_mark_t *mark, const airmark_gate_mark_t *other)
{
    if (mark->heard != other->heard) {
        return mark->heard < other->heard;
    }
    if (mark->detection.sample != other->detection.sample) {
        return mark->detection.sample < other->detection.sample;
    }
    return mark->detection.key < other->detection.key;
}

airmark_gate_status_t airmark_gate_ask(const airmark_gate_t *gate, const airmark_gate_word_t *word,
                                       airmark_gate_answer_t *answer)
{
    if (gate == NULL || word == NULL || answer == NULL) {
        return AIRMARK_GATE_BAD_ARGUMENT;
    }
    if (word->start >= TOO_LARGE || word->end >= TOO_LARGE || word->reported >= TOO_LARGE) {
        return AIRMARK_GATE_BAD_SAMPLE;
    }
    if (word->start >= word->end || word->end > word->reported) {
        return AIRMARK_GATE_BAD_WORD;
    }
    const uint32_t length = airmark_gate_length(gate->config.rate);
    const uint32_t shorter = word->end - word->start < length ? (uint32_t)(word->end - word->start) : length;
    const uint32_t need = (shorter * gate->config.overlap_percent + 99u) / 100u;
    const uint64_t certain = word->end - need + airmark_gate_latest(gate->config.rate);
    const uint64_t limit = word->end + gate->config.wait;
    uint64_t deadline = limit < certain ? limit : certain;
    deadline = deadline > word->reported ? deadline : word->reported;

    const airmark_gate_mark_t *covering = NULL;
    for (uint32_t i = 0; i < gate->count; i++) {
        const airmark_gate_mark_t *const mark = &gate->marks[i];
        const uint64_t sample = mark->detection.sample;
        if (sample + length >= word->start + need && sample + need <= word->end &&
            (covering == NULL || is_earlier(mark, covering))) {
            covering = mark;
        }
    }
    const bool in_time = covering != NULL && covering->heard <= deadline;
    if (!in_time && gate->has_forgotten && gate->forgotten + length >= word->start + need) {
        return AIRMARK_GATE_FORGOTTEN;
    }
    memset(answer, 0, sizeof *answer);
    answer->sample = deadline;
    if (in_time) {
        answer->verdict = AIRMARK_GATE_SUPPRESS;
        answer->sample = covering->heard;
    } else if (gate->heard >= deadline) {
        answer->verdict = AIRMARK_GATE_WAKE;
        answer->limited = deadline < certain;
        answer->late = covering != NULL;
    } else {
        answer->verdict = AIRMARK_GATE_WAIT;
    }
    if (covering != NULL && (in_time || answer->late)) {
        answer->mark = covering->detection;
    }
    return AIRMARK_GATE_OK;
}

const char *airmark_gate_status_text(airmark_gate_status_t status)
{
    switch (status) {
    case AIRMARK_GATE_OK:
        return "no error";
    case AIRMARK_GATE_BAD_ARGUMENT:
        return "a null pointer";
    case AIRMARK_GATE_BAD_RATE:
        return AIRMARK_RESAMPLE ? "a rate that is not 8000, 16000, 32000, 44100 or 48000 Hz"
                                : "a rate that is not 8000 or 16000 Hz";
    case AIRMARK_GATE_BAD_OVERLAP:
        return "an overlap that is not 1 to 100 percent";
    case AIRMARK_GATE_BAD_SAMPLE:
        return "a sample's number of 2^63 or more";
    case AIRMARK_GATE_BAD_WORD:
        return "a word that does not end after its start, or was reported before its end";
    case AIRMARK_GATE_BACKWARDS:
        return "sound or a mark from before what was heard";
    case AIRMARK_GATE_FORGOTTEN:
        return "a word so old, or among so many marks, that one that might cover it was forgotten";
    default:
        return "an unknown status";
    }
}
