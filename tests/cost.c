/*
 * What the detector costs on QEMU's cores: reads hosts and prints how far the counter went for every block of them.
 * tests/cost builds it, feeds it and makes figures of what it prints. For boards there is firmware/src/bench.c.
 *
 * Input: for each host a header (below), the keys, then the samples, s16; all little-endian.
 * Output, lines of a word and a number (counts are those of port.h's counter):
 *
 *     state N    sizeof(airmark_t)
 *     empty N    two counts with nothing between them: what counting adds to each of the following
 *     loop N     2 LOOPS instructions and a few more; then 4 LOOPS and as many more
 *     host N     a host begins, the Nth
 *     block N    airmark_push of a block, up to its end or a detection
 *     rest N     the same of what was left of the block after a detection
 *     found N    a detection's sample
 *     dropped N  candidates the detector dropped, after each host
 *     stack N    most bytes written below its stack pointer by an airmark_push so far, after each host
 */
#include "airmark.h"
#include "port.h"
#include "stack.h"
#include "vectors/crc32.h"

#define LOOPS 5000
#define LONGEST 480       /* samples of a block: 10 ms at 48 kHz */
#define PAINTED_WORDS 384 /* of the stack; exit status 5: airmark_push wrote beyond them */

struct header {
    uint32_t rate;    /* Hz */
    uint32_t keys;    /* at most AIRMARK_MAX_KEYS */
    uint32_t early;   /* 0 or 1 */
    uint32_t first;   /* samples of the first block; it decides how the others lie in the detector's frames */
    uint32_t block;   /* samples of the others */
    uint32_t samples; /* in all */
};

static airmark_t detector;
static airmark_key_t keys[AIRMARK_MAX_KEYS];
static int16_t block[LONGEST];

static void tell(const char *word, uint32_t number)
{
    char line[24], digits[10];
    size_t length = 0, count = 0;
    while (*word) {
        line[length++] = *word++;
    }
    line[length++] = ' ';
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count) {
        line[length++] = digits[--count];
    }
    line[length++] = '\n';
    port_write(line, length);
}

static uint32_t since(uint32_t before)
{
    return (port_count() - before) & PORT_COUNT_MASK;
}

/* Pushes what is in `block` and tells the count. Returns how many bytes of stack that wrote below this function's. */
static __attribute__((noinline)) uint32_t push(uint32_t samples)
{
    volatile uint32_t *const top = port_stack_pointer();
    volatile uint32_t *deepest = top;
    const char *word = "block";
    size_t at = 0;
    while (at < samples) {
        airmark_detection_t detection;
        bool found;
        uint32_t count;
        port_stack_paint(top, PAINTED_WORDS);
        count = port_count();
        at += airmark_push(&detector, block + at, samples - at, 1, &detection, &found);
        count = since(count);
        deepest = port_stack_deepest(top, PAINTED_WORDS, deepest);
        tell(word, count);
        if (found) {
            tell("found", (uint32_t)detection.sample);
        }
        word = "rest";
    }
    return (uint32_t)(top - deepest) * 4;
}

/* CRC32 of all that the detector remembers: the same on every core, whatever kernels it was built with. */
static uint32_t checksum(void)
{
    return crc32_of((const uint8_t *)&detector + sizeof detector.config, sizeof detector - sizeof detector.config);
}

int main(void)
{
    struct header header;
    uint32_t hosts = 0, stack = 0, count;
    if (!port_start()) {
        return 2;
    }
    tell("state", sizeof detector);
    count = port_count();
    tell("empty", since(count));
    for (uint32_t loops = LOOPS; loops <= 2 * LOOPS; loops += LOOPS) {
        count = port_count();
        port_loop(loops);
        tell("loop", since(count));
    }
    while (port_read(&header, sizeof header)) {
        airmark_config_t config = AIRMARK_CONFIG(header.rate, keys, (uint8_t)header.keys);
        uint32_t next = header.first;
        config.early = header.early;
        if (header.keys > AIRMARK_MAX_KEYS || header.block > LONGEST || header.first > LONGEST ||
            !port_read(keys, header.keys * sizeof keys[0]) || airmark_init(&detector, &config) != AIRMARK_OK) {
            return 3;
        }
        tell("host", hosts++);
        while (header.samples) {
            uint32_t samples = next < header.samples ? next : header.samples, written;
            if (!port_read(block, samples * sizeof block[0])) {
                return 4;
            }
            written = push(samples);
            stack = stack > written ? stack : written;
            header.samples -= samples;
            next = header.block;
        }
        tell("dropped", airmark_dropped(&detector));
        tell("crc", checksum());
        tell("stack", stack);
    }
    return stack < 4 * PAINTED_WORDS ? 0 : 5;
}
