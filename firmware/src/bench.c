/*
 * bench: what the detector costs on this part. It makes sound, in blocks of 10 ms: white noise, the same with a mark,
 * silence; pushes it, and tells how far the board's counter goes meanwhile, with interrupts held back.
 *
 * Output, lines of a word and fields, then the sum for a person:
 *
 *     bench airmark=0.1.0 rate=16000 keys=1 early=0 counter=DWT hz=64000000     hz=0: the clock is not known
 *     sound name=marked seconds=5 found=1 dropped=0 a_second=2345678 worst_10ms=67890
 *     memory state=12232 stack=920 ram=13152
 *     most 2345678 cycles a second = 3.665 % of 64000000 Hz
 *     worst 67890 cycles in 10 ms = 10.608 % of 64000000 Hz
 *
 * a_second: what a second of sound takes, after the first two, when all of the detector works; most: of that sound
 * which takes most. worst_10ms: the most that a block took; worst: of all. Memory is in bytes: sizeof(airmark_t), the
 * most that airmark_push wrote below its caller's stack pointer, and their sum. Exit status 1: nothing to count, or the
 * mark was not found.
 *
 * Macros: BENCH_RATE, Hz, one that the detector takes; BENCH_EARLY 1: with reports from a mark's first half; BENCH_TIMES:
 * it is all done so often, so that who opens the console late sees it too. It listens for AIRMARK_MAX_KEYS keys.
 * tests/cost counts on recordings instead, for QEMU's cores.
 */
#include "airmark.h"
#include "board.h"
#include "counter.h"
#include "line.h"
#include "sound.h"
#include "stack.h"

#ifndef BENCH_RATE
#define BENCH_RATE 16000
#endif
#ifndef BENCH_EARLY
#define BENCH_EARLY 0
#endif
#ifndef BENCH_TIMES
#define BENCH_TIMES 1
#endif
AIRMARK_REQUIRE_RATE(BENCH_RATE);

#define BLOCK (BENCH_RATE / 100u) /* samples */
#define BLOCKS 500u               /* of each sound */
#define WARM 210u                 /* blocks: a mark's length and some more */
#define MARK_AT (125u * BLOCK)
#define COLUMNS {0x1D3A5B87u, 0xC6E29F14u, 0x5A9C07E3u, 0xE4718D2Bu}
/* Bytes of stack below this program's that are looked at; a task must have them and some hundred more. */
#define PAINTED (sizeof(void *) > 4 ? 8192u : 1280u)
#define PAINTED_WORDS ((uint32_t)(PAINTED / sizeof(uint32_t)))

typedef struct {
    const char *name;
    sound_layer_t layers[2];
    uint32_t layer_count;
    uint32_t marks;
} recipe_t;

#define NOISE {.kind = SOUND_NOISE, .length = BLOCKS * BLOCK, .seed = 1, .amplitude = 8000}

static const recipe_t recipes[] = {
    {.name = "noise", .layers = {NOISE}, .layer_count = 1},
    {.name = "marked",
     .layers = {NOISE,
                {.kind = SOUND_MARK,
                 .start = MARK_AT,
                 .length = BLOCKS * BLOCK - MARK_AT,
                 .step = (uint32_t)(16000ull * 65536u / BENCH_RATE),
                 .seed = 1,
                 .columns = COLUMNS,
                 .amplitudes = {800, 800, 800, 800}}},
     .layer_count = 2,
     .marks = 1},
    {.name = "silence"},
};
#define RECIPES ((uint32_t)(sizeof recipes / sizeof recipes[0]))

static airmark_t detector;
static airmark_key_t keys[AIRMARK_MAX_KEYS] = {{COLUMNS}};
static sound_layer_t layers[2];
static int16_t block[BLOCK];
static uint32_t empty; /* what counting adds */
static uint32_t stack; /* bytes */

/* Returns what pushing the block took, and adds the detections to *found. */
static __attribute__((noinline)) uint32_t push(uint32_t *found)
{
    volatile uint32_t *const top = port_stack_pointer();
    volatile uint32_t *deepest = top;
    uint32_t at = 0, sum = 0, written;
    while (at < BLOCK) {
        airmark_detection_t detection;
        bool is_found;
        uint32_t before, count;
        port_counter_hold();
        port_stack_paint(top, PAINTED_WORDS);
        before = port_counter_read();
        at += (uint32_t)airmark_push(&detector, block + at, BLOCK - at, 1, &detection, &is_found);
        count = port_counter_since(before);
        deepest = port_stack_deepest(top, PAINTED_WORDS, deepest);
        port_counter_release();
        sum += count > empty ? count - empty : 0u;
        *found += is_found;
    }
    written = (uint32_t)(top - deepest) * (uint32_t)sizeof *top;
    stack = written > stack ? written : stack;
    return sum;
}

