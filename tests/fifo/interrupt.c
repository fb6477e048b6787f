/*
 * On an emulated core: a timer's interrupt writes, at a changing pace, and a task reads, at times too late. Every sample is
 * its own number. Output: a line with what the interrupt wrote, what it was told it had no room for, what the task read,
 * what it was told was lost, in how many gaps, and interrupts that came between a peek and the consume that follows.
 * Exit status 1: a sample was not the one to come.
 */
#include "airmark_fifo.h"
#include "emulated_timer.h"
#include "port.h"

#define SIZE 512u
#define TOTAL 1000000u
#define LONGEST 200u

static int16_t samples[SIZE];
static airmark_fifo_t fifo;
static uint32_t next, written, given_up, interrupts; /* the interrupt's */

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

void port_timer_interrupt(void)
{
    static uint32_t state = 1;
    static int16_t block[LONGEST];
    uint32_t count = 1 + draw(&state) % LONGEST, stored;
    count = count < TOTAL - next ? count : TOTAL - next;
    AIRMARK_STORE_RELEASE(&interrupts, interrupts + 1);
    for (uint32_t i = 0; i < count; i++) {
        block[i] = (int16_t)(uint16_t)(next + i);
    }
    stored = airmark_fifo_write(&fifo, block, count, 1);
    written += stored;
    given_up += count - stored;
    AIRMARK_STORE_RELEASE(&next, next + count);
    port_timer_set(2000u + draw(&state) % 8 * 1000u);
}

static bool empty(void)
{
    return airmark_fifo_room(&fifo) == SIZE && next < TOTAL;
}

static void tell(uint32_t number, char end)
{
    char digits[11];
    size_t at = sizeof digits;
    digits[--at] = end;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    port_write(digits + at, sizeof digits - at);
}

int main(void)
{
    uint32_t consumed = 0, lost = 0, gaps = 0, between = 0, state = 2;
    if (!port_start() || airmark_fifo_init(&fifo, samples, SIZE) != AIRMARK_OK) {
        return 2;
    }
    /* So that all counters wrap on the way. */
    fifo.written = fifo.consumed = fifo.lost = fifo.skipped = 0u - 1000u;
    port_timer_start(2000);
    for (;;) {
        const bool last = AIRMARK_LOAD_ACQUIRE(&next) == TOTAL;
        const uint32_t before = AIRMARK_LOAD_ACQUIRE(&interrupts);
        const int16_t *first;
        uint32_t gap, there = airmark_fifo_peek(&fifo, &first, &gap);
        if (there) {
            const uint32_t taken = 1 + draw(&state) % there;
            for (uint32_t i = 0; i < taken; i++) {
                if (first[i] != (int16_t)(uint16_t)(consumed + lost + i)) {
                    return 1;
                }
                port_loop(20); /* some work */
            }
            between += AIRMARK_LOAD_ACQUIRE(&interrupts) != before;
            airmark_fifo_consume(&fifo, taken);
            consumed += taken;
            if (draw(&state) % 64 == 0) { /* late: the FIFO overflows meanwhile */
                const uint32_t until = AIRMARK_LOAD_ACQUIRE(&interrupts) + 8;
                while (AIRMARK_LOAD_ACQUIRE(&interrupts) != until && AIRMARK_LOAD_ACQUIRE(&next) < TOTAL) {
                }
            }
        } else if (gap) {
            airmark_fifo_skip(&fifo, gap);
            lost += gap;
            gaps++;
        } else if (last) {
            break;
        } else {
            port_sleep_while(empty);
        }
    }
    tell(written, ' ');
    tell(given_up, ' ');
    tell(consumed, ' ');
    tell(lost, ' ');
    tell(gaps, ' ');
    tell(between, '\n');
    return 0;
}
