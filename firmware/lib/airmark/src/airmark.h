/*
 * airmark.h: find Airmark's audio watermarks in a stream of 16-bit samples, all day, on a small processor.
 *
 * How to use it
 *
 *     static airmark_t detector;                       // state: caller's, about 12 KB, no other memory is used
 *     static const airmark_key_t keys[1] = { ... };    // may stay in flash: "airmark export" writes it
 *
 *     airmark_config_t config = AIRMARK_CONFIG(16000, keys, 1);
 *     if (airmark_init(&detector, &config) != AIRMARK_OK) ...
 *
 *     for (;;) {
 *         size_t count = read_microphone(samples);     // int16_t samples[], any number of them
 *         size_t at = 0;
 *         while (at < count) {
 *             airmark_detection_t detection;
 *             bool found;
 *             at += airmark_push(&detector, samples + at, count - at, 1, &detection, &found);
 *             if (found) ...                           // detection.sample, .score_q8, .drift_ppm_q4, .key, .early
 *         }
 *     }
 *
 * What holds
 *
 * - Every output bit is specified (reference/SPEC.md) and the same on every compiler and processor; AIRMARK_NUMERIC_VERSION
 *   changes when one does. How the stream is cut into calls changes nothing.
 * - No heap, no floating point, no global or static variable, nothing of libc but memcpy and memset, and of the compiler's
 *   library what its core has no instruction for (64-bit products, division, leading zeros). Any number of detectors side
 *   by side; one detector must not be used by two threads at once. Calls from an interrupt work but are long: let the
 *   interrupt collect samples and a task push them.
 * - Work is bounded whatever the sound: a frame every 16 ms costs a transform and the screen; two slots between frames
 *   cost at most one step of a template or of a confirmation each. No 10 ms of sound hold more than two of these three.
 *   Measured costs: firmware/README.md, by tests/cost.
 * - Sample counts are 64 bits and start at config.first_sample.
 * - A mark is told after its end. Where the sound ends, as that of a file, push AIRMARK_FLUSH_SAMPLES(rate) zeros: then all
 *   that it can tell of what it heard is told.
 *
 * Configured by macros (the numbers of a detection never depend on them), the first two the same for all files that
 * include this one, the third the library's own:
 *
 *     AIRMARK_MAX_KEYS   keys that one detector can listen for, 1 to 255; default 1. Each takes AIRMARK_BYTES_A_KEY.
 *     AIRMARK_RESAMPLE   1: inputs at 32, 44.1 and 48 kHz too (default); 0: only 8 and 16 kHz, saves code and tables.
 *     AIRMARK_DSP        1: kernels with the DSP instructions of Armv7E-M and Armv8-M; default: where the compiler has them.
 *
 * A number out of range is an error of the compilation that says so; with AIRMARK_REQUIRE_RATE, so is a rate. What is
 * not a plain number, such as yes or (2), is an error in the compiler's own words. Files that disagree on
 * AIRMARK_MAX_KEYS or AIRMARK_RESAMPLE have states of different sizes. One that calls airmark_init does not link with a
 * library of other macros, for want of an airmark_init with its own in its name; one that only defines a state, or a struct
 * with one in it, does, and the detector writes past its end. So give both to the whole program, not to single files.
 */
#ifndef AIRMARK_H
#define AIRMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AIRMARK_VERSION "0.1.0"
#define AIRMARK_NUMERIC_VERSION 6

#ifndef AIRMARK_MAX_KEYS
#define AIRMARK_MAX_KEYS 1
#endif
#ifndef AIRMARK_RESAMPLE
#define AIRMARK_RESAMPLE 1
#endif

