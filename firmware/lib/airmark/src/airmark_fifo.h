/*
 * airmark_fifo.h: samples from an interrupt to a task, without locks.
 *
 * One producer (an interrupt, DMA's callback, or a thread) writes; one consumer (a task) reads where the samples lie, so
 * that airmark_push takes them from here. Both may run at any time, on one core or two.
 *
 *     static int16_t samples[512];                 // caller's; size a power of two
 *     static airmark_fifo_t fifo;
 *     airmark_fifo_init(&fifo, samples, 512);      // before either side begins
 *
 *     // the interrupt
 *     airmark_fifo_write(&fifo, dma_half, 160, 1);
 *
 *     // the task
 *     const int16_t *next;
 *     uint32_t lost, count = airmark_fifo_peek(&fifo, &next, &lost);
 *     if (lost) {
 *         airmark_fifo_skip(&fifo, lost);          // so many samples are missing here
 *     } else {
 *         taken = airmark_push(&detector, next, count, 1, &detection, &found);
 *         airmark_fifo_consume(&fifo, (uint32_t)taken);
 *     }
 *
 * What is lost
 *
 * Where the FIFO is full, samples that come are lost, and so are all later ones until the task has consumed what was
 * there and skipped the gap. So there is one gap at a time; its place and its length are exact: what was written is what
 * is consumed and what is skipped, in order, to the sample. The task must keep the sample numbers true. Either
 * it pushes as many zeros, which costs as much as sound does; or it calls airmark_init with config.first_sample set to
 * the number of the next sample, which forgets all sound so far. firmware/src/stream.h does the first up to
 * AIRMARK_FLUSH_SAMPLES, after which the detector has decided on all it heard, and the second beyond.
 *
 * What it costs
 *
 * Nothing waits, and only airmark_fifo_write loops, over the samples that find room: 50 instructions and 11 a sample at
 * most; all other functions take 50 at most. So counts tests/test_fifo.py on the cores of tests/cost, compiled at -O2.
 */
#ifndef AIRMARK_FIFO_H
#define AIRMARK_FIFO_H

#include "airmark.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How the two sides see each other's counters: a load after which the other side's earlier writes are seen, a store
 * before which this side's earlier reads and writes are done. Define both, for all files, where the compiler has neither
 * builtin nor another way: on one core with one aligned 32-bit access to a volatile and a barrier for the compiler.
 *
 * For cores without atomic instructions, as a Cortex-M0's, clang would call __atomic_load_4, which no library has; there a
 * plain access of 32 bits is all the same one, and the fence is that of the core.
 */
#if defined(__clang__) && __GCC_ATOMIC_INT_LOCK_FREE != 2
static inline uint32_t airmark_load_acquire(const uint32_t *pointer)
{
    const uint32_t value = *(const volatile uint32_t *)pointer;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return value;
}
static inline void airmark_store_release(uint32_t *pointer, uint32_t value)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    *(volatile uint32_t *)pointer = value;
}
#ifndef AIRMARK_LOAD_ACQUIRE
#define AIRMARK_LOAD_ACQUIRE(pointer) airmark_load_acquire(pointer)
#endif
#ifndef AIRMARK_STORE_RELEASE
#define AIRMARK_STORE_RELEASE(pointer, value) airmark_store_release((pointer), (value))
#endif
#endif
#ifndef AIRMARK_LOAD_ACQUIRE
#define AIRMARK_LOAD_ACQUIRE(pointer) __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
#endif
#ifndef AIRMARK_STORE_RELEASE
#define AIRMARK_STORE_RELEASE(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELEASE)
#endif

#define AIRMARK_FIFO_LARGEST 0x40000000u /* samples */

/* Private. All counters are modulo 2^32. */
typedef struct {
    int16_t *samples;
    uint32_t mask;     /* size - 1 */
    uint32_t written;  /* samples put here; the producer's */
    uint32_t lost;     /* samples that found no room; the producer's */
    uint32_t consumed; /* samples taken from here; the consumer's */
    uint32_t skipped;  /* of `lost`; the consumer's. While it is another the producer writes nothing */
} airmark_fifo_t;

/*
 * Prepares a FIFO over `size` samples, a power of two from 1 to AIRMARK_FIFO_LARGEST, which it uses from now on. Neither
 * side may use it meanwhile. Returns AIRMARK_OK, or AIRMARK_BAD_ARGUMENT, and then has written nothing, for a null pointer
 * or any other size.
 */
airmark_status_t airmark_fifo_init(airmark_fifo_t *fifo, int16_t *samples, uint32_t size);

/*
 * Producer: puts `count` samples, `stride` int16_t apart, into the FIFO. Returns how many found room, from the first on;
 * the others are lost and counted. A gap of 2^32 - 1 samples or more (3 days at 16 kHz) counts as 2^32 - 1.
 */
uint32_t airmark_fifo_write(airmark_fifo_t *fifo, const int16_t *samples, uint32_t count, uint32_t stride);

/*
 * Producer: counts `count` samples that never reached it as lost, after those written so far: where a driver tells that
 * it had to drop some. The place is exact where they are the next to be written.
 */
void airmark_fifo_lose(airmark_fifo_t *fifo, uint32_t count);

/* Producer: as many samples as would find room now; 0 while a gap is not skipped. For one that can wait, as a file. */
uint32_t airmark_fifo_room(const airmark_fifo_t *fifo);

/*
 * Consumer: what comes next. One of
 *
 *     samples   returns how many lie at *samples, one after the other, and *lost is 0. There may be more behind them, at
 *               the buffer's beginning or because they came meanwhile: call again once these are consumed
 *     a gap     returns 0, and *lost is how many samples were lost here so far
 *     nothing   returns 0, and *lost is 0
 *
 * It changes nothing: a task that sleeps may ask here whether there is anything.
 */
uint32_t airmark_fifo_peek(const airmark_fifo_t *fifo, const int16_t **samples, uint32_t *lost);

/* Consumer: takes the first `count` of those peeked; of more it takes those that there are. */
void airmark_fifo_consume(airmark_fifo_t *fifo, uint32_t count);

/*
 * Consumer: goes on behind a gap of so many samples, as peek told. Where more were lost meanwhile, the next peek tells of
 * these; of more than were lost it skips those that were.
 */
void airmark_fifo_skip(airmark_fifo_t *fifo, uint32_t lost);

#ifdef __cplusplus
}
#endif

#endif
