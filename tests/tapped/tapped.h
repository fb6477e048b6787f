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
