/*
 * The port for QEMU's Xtensa machine "sim" with the LX106, the core of the ESP8266: console and exit status by the
 * simulator's calls. It has no sound: it is for the programs vectors and bench.
 */
#include <stdint.h>

#include "board.h"

/* QEMU enters here, with neither stack nor anything else set up; the linker script says where that is. */
__asm__(".section .reset, \"ax\"\n"
        ".global reset\n"
        "reset: j begin\n"
        ".align 4\n"
        "top: .word stack_top\n"
        "entry: .word start\n"
        "begin: l32r a1, top\n"
        "l32r a0, entry\n"
        "jx a0\n"
        ".text\n");

static int32_t simulator(int32_t call, int32_t a, int32_t b, int32_t c)
{
    register int32_t a2 __asm__("a2") = call;
    register int32_t a3 __asm__("a3") = a;
    register int32_t a4 __asm__("a4") = b;
    register int32_t a5 __asm__("a5") = c;
    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
    return a2;
}

__attribute__((noreturn, used)) static void start(void)
{
    enum { EXIT = 1 };
    const int status = port_main();
    for (;;) {
        simulator(EXIT, status, 0, 0);
    }
}

void port_write(const char *text, size_t length)
{
    enum { WRITE = 4, STANDARD_OUTPUT = 1 };
    simulator(WRITE, STANDARD_OUTPUT, (int32_t)(uintptr_t)text, (int32_t)length);
}

void port_led(bool on)
{
    (void)on;
}

/*
 * What the compiler calls for want of instructions. The ESP8266 has it in its ROM, so the compiler's library leaves it out;
 * the simulated machine has no ROM.
 */
static uint64_t divide(uint64_t n, uint64_t d, uint64_t *rest)
{
    uint64_t quotient = 0;
    *rest = 0;
    for (uint32_t i = 64; i-- > 0;) {
        *rest = *rest << 1 | (n >> i & 1u);
        if (*rest >= d) {
            *rest -= d;
            quotient |= (uint64_t)1 << i;
        }
    }
    return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);
uint64_t __muldi3(uint64_t a, uint64_t b);
uint32_t __udivsi3(uint32_t n, uint32_t d);
uint32_t __umodsi3(uint32_t n, uint32_t d);
int32_t __divsi3(int32_t n, int32_t d);

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
    uint64_t rest;
    return divide(n, d, &rest);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
    uint64_t rest;
    divide(n, d, &rest);
    return rest;
}

uint32_t __umodsi3(uint32_t n, uint32_t d)
{
    uint32_t rest = 0;
    for (uint32_t i = 32; i-- > 0;) {
        rest = rest << 1 | (n >> i & 1u);
        rest -= rest >= d ? d : 0u;
    }
    return rest;
}

uint32_t __udivsi3(uint32_t n, uint32_t d)
{
    uint32_t rest = 0, quotient = 0;
    for (uint32_t i = 32; i-- > 0;) {
        rest = rest << 1 | (n >> i & 1u);
        if (rest >= d) {
            rest -= d;
            quotient |= 1u << i;
        }
    }
    return quotient;
}

int32_t __divsi3(int32_t n, int32_t d)
{
    const uint32_t size = __udivsi3(n < 0 ? 0u - (uint32_t)n : (uint32_t)n, d < 0 ? 0u - (uint32_t)d : (uint32_t)d);
    return (int32_t)((n < 0) != (d < 0) ? 0u - size : size);
}

uint64_t __muldi3(uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (; b != 0; b >>= 1) {
        product += b & 1u ? a : 0u;
        a <<= 1;
    }
    return product;
}
