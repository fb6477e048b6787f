/* The counter of a computer with an operating system: nanoseconds that the thread ran. */
#define _POSIX_C_SOURCE 199309L /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): POSIX has it so */
#include <stddef.h>
#include <time.h>

#include "counter.h"

uint32_t port_counter_read(void)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* port_counter_start saw that it works */
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

uint32_t port_counter_since(uint32_t before)
{
    return port_counter_read() - before;
}

const port_counter_t *port_counter_start(void)
{
    static const port_counter_t counter = {"nanoseconds", "clock_gettime", 1000000000u};
    struct timespec now;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0 ? &counter : NULL;
}

const char *port_counter_reason(void)
{
    return "clock_gettime has no CLOCK_THREAD_CPUTIME_ID";
}

/* The time of other threads is not counted, so nothing is held back. */
void port_counter_hold(void)
{
}

void port_counter_release(void)
{
}
