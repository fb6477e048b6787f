/*
 * board.h: what a program needs of a board besides sound: an entry, a place to write, a lamp.
 *
 * The port has the framework's entry (main, app_main or setup) and calls port_main, the program's, when the board is up.
 */
#ifndef AIRMARK_BOARD_H
#define AIRMARK_BOARD_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The program. What it returns is the emulator's exit status; on a board it returns only if there is nothing to do. */
int port_main(void);

/* Writes to the board's console; from the task only. Returns when all is written or in the console's own buffer. */
void port_write(const char *text, size_t length);

/* The lamp: on or off; from the task only. */
void port_led(bool on);

#ifdef __cplusplus
}
#endif

#endif
