/*
 * headset: what a headset does with the marks. Microphone, detector and gate together, and a stand-in for the wake-word
 * engine: a word that is part of a marked broadcast is suppressed, any other wakes.
 *
 * The stand-in, wake_word() below, is what a product replaces by its engine. It has no ears: it takes the words of a table,
 * the header that -DHEADSET_WORDS='"words.h"' names (PlatformIO does where there is a words.h beside this file), with
 *
 *     static const airmark_gate_word_t headset_words[] = {{start, end, reported}, ...};    in the order of `reported`
 *
 * or, without one, says every 5 s that the last 0.6 s were a word: play sound that is marked throughout to the board, and
 * see them suppressed. The keys come from a header as for detector.c. boards/README.md has an example of all that.
 *
 * Output, lines of a word and fields; numbers are samples:
 *
 *     headset airmark=0.1.0 rate=16000 keys=1 threshold=5.164 wait=8000
 *     mark sample=32741 key=0 early=1 heard=53163       heard: what had been heard then, and so with answers
 *     word start=48000 end=57600 reported=57600
 *     suppress start=48000 mark=32741 heard=57600       the answer for that word; or
 *     wake start=48000 limited=1 heard=65600            limited=1: a mark might still be told, but nobody waits for it
 *     lost sample=51200 count=160
 *     end samples=96000 lost=0                          only where the sound can end
 *
 * A word that the gate refuses wakes too, after a line that says why. Where the sound ends 1.5 s of silence follow, in which
 * what waits is told; what ends in it is no word. Words that wait even then wake, and the oldest where too many wait, with
 * limited=1.
 * The lamp is lit while the headset is awake, two seconds from each wake on.
 *
 * Macros: HEADSET_WAIT, samples after a word's end until it wakes at the latest; HEADSET_EARLY 0: tell whole marks only;
 * HEADSET_THRESHOLD_Q8, the lowest score of a mark. Without it that is one false alarm a day, all keys together: a false
 * mark does harm only where it meets a word.
 */
#include "airmark.h"
#include "airmark_gate.h"
#include "board.h"
#include "detector_keys.h"
#include "line.h"
#include "stream.h"

#ifndef HEADSET_EARLY
#define HEADSET_EARLY 1
#endif
#ifndef HEADSET_WAIT
#define HEADSET_WAIT 8000
#endif
#if HEADSET_WAIT < 0 || HEADSET_WAIT > 0xFFFFFFFF
#error "headset: HEADSET_WAIT is a number of samples, 0 to 4294967295"
#endif

#define KEYS (sizeof airmark_keys / sizeof airmark_keys[0])
#ifndef HEADSET_THRESHOLD_Q8
#define HEADSET_THRESHOLD_Q8 \
    (KEYS <= 1    ? 1322 \
     : KEYS <= 2  ? 1366 \
     : KEYS <= 4  ? 1407 \
     : KEYS <= 8  ? 1446 \
     : KEYS <= 16 ? 1483 \
     : KEYS <= 64 ? 1552 \
                  : 1616)
#endif
#define AWAKE (2u * RATE)
#define WAITING 4u           /* words that may wait for their answer; of more the oldest wakes */

static airmark_t detector;
static airmark_config_t config = AIRMARK_CONFIG(RATE, airmark_keys, (uint8_t)KEYS);
static airmark_gate_t gate;
static airmark_gate_word_t waiting[WAITING];
static uint32_t words; /* that wait */
static uint64_t awake; /* until then */

/* ---- the stand-in for a wake-word engine ---- */

#ifdef HEADSET_WORDS
#include HEADSET_WORDS

static bool wake_word(airmark_gate_word_t *word)
{
    static size_t next;
    if (next == sizeof headset_words / sizeof headset_words[0] || headset_words[next].reported > now) {
        return false;
    }
    *word = headset_words[next++];
    word->reported = now; /* it is asked every 10 ms only */
    return true;
}
#else
static bool wake_word(airmark_gate_word_t *word)
{
    static uint64_t next = 5u * RATE;
    if (now < next) {
        return false;
    }
    word->start = now - RATE * 6u / 10u;
    word->end = now;
    word->reported = now;
    next = now + 5u * RATE;
    return true;
}
#endif

/* ---- the answers ---- */

static void wake(const airmark_gate_word_t *word, bool limited)
{
    if (now >= awake) {
        port_led(true);
    }
    awake = now + AWAKE;
    field("wake start=", word->start);
    field(" limited=", limited);
    field(" heard=", now);
    end_line();
}

