/*
 * airmark_gate.h: was the wake word that was just heard part of a marked broadcast?
 *
 * A wake-word engine says "I heard the word, from sample s to sample e"; the detector (airmark.h) tells of marks. The gate
 * remembers the marks and answers for a word: suppress it, wake, or wait until sample so-and-so.
 *
 * How to use it
 *
 *     static airmark_gate_t gate;                      // caller's, under 400 bytes
 *     airmark_gate_config_t config = AIRMARK_GATE_CONFIG(16000, 8000); // at most half a second after the word's end
 *     if (airmark_gate_init(&gate, &config, 0) != AIRMARK_GATE_OK) ...
 *
 *     // wherever samples are pushed; `heard` is the number of the next sample
 *     size_t taken = airmark_push(&detector, samples, count, 1, &detection, &found);
 *     heard += taken;
 *     if (found) airmark_gate_mark(&gate, &detection, heard);
 *     airmark_gate_heard(&gate, heard);                // after the mark, never before it
 *
 *     // a word was heard and has no answer yet; `word.reported` was set once, when the engine reported it
 *     airmark_gate_answer_t answer;
 *     if (airmark_gate_ask(&gate, &word, &answer) != AIRMARK_GATE_OK || answer.verdict == AIRMARK_GATE_WAKE) wake();
 *     else if (answer.verdict == AIRMARK_GATE_SUPPRESS) ... // the word is a broadcast's
 *     else ...                                         // ask again after the next mark, or when answer.sample was heard
 *
 * The rules
 *
 * All numbers are the detector's samples: of its input, at its input's rate, counted as its detections count them. A word
 * is the samples start to end, end not included; a mark the samples from detection.sample on, `length` of them
 * (airmark_gate_length: 2.048 s). An early detection gives the place of its mark too, and is treated like any other.
 *
 * 1. Cover. A mark covers a word if they have at least `need` samples in common: overlap_percent of the shorter of the two,
 *    rounded up. It does not matter whether the mark begins before or after the word. That is, it covers it if it begins
 *    from start + need - length to end - need.
 * 2. Keys. Only marks of the keys in config.keys are remembered; all others change nothing.
 * 3. One mark, told twice (by its first half, then as a whole; or again, more certainly): a detection of the same key that
 *    begins at most a repetition (64 ms) from a remembered mark is that mark, and changes nothing. The place and the time
 *    first told count. Marks further apart are several, whether or not they overlap; any of them may cover the word.
 * 4. Certain. A detector tells a mark at the latest airmark_gate_latest samples after its first one (2.459 s, that is
 *    0.411 s after its end), for then it has forgotten the sound. So from end - need + latest on no mark is told any more
 *    that covers the word.
 * 5. Limit. Nobody waits so long for an answer: config.wait is how much later than the word's end the last marks may be
 *    told. The word's deadline is end + wait, or when it is certain if that is sooner; but not before word.reported, since
 *    what was known when the word was reported counts.
 * 6. Answer. SUPPRESS if a mark that covers the word was told when no more than the deadline had been heard: at once, and
 *    the first such mark is given. Else WAKE if the deadline has been heard; `limited` tells that it was not certain then,
 *    and `late` that such a mark was told since, too late. Else WAIT; `sample` is the deadline.
 * 7. An answer never changes: once it is WAKE or SUPPRESS for a word (with the same start, end and reported), it is so
 *    whenever it is asked for again, or refused by AIRMARK_GATE_FORGOTTEN: the gate remembers AIRMARK_GATE_MARKS marks, of
 *    more it forgets those that begin first, and it refuses a word that these might cover and no other does. (Where several
 *    marks suppress a word and the first is forgotten, the next is given.) It does not remember words: any number may wait.
 *
 * Samples that were lost between microphone and detector: push as many zeros, and nothing else is to be done. If the
 * detector is reset or begins anew, reset the gate to the number it begins with; the marks that were being heard are lost,
 * so wake for words that wait. (If the numbers go on, the gate need not be reset: it waits until the deadline, and wakes.)
 *
 * No call looks at more than AIRMARK_GATE_MARKS marks. No heap, no static variable; any number of gates side by side, one
 * not to be used by two threads at once.
 */
#ifndef AIRMARK_GATE_H
#define AIRMARK_GATE_H

#include "airmark.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AIRMARK_GATE_MARKS 8    /* marks remembered */
#define AIRMARK_GATE_KEYS 8     /* words of 32 keys */
#define AIRMARK_GATE_OVERLAP 50 /* percent */

