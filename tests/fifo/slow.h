/* Barriers for the two threads that now and then let the other go on: between one and the next all may have changed. */
#ifndef FIFO_SLOW_H
#define FIFO_SLOW_H

#include <sched.h>
#include <stdint.h>

static inline void slow(void)
{
    static __thread uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    if (state >> 30 == 0) {
        sched_yield();
    }
}

#define AIRMARK_LOAD_ACQUIRE(pointer) (slow(), __atomic_load_n((pointer), __ATOMIC_ACQUIRE))
#define AIRMARK_STORE_RELEASE(pointer, value) (__atomic_store_n((pointer), (value), __ATOMIC_RELEASE), slow())

#endif
