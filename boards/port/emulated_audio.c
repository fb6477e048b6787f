/*
 * The microphone of QEMU's cores: a timer's interrupt takes the place of DMA's, and a file that of sound, "input" in the
 * emulator's working folder: 16-bit samples, little-endian, of 16 kHz. The whole path from interrupt to task is that of a
 * board. Where there is no such file, or one with a header, the emulator ends with status 2.
 *
 * This microphone has no clock of its own: where there is no room for a block it waits. So a slow computer loses nothing,
 * and the detections are the same each time. With PORT_AUDIO_TICKS, the timer's ticks from a block to the next, it does not
 * wait, as a real one. The end of the file ends the sound.
 */
#include <semihost.h>

#ifndef PORT_AUDIO_FIFO
#define PORT_AUDIO_FIFO 512 /* samples */
#endif
#include "audio_fifo.h"
#include "board.h"
#include "emulated_timer.h"
#include "header.h"
#include "port.h"

#ifdef PORT_AUDIO_TICKS
#define WAITS false
#else
#define WAITS true
#define PORT_AUDIO_TICKS 2000u /* 0.2 ms at most */
#endif
#define RATE 16000u
#define BLOCK 160 /* samples that an interrupt brings */

static int file;
static bool ended; /* the interrupt writes it after the last samples */

void port_timer_interrupt(void)
{
    static int16_t block[BLOCK];
    size_t missing;
    if (AIRMARK_LOAD_ACQUIRE(&ended) || (WAITS && airmark_fifo_room(&fifo) < BLOCK)) {
        return;
    }
    missing = sys_semihost_read(file, block, sizeof block); /* bytes */
    airmark_fifo_write(&fifo, block, (uint32_t)((sizeof block - missing) / sizeof block[0]), 1);
    if (missing) {
        AIRMARK_STORE_RELEASE(&ended, true);
    }
}

bool port_audio_start(uint32_t rate)
{
    file = sys_semihost_open("input", SH_OPEN_R_B);
    if (rate != RATE || file < 0 || airmark_fifo_init(&fifo, fifo_samples, PORT_AUDIO_FIFO) != AIRMARK_OK) {
        return false;
    }
    port_timer_start(PORT_AUDIO_TICKS);
    return true;
}

static bool nothing_new(void)
{
    return fifo_is_empty() && !ended;
}

static bool wait_for_sound(void)
{
    port_sleep_while(nothing_new);
    return !AIRMARK_LOAD_ACQUIRE(&ended) || !fifo_is_empty(); /* in this order: when it has ended the FIFO holds all */
}

/* The lamp is a line. */
void port_led(bool on)
{
    static const char lines[2][9] = {"led off\n", "led on\n"};
    port_write(lines[on], on ? 7 : 8);
}

static int refuse(const char *line)
{
    port_write(line, strlen(line));
    return 2;
}

int main(void)
{
    char begin[PORT_HEADER];
    if (!port_start()) {
        return refuse("no file \"input\" in this folder: " PORT_RAW "\n");
    }
    if (port_read(begin, sizeof begin) && port_has_header(begin)) {
        return refuse("the file \"input\" has a header: wanted are " PORT_RAW "\n");
    }
    return port_main();
}
