/*
 * libFuzzer target for airmark_push: the first bytes of an input choose a detector and how it is fed, the rest are samples.
 * Beyond what the sanitizers see, it checks what airmark.h promises: all samples are taken, guard words around the state
 * stay, and a second detector that hears the same in one piece each finds the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airmark_internal.h"

#define GUARD 0xA5C3F00Du
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

enum { MOST_SAMPLES = 200000, MOST_TOLD = 64 };

/* On the heap, with nothing but guards about the detector: what strays further meets the address sanitizer. */
typedef struct {
    uint32_t before[4];
    airmark_t detector;
    uint32_t after[4];
} guarded_t;

typedef struct {
    const uint8_t *bytes;
    size_t left;
} input_t;

static uint32_t take_byte(input_t *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

static uint32_t take_word(input_t *input, uint32_t bytes)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        word = word << 8 | take_byte(input);
    }
    return word;
}

static guarded_t *new_guarded(void)
{
    guarded_t *const guarded = malloc(sizeof *guarded);
    CHECK(guarded != NULL);
    /* Rubbish where airmark_init finds it: none of it may be read. */
    memset(guarded, 0xDB, sizeof *guarded);
    for (uint32_t i = 0; i < 4; i++) {
        guarded->before[i] = guarded->after[i] = GUARD + i;
    }
    return guarded;
}

static void check_guards(const guarded_t *guarded)
{
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(guarded->before[i] == GUARD + i && guarded->after[i] == GUARD + i);
    }
    const airmark_t *const detector = &guarded->detector;
    CHECK(detector->queued <= AIRMARK_QUEUE);
    CHECK(detector->newest < AIRMARK_RING);
    CHECK(detector->seen <= 128);
    CHECK(airmark_score_q8(detector) == 0 || detector->seen == 128);
}

/* As taken into account by both detectors: hears `count` samples and tells what was found. */
static size_t push_all(airmark_t *detector, const int16_t *samples, size_t count, size_t stride, size_t piece,
                       airmark_detection_t *told, size_t room)
{
    size_t found_so_far = 0;
    for (size_t start = 0; start < count; start += piece) {
        const size_t end = piece < count - start ? start + piece : count;
        size_t done = start;
        while (done < end) {
            airmark_detection_t detection;
            memset(&detection, 0x77, sizeof detection);
            const airmark_detection_t untouched = detection;
            bool found = true;
            const size_t taken =
                airmark_push(detector, samples + done * stride, end - done, stride, &detection, &found);
            CHECK(taken > 0 && taken <= end - done);
            CHECK(found || taken == end - done);
            CHECK(found || memcmp(&detection, &untouched, sizeof detection) == 0);
            done += taken;
            if (found) {
                CHECK(detection.score_q8 >= detector->config.threshold_q8);
                CHECK(detection.key < detector->config.key_count);
                CHECK(!detection.early || detector->config.early);
                CHECK(detection.drift_ppm_q4 >= -3600 && detection.drift_ppm_q4 <= 3600);
                if (found_so_far < room) {
                    told[found_so_far] = detection;
                }
                found_so_far++;
            }
        }
    }
    return found_so_far;
}

static bool same(const airmark_detection_t *a, const airmark_detection_t *b)
{
    return a->sample == b->sample && a->score_q8 == b->score_q8 && a->drift_ppm_q4 == b->drift_ppm_q4 &&
           a->key == b->key && a->early == b->early;
}