#if AIRMARK_MAX_KEYS < 1 || AIRMARK_MAX_KEYS > 255
#error "airmark: AIRMARK_MAX_KEYS must be 1 to 255"
#undef AIRMARK_MAX_KEYS
#define AIRMARK_MAX_KEYS 1
#endif
#if AIRMARK_RESAMPLE != 0 && AIRMARK_RESAMPLE != 1
#error "airmark: AIRMARK_RESAMPLE must be 0 or 1"
#undef AIRMARK_RESAMPLE
#define AIRMARK_RESAMPLE 1
#endif
#if defined(AIRMARK_REPETITIONS) || defined(AIRMARK_BANDS) || defined(AIRMARK_RING)
#error "airmark: the shape of a mark cannot be set: the detector is built for keys of the default profile only"
#undef AIRMARK_REPETITIONS
#undef AIRMARK_BANDS
#undef AIRMARK_RING
#endif

#define AIRMARK_PASTE(keys, resample) airmark_init_max_keys_##keys##_resample_##resample
#define AIRMARK_LINKED(keys, resample) AIRMARK_PASTE(keys, resample)
#define airmark_init AIRMARK_LINKED(AIRMARK_MAX_KEYS, AIRMARK_RESAMPLE)

/* An error while compiling, with the text or (before C11) the name, unless the condition holds. At file scope. */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define AIRMARK_STATIC_ASSERT(condition, name, text) static_assert(condition, "airmark: " text)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define AIRMARK_STATIC_ASSERT(condition, name, text) _Static_assert(condition, "airmark: " text)
#else
#define AIRMARK_STATIC_ASSERT(condition, name, text) extern char airmark_##name[(condition) ? 1 : -1]
#endif

/* Whether airmark_init takes a rate, Hz. A constant where the rate is one, in #if too. */
#define AIRMARK_RATE_IS_SUPPORTED(rate) \
    ((rate) == 8000 || (rate) == 16000 || \
     (AIRMARK_RESAMPLE != 0 && ((rate) == 32000 || (rate) == 44100 || (rate) == 48000)))

/* AIRMARK_REQUIRE_RATE(16000); at file scope: an error while compiling where airmark_init would refuse the rate. */
#define AIRMARK_REQUIRE_RATE(rate) \
    AIRMARK_STATIC_ASSERT(AIRMARK_RATE_IS_SUPPORTED(rate), \
                          rate_must_be_8000_or_16000_or_if_resampled_32000_44100_48000, \
                          "the rate must be 8000 or 16000 or, with AIRMARK_RESAMPLE, 32000, 44100 or 48000 Hz")

/* The shape of the default profile (reference/SPEC.md, 2); the detector is built for these numbers only. */
#define AIRMARK_REPETITIONS 32 /* R, passes of the pattern in a mark */
#define AIRMARK_BANDS 4        /* parts of the spectrum with signs of their own */
#define AIRMARK_FRAME_WORDS 14 /* 32-bit words of a one-bit frame, and 14 bits more */
#define AIRMARK_RING 152       /* frames remembered: a mark's 128 and what confirming takes */
#define AIRMARK_SCREEN_LAGS 4
#define AIRMARK_DRIFTS 17
#define AIRMARK_QUEUE 4  /* candidates that may wait */
#define AIRMARK_LEVELS 2 /* screen levels before the newest, over which a candidate is */
#define AIRMARK_PAIRS 496
#define AIRMARK_HISTORY 144

/*
 * A key: bit 31 - r of columns[b] is 1 where the sign of repetition r in band b is -1. 16 bytes, secret. No column is 0 or
 * 0xFFFFFFFF, as in memory that was never written: with signs all alike it would find hum and every steady tone.
 */
typedef struct {
    uint32_t columns[AIRMARK_BANDS];
} airmark_key_t;

typedef enum {
    AIRMARK_OK = 0,
    AIRMARK_BAD_ARGUMENT = -1,  /* a null pointer; of airmark_fifo_init a size, too */
    AIRMARK_BAD_RATE = -2,      /* not 8000, 16000 or, with AIRMARK_RESAMPLE, 32000, 44100, 48000 */
    AIRMARK_BAD_KEYS = -3,      /* none, more than AIRMARK_MAX_KEYS, or a column of 0 or 0xFFFFFFFF */
    AIRMARK_BAD_THRESHOLD = -4  /* below AIRMARK_LEAST_THRESHOLD_Q8 */
} airmark_status_t;

