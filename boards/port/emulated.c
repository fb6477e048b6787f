/* The port for QEMU's cores: input and output by semihosting, as picolibc offers it. */
#include <semihost.h>

#include "port.h"

static int input, output;

/* Ends the emulator, which gives status 1; the name is that of picolibc's vector. */
__attribute__((aligned(4))) void arm_hardfault_isr(void)
{
    sys_semihost_exit(ADP_Stopped_RunTimeErrorUnknown, 0);
}

bool port_start(void)
{
#ifdef __riscv
    __asm__ volatile("csrw mtvec, %0" : : "r"(arm_hardfault_isr));
#else
    volatile uint32_t *systick = (volatile uint32_t *)0xE000E010u;
    systick[1] = PORT_COUNT_MASK;
    systick[2] = 0;
    systick[0] = 5; /* the core's own clock, no interrupt */
#endif
    output = sys_semihost_open(":tt", SH_OPEN_W);
    input = sys_semihost_open("input", SH_OPEN_R_B);
    return input >= 0;
}

bool port_read(void *bytes, size_t size)
{
    return sys_semihost_read(input, bytes, size) == 0; /* it returns how many are missing */
}

void port_write(const char *text, size_t length)
{
    sys_semihost_write(output, text, length);
}