static uint32_t count_nothing(void)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t count;
        port_counter_hold();
        count = port_counter_since(port_counter_read());
        port_counter_release();
        least = count < least ? count : least;
    }
    return least;
}

typedef struct {
    uint32_t a_second;
    uint32_t worst;
} cost_t;

/* Pushes a sound and tells its line. Returns whether the marks in it were found, and nothing else. */
static bool measure(const recipe_t *recipe, const airmark_config_t *config, cost_t *cost)
{
    uint64_t warm = 0;
    uint32_t found = 0;
    cost->worst = 0;
    for (uint32_t i = 0; i < recipe->layer_count; i++) {
        layers[i] = recipe->layers[i];
    }
    (void)airmark_init(&detector, config); /* which port_main saw to be good */
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t count;
        for (uint32_t k = 0; k < BLOCK; k++) {
            block[k] = sound_sample(layers, recipe->layer_count, i * BLOCK + k);
        }
        count = push(&found);
        cost->worst = count > cost->worst ? count : cost->worst;
        warm += i >= WARM ? count : 0u;
    }
    cost->a_second = (uint32_t)(warm * 100u / (BLOCKS - WARM));
    text("sound name=");
    text(recipe->name);
    field(" seconds=", BLOCKS / 100u);
    field(" found=", found);
    field(" dropped=", airmark_dropped(&detector));
    field(" a_second=", cost->a_second);
    field(" worst_10ms=", cost->worst);
    end_line();
    return recipe->marks ? found >= recipe->marks && found <= recipe->marks + BENCH_EARLY : found == 0;
}

/* So many units, where the core does `whole` of them in that time, or 0 if that is not known. */
static void tell(const char *word, uint32_t count, const port_counter_t *counter, const char *time, uint32_t whole)
{
    text(word);
    number(count, 1);
    text(" ");
    text(counter->unit);
    text(time);
    if (whole) {
        decimal(" = ", (uint64_t)count * 100u, whole, 3);
        field(" % of ", counter->hz);
        text(" Hz");
    }
    end_line();
}

static int fail(const char *why, const char *more)
{
    text("bench: ");
    text(why);
    text(more);
    end_line();
    return 1;
}

static int bench(void)
{
    const port_counter_t *const counter = port_counter_start();
    airmark_config_t config = AIRMARK_CONFIG(BENCH_RATE, keys, AIRMARK_MAX_KEYS);
    airmark_status_t status;
    cost_t most = {0, 0};
    bool good = true;
    if (!counter) {
        return fail("nothing to count: ", port_counter_reason());
    }
    for (uint32_t key = 1; key < AIRMARK_MAX_KEYS; key++) {
        for (uint32_t band = 0; band < AIRMARK_BANDS; band++) {
            keys[key].columns[band] = sound_draw(keys[key - 1u].columns[band]);
        }
    }
    config.early = BENCH_EARLY;
    status = airmark_init(&detector, &config);
    if (status != AIRMARK_OK) {
        return fail("the configuration has ", airmark_status_text(status));
    }
    text("bench airmark=" AIRMARK_VERSION);
    field(" rate=", BENCH_RATE);
    field(" keys=", AIRMARK_MAX_KEYS);
    field(" early=", BENCH_EARLY);
    text(" counter=");
    text(counter->source);
    field(" hz=", counter->hz);
    end_line();
    empty = count_nothing();
    for (uint32_t i = 0; i < RECIPES; i++) {
        cost_t cost;
        good = measure(&recipes[i], &config, &cost) && good;
        most.a_second = cost.a_second > most.a_second ? cost.a_second : most.a_second;
        most.worst = cost.worst > most.worst ? cost.worst : most.worst;
    }
    field("memory state=", sizeof detector);
    field(" stack=", stack);
    field(" ram=", sizeof detector + stack);
    end_line();
    tell("most ", most.a_second, counter, " a second", counter->hz);
    tell("worst ", most.worst, counter, " in 10 ms", counter->hz / 100u);
    if (stack >= PAINTED) {
        return fail("airmark_push wrote more of the stack than is looked at", "");
    }
    return good ? 0 : fail("the marks that it found are not those in the sound: this detector does not work", "");
}

int port_main(void)
{
    int status = 0;
    for (uint32_t i = 0; i < BENCH_TIMES; i++) {
        status = bench();
    }
    return status;
}
