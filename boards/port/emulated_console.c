/* The start on QEMU's cores for programs that hear nothing: beside emulated.c, in place of emulated_audio.c. */
#include "port.h"

int main(void)
{
    (void)port_start(); /* false: there is no input, which these programs do not read */
    return port_main();
}

void port_led(bool on)
{
    (void)on;
}
