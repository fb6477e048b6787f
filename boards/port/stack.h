/*
 * stack.h: how deep a call goes into the stack. Paint what lies below the stack pointer, call, and look how far the
 * paint is gone. That much must belong to the stack, and no interrupt may use it in the meantime.
 */
#ifndef AIRMARK_STACK_H
#define AIRMARK_STACK_H

#include <stdint.h>

#define STACK_PAINT 0xA5C3965Au
/* Also where nothing is optimized: these have no frame of their own, which would lie in the paint. */
#define STACK_INLINE static inline __attribute__((always_inline))

/* The stack pointer of the function that this is part of; what lies below it is free. */
STACK_INLINE volatile uint32_t *port_stack_pointer(void)
{
    uint32_t *pointer;
    /* volatile: not before the function that this is part of has made its own room */
#if defined(__riscv)
    __asm__ volatile("mv %0, sp" : "=r"(pointer));
#elif defined(__xtensa__)
    __asm__ volatile("mov %0, a1" : "=r"(pointer));
#ifdef __XTENSA_WINDOWED_ABI__
    pointer -= 4; /* there its caller's registers are spilled to */
#endif
#elif defined(__x86_64__)
    __asm__ volatile("mov %%rsp, %0" : "=r"(pointer));
#elif defined(__arm__) || defined(__aarch64__)
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
#else
#error "port: which register is the stack pointer of this core?"
#endif
    return pointer;
}

/* Paints so many words below top. */
/* cppcheck-suppress constParameter ; it is written through another pointer */
STACK_INLINE void port_stack_paint(volatile uint32_t *top, uint32_t words)
{
    for (volatile uint32_t *word = top - words; word < top; word++) {
        *word = STACK_PAINT;
    }
}

/* The lowest word written since among those painted, or `deepest` where that is lower: at first top. */
/* cppcheck-suppress constParameter ; it may be what is returned */
STACK_INLINE volatile uint32_t *port_stack_deepest(volatile uint32_t *top, uint32_t words, volatile uint32_t *deepest)
{
    for (volatile uint32_t *word = top - words; word < deepest; word++) {
        if (*word != STACK_PAINT) {
            deepest = word;
        }
    }
    return deepest;
}

#endif