/* Whether the word has its answer. */
static bool answer(const airmark_gate_word_t *word)
{
    airmark_gate_answer_t given;
    const airmark_gate_status_t status = airmark_gate_ask(&gate, word, &given);
    if (status != AIRMARK_GATE_OK) {
        text("headset: refused: ");
        text(airmark_gate_status_text(status));
        end_line();
        wake(word, false); /* whatever is wrong: a headset that sleeps on is worse */
        return true;
    }
    if (given.verdict == AIRMARK_GATE_WAKE) {
        wake(word, given.limited);
    } else if (given.verdict == AIRMARK_GATE_SUPPRESS) {
        field("suppress start=", word->start);
        field(" mark=", given.mark.sample);
        field(" heard=", now);
        end_line();
    }
    return given.verdict != AIRMARK_GATE_WAIT;
}

static void answer_all(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < words; i++) {
        if (!answer(&waiting[i])) {
            waiting[kept++] = waiting[i];
        }
    }
    words = kept;
}

static void hear_word(void)
{
    airmark_gate_word_t word;
    while (wake_word(&word)) {
        if (word.end > sound_end) {
            continue;
        }
        field("word start=", word.start);
        field(" end=", word.end);
        field(" reported=", word.reported);
        end_line();
        if (words == WAITING) {
            answer_all(); /* what can be told by now must not be thrown out */
        }
        if (words == WAITING) {
            wake(&waiting[0], true);
            words--;
            for (uint32_t i = 0; i < words; i++) {
                waiting[i] = waiting[i + 1u];
            }
        }
        waiting[words++] = word;
    }
}

/* ---- the sound ---- */

/* Every 10 ms of sound, wherever the port cut it. */
static void look(void)
{
    hear_word();
    answer_all();
    if (awake && now >= awake) {
        awake = 0;
        port_led(false);
    }
}

/* No mark comes any more. */
static void look_last(void)
{
    look();
    for (uint32_t i = 0; i < words; i++) {
        wake(&waiting[i], true);
    }
    words = 0;
}

static void push(const int16_t *samples, uint32_t count)
{
    uint32_t at = 0;
    while (at < count) {
        airmark_detection_t detection;
        bool found;
        const uint32_t room = PIECE - (uint32_t)(now % PIECE);
        const uint32_t next = count - at < room ? count - at : room;
        const uint32_t taken = (uint32_t)airmark_push(&detector, samples + at, next, 1, &detection, &found);
        at += taken;
        now += taken;
        if (found) {
            field("mark sample=", detection.sample);
            field(" key=", detection.key);
            field(" early=", detection.early);
            field(" heard=", now);
            end_line();
            (void)airmark_gate_mark(&gate, &detection, now); /* what it refuses can't be: the numbers only rise */
        }
        (void)airmark_gate_heard(&gate, now);
        if (now % PIECE == 0) {
            look();
        }
    }
}

static airmark_status_t begin(void)
{
    config.first_sample = now;
    (void)airmark_gate_heard(&gate, now); /* its numbers go on, so it need not know why */
    return airmark_init(&detector, &config);
}

int port_main(void)
{
    airmark_gate_config_t gate_config = AIRMARK_GATE_CONFIG(RATE, HEADSET_WAIT);
    const airmark_gate_status_t gate_status = airmark_gate_init(&gate, &gate_config, now);
    airmark_status_t status;
    config.early = HEADSET_EARLY;
    config.threshold_q8 = HEADSET_THRESHOLD_Q8;
    status = begin();
    if (status != AIRMARK_OK || gate_status != AIRMARK_GATE_OK) {
        text("headset: the configuration has ");
        text(status != AIRMARK_OK ? airmark_status_text(status) : airmark_gate_status_text(gate_status));
        end_line();
        return 1;
    }
    if (!port_audio_start(RATE)) {
        text("headset: the microphone does not start; see the board's file in boards/port");
        end_line();
        return 1;
    }
    text("headset airmark=" AIRMARK_VERSION);
    field(" rate=", RATE);
    field(" keys=", KEYS);
    decimal(" threshold=", config.threshold_q8, 256, 3);
    field(" wait=", HEADSET_WAIT);
    end_line();
    stream();
    look_last();
    field("end samples=", sound_end);
    field(" lost=", lost);
    end_line();
    return 0;
}