/* Samples of an episode: as the input's bytes say, in one of the ways that reach further into the detector. */
static size_t make_samples(input_t *input, const airmark_key_t *key, uint32_t rate, int16_t *samples, size_t most)
{
    const uint32_t way = take_byte(input);
    const uint32_t length = take_word(input, 2);
    size_t count = 0;
    switch (way & 3u) {
    case 0: /* as they are */
        while (count < most && count < length && input->left > 1) {
            samples[count++] = (int16_t)am_low(take_word(input, 2));
        }
        break;
    case 1: { /* a piece over and over: agrees with itself */
        int16_t piece[2048];
        const size_t pieces = 1 + take_word(input, 2) % 2048;
        for (size_t i = 0; i < pieces; i++) {
            piece[i] = (int16_t)am_low(take_word(input, 2));
        }
        for (; count < most && count < 4u * length; count++) {
            samples[count] = piece[count % pieces];
        }
        break;
    }
    case 2: { /* noise, loud or soft, with hardly any input */
        uint32_t state = take_word(input, 4) | 1u;
        const uint32_t shift = 16 + take_byte(input) % 16;
        for (; count < most && count < 4u * length; count++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            samples[count] = (int16_t)am_shift(am_signed(state), shift);
        }
        break;
    }
    default: { /* blocks of 64 ms of noise, over and over with the signs of a key: a mark */
        uint32_t state = take_word(input, 4) | 1u;
        const uint32_t noise = take_byte(input) % 17;
        const uint32_t block = rate * 64u / 1000u;
        const uint32_t column = key->columns[take_byte(input) & 3u];
        int16_t *const pattern = malloc(block * sizeof *pattern);
        CHECK(pattern != NULL);
        for (uint32_t i = 0; i < block; i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            pattern[i] = (int16_t)am_shift(am_signed(state), 19);
        }
        for (; count < most && count < 32u * block; count++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            const int32_t sound = pattern[count % block];
            const int32_t other = am_shift(am_signed(state), 15 + noise);
            const int32_t sum = (column << (count / block) >> 31 ? -sound : sound) + other;
            samples[count] = (int16_t)(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
        }
        free(pattern);
        break;
    }
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint32_t rates[8] = {8000, 16000, 32000, 44100, 48000, 16000, 8000, 11025};
    input_t input = {bytes, size};
    airmark_key_t *const keys = malloc(AIRMARK_MAX_KEYS * sizeof *keys);
    CHECK(keys != NULL);
    const uint32_t shape = take_byte(&input);
    airmark_config_t config = AIRMARK_CONFIG(rates[shape & 7u], keys, 0);
    config.early = (shape & 8u) != 0;
    config.key_count = (uint8_t)((shape >> 4) % (AIRMARK_MAX_KEYS + 2));
    const uint32_t kind = take_byte(&input);
    for (uint32_t key = 0; key < AIRMARK_MAX_KEYS; key++) {
        for (uint32_t b = 0; b < AIRMARK_BANDS; b++) {
            /* Many keys alike, or of nearly constant signs, are the worst for the queue. */
            keys[key].columns[b] = (kind & 1u) != 0   ? take_word(&input, 4)
                                   : (kind & 2u) != 0 ? 1u
                                   : (kind & 4u) != 0 ? 0xFFFF0000u
                                                      : 0x9E3779B9u * (key * (kind & 8u) + b * (kind & 16u) + kind);
        }
    }
    config.threshold_q8 = (kind & 32u) != 0 ? (uint16_t)take_word(&input, 2) : AIRMARK_LEAST_THRESHOLD_Q8;
    config.first_sample = (kind & 64u) != 0 ? (uint64_t)take_word(&input, 4) << 32 | take_word(&input, 4) : 0;

    guarded_t *const one = new_guarded();
    guarded_t *const other = new_guarded();
    const airmark_status_t status = airmark_init(&one->detector, &config);
    CHECK(status == airmark_init(&other->detector, &config));
    CHECK(airmark_status_text(status) != NULL);
    bool written = true;
    for (uint32_t key = 0; key < config.key_count && key < AIRMARK_MAX_KEYS; key++) {
        for (uint32_t b = 0; b < AIRMARK_BANDS; b++) {
            written = written && keys[key].columns[b] != 0u && keys[key].columns[b] != 0xFFFFFFFFu;
        }
    }
    const bool valid = written && config.rate != 11025u && config.key_count >= 1 && config.key_count <= AIRMARK_MAX_KEYS &&
                       config.threshold_q8 >= AIRMARK_LEAST_THRESHOLD_Q8;
    CHECK((status == AIRMARK_OK) == valid);
    int16_t *const samples = malloc(MOST_SAMPLES * sizeof *samples);
    CHECK(samples != NULL);
    size_t heard = 0;
    while (status == AIRMARK_OK && input.left > 0 && heard < MOST_SAMPLES) {
        const uint32_t how = take_byte(&input);
        const size_t stride = 1 + (how & 3u);
        const uint32_t size_of_piece = take_byte(&input);
        const size_t piece = (how & 4u) != 0 ? 1 + size_of_piece : 1 + size_of_piece * 37u;
        const size_t count = make_samples(&input, keys, config.rate, samples, MOST_SAMPLES - heard);
        heard += count;
        if ((how & 0xF0u) == 0xF0u) {
            airmark_reset(&one->detector);
            airmark_reset(&other->detector);
        }
        /* The one: strided, in pieces. Exactly as long as it must be: a read past the last sample is seen. */
        const size_t apart = count == 0 ? 0 : (count - 1) * stride + 1;
        int16_t *const strided = malloc(apart * sizeof *strided + (apart == 0));
        CHECK(strided != NULL);
        for (size_t i = 0; i < apart; i++) {
            strided[i] = i % stride == 0 ? samples[i / stride] : (int16_t)am_low(0x7FFFu + (uint32_t)i);
        }
        airmark_detection_t told[2][MOST_TOLD];
        const size_t found = push_all(&one->detector, strided, count, stride, piece, told[0], MOST_TOLD);
        free(strided);
        check_guards(one);
        /* The other: whole. */
        CHECK(found == push_all(&other->detector, samples, count, 1, count + 1, told[1], MOST_TOLD));
        check_guards(other);
        for (size_t i = 0; i < found && i < MOST_TOLD; i++) {
            CHECK(same(&told[0][i], &told[1][i]));
        }
        CHECK(airmark_score_q8(&one->detector) == airmark_score_q8(&other->detector));
        CHECK(airmark_dropped(&one->detector) == airmark_dropped(&other->detector));
    }
    free(samples);
    free(one);
    free(other);
    free(keys);
    return 0;
}
