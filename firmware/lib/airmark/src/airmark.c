/* The detector: its configuration, the stream, and the slots in which the later stages work. SPEC.md, 2 and 6. */
#include "airmark_internal.h"

enum { BEGUN_AHEAD_Q8 = 64 };

AM_SELDOM airmark_status_t airmark_init(airmark_t *detector, const airmark_config_t *config)
{
    uint32_t numerator;
    uint32_t denominator;
    uint32_t delay;
    if (detector == NULL || config == NULL) {
        return AIRMARK_BAD_ARGUMENT;
    }
    if (!airmark_input_rate(config->rate, &numerator, &denominator, &delay)) {
        return AIRMARK_BAD_RATE;
    }
    if (config->keys == NULL || config->key_count < 1 || config->key_count > AIRMARK_MAX_KEYS) {
        return AIRMARK_BAD_KEYS;
    }
    for (uint32_t i = 0; i < AIRMARK_BANDS * (uint32_t)config->key_count; i++) {
        if (config->keys[i / AIRMARK_BANDS].columns[i % AIRMARK_BANDS] + 1u <= 1u) {
            return AIRMARK_BAD_KEYS;
        }
    }
    if (config->threshold_q8 < AIRMARK_LEAST_THRESHOLD_Q8) {
        return AIRMARK_BAD_THRESHOLD;
    }
    detector->config = *config;
    airmark_reset(detector);
    return AIRMARK_OK;
}

AM_SELDOM void airmark_reset(airmark_t *detector)
{
    airmark_input_reset(detector);
    airmark_frames_reset(detector);
    airmark_screen_reset(detector);
    /* Candidates, and all that lies behind them. */
    memset((unsigned char *)detector + offsetof(airmark_t, queue), 0, sizeof *detector - offsetof(airmark_t, queue));
    detector->frame_start = detector->config.first_sample;
    detector->frame_fraction = 0;
}

/* frame_start goes on by a hop, for every frame but the first. */
static void advance_frame_start(airmark_t *detector)
{
    if (detector->frames == 1u && detector->seen == 1u) {
        return;
    }
    uint32_t numerator;
    uint32_t denominator;
    uint32_t delay;
    (void)airmark_input_rate(detector->config.rate, &numerator, &denominator, &delay);
    const uint32_t whole = 256u * numerator + detector->frame_fraction;
    detector->frame_start += whole / denominator;
    detector->frame_fraction = (uint16_t)(whole % denominator);
}

static AM_SELDOM void leave_queue(airmark_t *detector)
{
    detector->queued--;
    for (uint32_t i = 0; i < detector->queued; i++) {
        detector->queue[i] = detector->queue[i + 1u];
        AM_IN_ORDER(); /* no call of memmove, which a bare system may not have */
    }
    detector->step = 0;
}

/* A mark was confirmed: other candidates of its key and span within half a span were its flanks. */
static AM_SELDOM void leave_with_neighbours(airmark_t *detector)
{
    const airmark_place_t first = detector->queue[0];
    const uint32_t near = first.half != 0 ? AM_HALF_FRAMES / 2 : AM_WHOLE_FRAMES / 2;
    uint32_t kept = 0;
    for (uint32_t i = 1; i < detector->queued; i++) {
        const airmark_place_t *const other = &detector->queue[i];
        if (other->key != first.key || other->half != first.half || am_distance(other->frame, first.frame) > near) {
            detector->queue[kept++] = *other;
        }
    }
    detector->queued = (uint8_t)kept;
    detector->step = 0;
}

static void drop(airmark_t *detector)
{
    detector->dropped = (uint16_t)(detector->dropped + (detector->dropped < 65535u));
    leave_queue(detector);
}

/*
 * The candidate of the highest level, the oldest of several, goes to the front; the others keep their order. One that was begun
 * gives way only to one that is clearly higher, and then begins anew when its turn comes.
 */
static void bring_highest_first(airmark_t *detector)
{
    uint32_t best = 0;
    uint32_t highest = detector->queue[0].level + (detector->step > 0 ? (uint32_t)BEGUN_AHEAD_Q8 : 0u);
    for (uint32_t i = 1; i < detector->queued; i++) {
        if (detector->queue[i].level > highest) {
            best = i;
            highest = detector->queue[i].level;
        }
    }
    if (best == 0) {
        return;
    }
    detector->step = 0;
    const airmark_place_t first = detector->queue[best];
    for (; best > 0; best--) {
        detector->queue[best] = detector->queue[best - 1u];
        AM_IN_ORDER();
    }
    detector->queue[0] = first;
}

/* Whether frame `oldest` is still there `more` frames later. */
static bool is_kept(const airmark_t *detector, uint32_t oldest, uint32_t more)
{
    return detector->frames - 1u + more - oldest < AIRMARK_RING;
}