typedef enum {
    AIRMARK_GATE_OK = 0,
    AIRMARK_GATE_BAD_ARGUMENT = -1, /* a null pointer */
    AIRMARK_GATE_BAD_RATE = -2,     /* not 8000, 16000 or, with AIRMARK_RESAMPLE, 32000, 44100, 48000 */
    AIRMARK_GATE_BAD_OVERLAP = -3,  /* not 1 to 100 percent */
    AIRMARK_GATE_BAD_SAMPLE = -4,   /* a number of 2^63 or more */
    AIRMARK_GATE_BAD_WORD = -5,     /* not start < end <= reported */
    AIRMARK_GATE_BACKWARDS = -6,    /* less heard than before, or a mark from what was said to be heard already */
    AIRMARK_GATE_FORGOTTEN = -7     /* a mark that might cover the word was forgotten */
} airmark_gate_status_t;

typedef struct {
    uint32_t rate;                    /* of the detector's input, Hz */
    uint32_t wait;                    /* samples after a word's end; the answer comes no later */
    uint8_t overlap_percent;          /* of the word, or of the mark if that is shorter; 1 to 100 */
    uint32_t keys[AIRMARK_GATE_KEYS]; /* keys whose marks suppress: bit k % 32 of keys[k / 32] for key k */
} airmark_gate_config_t;

/* Marks of all keys suppress. */
#define AIRMARK_GATE_CONFIG(rate, wait) \
    { (rate), (wait), AIRMARK_GATE_OVERLAP, \
      { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } }

/* A word that a wake-word engine heard. */
typedef struct {
    uint64_t start;
    uint64_t end;      /* after its last sample */
    uint64_t reported; /* number of the next sample when the engine reported it, end or more */
} airmark_gate_word_t;

typedef enum { AIRMARK_GATE_WAIT = 0, AIRMARK_GATE_WAKE = 1, AIRMARK_GATE_SUPPRESS = 2 } airmark_gate_verdict_t;

typedef struct {
    airmark_gate_verdict_t verdict;
    uint64_t sample;          /* WAIT, WAKE: the deadline; SUPPRESS: what had been heard when the mark was told */
    bool limited;             /* WAKE at config.wait: a mark might still be told */
    bool late;                /* WAKE, and a mark that covers the word was told after the deadline */
    airmark_detection_t mark; /* SUPPRESS or late: the first of those marks that was told; else zero */
} airmark_gate_answer_t;

/* A mark as it is remembered. Private, as what is in airmark_gate_t. */
typedef struct {
    airmark_detection_t detection;
    uint64_t heard; /* when it was told */
} airmark_gate_mark_t;

typedef struct {
    airmark_gate_config_t config;
    uint64_t heard;
    uint64_t forgotten; /* where the last of the forgotten marks begins */
    bool has_forgotten;
    uint8_t count;
    airmark_gate_mark_t marks[AIRMARK_GATE_MARKS];
} airmark_gate_t;

/*
 * Prepare a gate for a detector whose first sample is number first_sample. The configuration is copied. On any error
 * nothing is written; a gate already in use goes on as it was. That holds for all functions here.
 */
airmark_gate_status_t airmark_gate_init(airmark_gate_t *gate, const airmark_gate_config_t *config, uint64_t first_sample);

/* Forget all marks: the detector begins anew, with number first_sample. The configuration stays. */
airmark_gate_status_t airmark_gate_reset(airmark_gate_t *gate, uint64_t first_sample);

/* A mark was told. heard: number of the next sample then, more than the last one given to airmark_gate_heard. */
airmark_gate_status_t airmark_gate_mark(airmark_gate_t *gate, const airmark_detection_t *detection, uint64_t heard);

/* All samples before number `heard` were pushed, and all marks that this brought were given. */
airmark_gate_status_t airmark_gate_heard(airmark_gate_t *gate, uint64_t heard);

/* The answer for a word. word->reported may be more than was heard: the detector may lag behind the wake-word engine. */
airmark_gate_status_t airmark_gate_ask(const airmark_gate_t *gate, const airmark_gate_word_t *word,
                                       airmark_gate_answer_t *answer);

/* Samples of a mark at a rate that the detector takes; 0 for another. */
uint32_t airmark_gate_length(uint32_t rate);

/* Samples from a mark's first one to the last that can have been heard when it is told; 0 for a rate not taken. */
uint32_t airmark_gate_latest(uint32_t rate);

/* Names for a person: "a word that does not end after its start, ..." */
const char *airmark_gate_status_text(airmark_gate_status_t status);

#ifdef __cplusplus
}
#endif

#endif