#define AIRMARK_LEAST_THRESHOLD_Q8 256     /* a score of 1 */
#define AIRMARK_DEFAULT_THRESHOLD_Q8 1632  /* a score of 6.37: one false alarm a year, one key (reference/README.md) */

typedef struct {
    uint32_t rate;             /* of the input, Hz */
    const airmark_key_t *keys; /* must stay where they are as long as the detector is used; may lie in flash */
    uint8_t key_count;         /* 1 to AIRMARK_MAX_KEYS */
    bool early;                /* tell a mark from its first half too, a second sooner, where that is enough */
    uint16_t threshold_q8;     /* lowest score reported, in 1/256 */
    uint64_t first_sample;     /* number of the first sample pushed: 0, or where the stream goes on after a gap; below 2^63 */
} airmark_config_t;

#define AIRMARK_CONFIG(rate, keys, key_count) \
    { (rate), (keys), (key_count), false, AIRMARK_DEFAULT_THRESHOLD_Q8, 0 }

/*
 * Silence after which it has decided on all that it heard: a candidate lives no longer than the ring holds its place, and the
 * last frame of a first half comes 63 after that. In frames, of 256 samples of 16 kHz, and in samples of the input.
 */
#define AIRMARK_FLUSH_FRAMES 96
#define AIRMARK_FLUSH_SAMPLES(rate) (AIRMARK_FLUSH_FRAMES * 256u * ((uint32_t)(rate) / 100u) / 160u)

/* A mark that was found. */
typedef struct {
    uint64_t sample;      /* first sample of the mark, at the input's rate and clock, 0 at least; where the stream began in the
                           * midst of the mark it may be some 400 before first_sample */
    int32_t score_q8;     /* standard normal on unmarked sound, less a handicap (SPEC.md, 9), in 1/256 */
    int32_t drift_ppm_q4; /* the receiver's clock against the sender's in 1/16 ppm, positive: it runs fast */
    uint8_t key;          /* index in config.keys */
    bool early;           /* told from the mark's first half; sample, score and drift are then the half's */
} airmark_detection_t;

/* One-bit frame: see SPEC.md, 4.5. Private, as everything below up to airmark_t. */
typedef struct {
    uint32_t frame; /* low 32 bits of the number of the mark's first frame */
    uint8_t key;
    uint8_t half;   /* 1: of a mark's first half */
    uint16_t level; /* of the screen, later of the template where that is higher, 1/256 */
} airmark_place_t;

typedef struct {
    uint16_t levels[2][AIRMARK_LEVELS]; /* of whole marks and of halves, newest first, 1/256 */
    uint32_t told_frame[2];             /* place last reported, whole and half */
    int32_t told_agreement[2];          /* its agreement; 0: none yet */
} airmark_key_state_t;

#define AIRMARK_BYTES_A_KEY sizeof(airmark_key_state_t)

