/* The core starts with floating point off, and the port's start-up leaves it so: turned on before the first use. */
#include <stdint.h>

void __real_uart_init(void);
void __wrap_uart_init(void);

void __wrap_uart_init(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: full access to coprocessors 10 and 11 */
    __asm volatile("dsb\n\tisb");
    __real_uart_init();
}
