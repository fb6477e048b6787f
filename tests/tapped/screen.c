/* The screen's own functions, in a copy of it. */
#define airmark_screen tapped_screen
#define airmark_screen_reset tapped_screen_reset
#include "airmark_screen.c"

#include "tapped.h"

void tap_level(airmark_t *detector, uint32_t key, bool half, uint32_t level)
{
    take_level(detector, key, half ? AM_HALF : AM_WHOLE, level);
}
