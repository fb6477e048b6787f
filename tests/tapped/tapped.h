/* What Python calls beside airmark.h: runs that keep all that is tapped. Read by build.py too, so declarations only. */

size_t tap_stages(void);
void tap_clear(void);
size_t tap_count(int stage);
const uint32_t *tap_values(int stage);

/* Pushes `count` samples, `stride` apart, in blocks; returns detections, at most `room` of them kept with their `at`. */
size_t tap_run(airmark_t *detector, const int16_t *samples, size_t count, size_t block, size_t stride,
               airmark_detection_t *detections, uint64_t *at, size_t room);

/* Puts the count of frames so far `more` ahead, which must be a multiple of 4. */
void tap_skip_frames(airmark_t *detector, uint32_t more);

/* The input of tests/vectors/sound.h; numbers: a row of 20 for each layer, in the order of its structure. */
void tap_sound(const int64_t *numbers, size_t layers, int16_t *samples, size_t count);

/* What the steps on the first candidate have come to, and its level. */
typedef struct {
    uint32_t frames;
    uint32_t place;
    int16_t offset;
    int16_t drift_ppm_q4;
    bool low;
    uint16_t level;
    uint8_t queued;
    uint8_t step; /* of the work on the first */
    uint32_t waiting[4]; /* frames of the queue's candidates */
} tap_state_t;
tap_state_t tap_state(const airmark_t *detector);

/* So many candidates of the first key, of frame n and those after it, all of one level; so many steps are done of the first. */
void tap_queue(airmark_t *detector, uint8_t queued, uint32_t n, bool half, uint16_t level, uint8_t step);

/* Another candidate in place of one of them. */
void tap_put(airmark_t *detector, uint8_t at, uint32_t n, uint8_t key, bool half);

/* The first one's place is that frame. */
void tap_place(airmark_t *detector, uint32_t place);

/* Confirm of the first one has but its score to tell, of lower and upper bands with that Q each, that V each and no T. */
void tap_end_confirm(airmark_t *detector, int32_t low, int32_t high, uint32_t variance);

/* So many candidates were dropped so far. */
void tap_dropped(airmark_t *detector, uint16_t dropped);

/* What the screen does with the level of a key and span after the newest frame. */
void tap_level(airmark_t *detector, uint32_t key, bool half, uint32_t level);

/* The steps of confirm at that drift: how many bands each has ended so far, `room` of them kept. Returns how many steps. */
size_t tap_confirm(airmark_t *detector, int16_t drift_ppm_q4, uint8_t *bands, size_t room);

/*
 * The template from step `first` on up to `last`, neither past a decision nor past the place, after which the curves, as 17 of
 * the lower and 17 of all bands, and the energies come out as told. Returns what the last step does: whether the candidate is
 * likely, or true.
 */
bool tap_template(airmark_t *detector, uint32_t first, uint32_t last, const int32_t *curves, const int32_t *energies);