/* State of a detector. Its size is sizeof(airmark_t); its contents are private and change without notice. */
typedef struct {
    airmark_config_t config;

    /* input */
#if AIRMARK_RESAMPLE
    int16_t history[AIRMARK_HISTORY]; /* the last 23 input samples; behind them those being taken, left there */
    uint16_t input_phase;             /* of the next output between two input samples, in 1/160 */
    uint8_t input_skip;               /* input samples to come before the one at which the next output is due */
#endif
    uint32_t work[256];    /* from 128 on the frame's second half as it comes, two samples a word, before it confirm's
                            * rows; then the frame's transform */
    uint32_t earlier[128]; /* the frame's first half */
    uint32_t changed[2];   /* which bits differ from their neighbours, in either half */
    int16_t previous;      /* last sample */
    uint16_t fill;         /* samples of the second half so far */
    bool first_half;      /* the very first half frame is being filled */

    /* frames */
    uint32_t drawn; /* state of the generator of drawn signs */
    uint32_t frame_words[AIRMARK_RING][AIRMARK_FRAME_WORDS];
    uint16_t frame_rests[AIRMARK_RING];
    uint16_t newest;      /* slot of the newest frame in the ring */
    uint32_t frames;      /* so far, modulo 2^32 */
    uint8_t seen;         /* the same, but no more than 128 */
    uint64_t frame_start; /* input sample at which the newest frame starts */
    uint16_t frame_fraction;

    /* screen */
    int8_t products[4][AIRMARK_SCREEN_LAGS][AIRMARK_BANDS];
    int16_t blocks[AIRMARK_SCREEN_LAGS][AIRMARK_BANDS];
    uint32_t planes[4][AIRMARK_SCREEN_LAGS][AIRMARK_BANDS][3];
    uint16_t power[4][2][2]; /* by phase, whole or half, lower or upper bands */
    uint16_t level;          /* highest level of all keys at the newest frame */

    /* candidates; from here to the end a reset makes all zero, what lies before it each stage resets */
    airmark_place_t queue[AIRMARK_QUEUE];
    uint8_t queued;
    uint8_t step; /* of the work on the first in the queue; 0: not begun */
    uint16_t dropped;

    /* template, then confirm, of the first in the queue */
    union {
        struct {
            int32_t curves[2][AIRMARK_DRIFTS];
            int32_t energies[6]; /* of chains, by how many frames after n - 1 they begin */
            bool low; /* the curve of the lower bands tells the drift, not that of all */
        } search;
        struct {
            int8_t before[4]; /* kernels read words that begin before the first number */
            int8_t gram[AIRMARK_PAIRS];
        } confirm;
    } scratch;
    uint32_t place;
    int16_t drift_ppm_q4;
    int16_t offset;
    uint8_t pair_band; /* where confirm has come to: band, first row of a block, later row less 1, row in the block */
    uint8_t pair_x;
    uint8_t pair_y;
    uint8_t pair_i;
    int32_t agreement[2]; /* lower bands, upper bands */
    uint32_t variance[2];
    int64_t third[2];

    airmark_key_state_t key_state[AIRMARK_MAX_KEYS];
} airmark_t;

/*
 * Prepare a detector. On success the next sample is number config->first_sample. The configuration is copied, the keys
 * are not. On an error nothing is written and a detector already in use goes on as it was.
 */
airmark_status_t airmark_init(airmark_t *detector, const airmark_config_t *config);

/* Forget all sound, counts and reports, as after airmark_init with the same configuration. */
void airmark_reset(airmark_t *detector);

/*
 * Hand over samples. Takes all of them, or up to and with the one at which a detection became certain.
 *
 * detector: after airmark_init gave AIRMARK_OK. None of the pointers may be null, which is not checked here.
 * samples: the first of `count` samples, `stride` int16_t apart (1: one channel, 2: the left or right of two).
 * detection: written only where *found is set to true; it is false otherwise.
 * Returns the samples taken, count at most; 0 only where count is 0.
 */
size_t airmark_push(airmark_t *detector, const int16_t *samples, size_t count, size_t stride,
                    airmark_detection_t *detection, bool *found);

/* The first stage's score at the newest frame, highest of all keys, in 1/256; 0 in the first two seconds. */
uint16_t airmark_score_q8(const airmark_t *detector);

/*
 * Candidates that could not be looked at in time since the last reset, at most 65535. One that finds no room counts again with
 * each frame in which its level rises further.
 */
uint16_t airmark_dropped(const airmark_t *detector);

/* Names for a person: "a rate that is not 8000, ..." */
const char *airmark_status_text(airmark_status_t status);

#ifdef __cplusplus
}
#endif

#endif