/* SPEC.md, 9: the score of the confirmed place. */
static AM_SELDOM int32_t score_of_place(const airmark_t *detector)
{
    const int32_t low = airmark_statistic(detector->agreement[0], detector->variance[0], detector->third[0]);
    const int32_t all = airmark_statistic(detector->agreement[0] + detector->agreement[1],
                                          detector->variance[0] + detector->variance[1],
                                          detector->third[0] + detector->third[1]);
    const int32_t score = all > low - AM_LOW_HANDICAP_Q8 ? all : low - AM_LOW_HANDICAP_Q8;
    const int32_t handicap = airmark_handicap(detector);
    AM_TAP_CANDIDATE(detector, AM_TAP_STATISTIC, &detector->queue[0]);
    AM_TAP(detector, AM_TAP_STATISTIC, detector->place);
    AM_TAP(detector, AM_TAP_STATISTIC, all);
    AM_TAP(detector, AM_TAP_STATISTIC, low);
    AM_TAP(detector, AM_TAP_STATISTIC, score - handicap);
    return score - handicap;
}

/* SPEC.md, 6: one step of the work on the first candidate. */
static bool work(airmark_t *detector, airmark_detection_t *detection)
{
    for (;;) {
        if (detector->queued == 0) {
            return false;
        }
        bring_highest_first(detector);
        if (detector->step > 0 ||
            is_kept(detector, detector->queue[0].frame - 1u, AM_TEMPLATE_STEPS / 2)) {
            break;
        }
        drop(detector);
    }
    const uint32_t step = detector->step;
    if (step >= AM_TEMPLATE_STEPS && !is_kept(detector, detector->place, 0)) {
        drop(detector);
        return false;
    }
    if (step < UINT8_MAX) {
        detector->step = (uint8_t)(step + 1u);
    }
    if (step < AM_TEMPLATE_STEPS) {
        if (!airmark_template(detector, step)) {
            leave_queue(detector);
        }
        return false;
    }
    if (!airmark_confirm(detector)) {
        return false;
    }
    const int32_t score = score_of_place(detector);
    const bool told = airmark_peaks(detector, score, detection);
    if (score >= (int32_t)detector->config.threshold_q8) {
        leave_with_neighbours(detector);
    } else {
        leave_queue(detector);
    }
    return told;
}

/* Samples of a hop at which something is due: two slots and the hop's end. SPEC.md, 6. */
static const uint16_t due[2][3] = {{85, 170, 256}, {43, 85, 128}};

/* Takes samples, up to `room` of the frames' rate; returns how many of the input's. Its buffer is gone before any work. */
static AM_NOT_INLINE size_t take(airmark_t *detector, const int16_t *samples, size_t count, size_t stride, uint32_t room)
{
#if AIRMARK_RESAMPLE
    if (detector->config.rate > 16000u) {
        int16_t resampled[AM_INPUT_ROOM];
        uint32_t made;
        const size_t taken = airmark_input(detector, samples, count, stride, room, resampled, &made);
        airmark_frames_add(detector, resampled, made, 1);
        return taken;
    }
#endif
    const size_t taken = count < room ? count : room;
    airmark_frames_add(detector, samples, (uint32_t)taken, stride);
    return taken;
}

size_t airmark_push(airmark_t *detector, const int16_t *samples, size_t count, size_t stride,
                    airmark_detection_t *detection, bool *found)
{
    const uint16_t *const events = due[detector->config.rate == 8000u ? 1 : 0];
    size_t taken = 0;
    *found = false;
    while (taken < count) {
        const uint32_t fill = detector->fill;
        const uint32_t next = fill < events[0] ? events[0] : fill < events[1] ? events[1] : events[2];
        taken += take(detector, samples + taken * stride, count - taken, stride, next - fill);
        if (detector->fill == fill) {
            continue;
        }
        if (detector->fill == events[2]) {
            if (airmark_frames_make(detector)) {
                advance_frame_start(detector);
                airmark_screen(detector);
            }
        } else if (detector->queued > 0 && (detector->fill == events[0] || detector->fill == events[1]) &&
                   work(detector, detection)) {
            *found = true;
            break;
        }
    }
    return taken;
}

uint16_t airmark_score_q8(const airmark_t *detector)
{
    return detector->level;
}

uint16_t airmark_dropped(const airmark_t *detector)
{
    return detector->dropped;
}

AM_SELDOM const char *airmark_status_text(airmark_status_t status)
{
    switch (status) {
    case AIRMARK_OK:
        return "no error";
    case AIRMARK_BAD_ARGUMENT:
        return "a null pointer, or a size that is no power of two";
    case AIRMARK_BAD_RATE:
        return AIRMARK_RESAMPLE ? "a rate that is not 8000, 16000, 32000, 44100 or 48000 Hz"
                                : "a rate that is not 8000 or 16000 Hz";
    case AIRMARK_BAD_KEYS:
        return "no key, more than AIRMARK_MAX_KEYS, or one never written";
    case AIRMARK_BAD_THRESHOLD:
        return "a threshold below a score of 1";
    default:
        return "an unknown status";
    }
}
