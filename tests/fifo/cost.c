/*
 * On an emulated core that counts: what each function of the FIFO takes, a line of its name and the counter's difference,
 * the call with it; "empty" is what counting adds. Each is called in all the ways it can go.
 */
#include <string.h>

#include "airmark_fifo.h"
#include "port.h"

#define SIZE 256u

static int16_t samples[SIZE], block[2u * SIZE];
static airmark_fifo_t fifo;
static volatile uint32_t sink;

static void tell(const char *word, uint32_t number)
{
    char line[32];
    size_t at = sizeof line, length = strlen(word);
    line[--at] = '\n';
    do {
        line[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    line[--at] = ' ';
    at -= length;
    memcpy(line + at, word, length);
    port_write(line + at, sizeof line - at);
}

#define COUNT(word, call) \
    do { \
        uint32_t before = port_count(); \
        call; \
        tell(word, (port_count() - before) & PORT_COUNT_MASK); \
    } while (0)

int main(void)
{
    const int16_t *next;
    uint32_t lost;
    if (!port_start()) {
        return 2;
    }
    COUNT("empty", (void)0);
    COUNT("init", airmark_fifo_init(&fifo, samples, SIZE));
    for (uint32_t turn = 0; turn < 2; turn++) {
        COUNT("peek", sink = airmark_fifo_peek(&fifo, &next, &lost)); /* nothing */
        COUNT("room", sink = airmark_fifo_room(&fifo));
        COUNT("write0", sink = airmark_fifo_write(&fifo, block, 0, 1));
        COUNT("write160", sink = airmark_fifo_write(&fifo, block, 160, 1)); /* the second time in two pieces */
        COUNT("peek", sink = airmark_fifo_peek(&fifo, &next, &lost));       /* samples */
        COUNT("consume", airmark_fifo_consume(&fifo, 100));
        COUNT("consume", airmark_fifo_consume(&fifo, 1000)); /* more than there are */
        COUNT("stride160", sink = airmark_fifo_write(&fifo, block, 160, 2));
        sink = airmark_fifo_write(&fifo, block, SIZE - 160, 1);
        COUNT("room", sink = airmark_fifo_room(&fifo)); /* none */
        COUNT("lose", airmark_fifo_lose(&fifo, 7));
        COUNT("full", sink = airmark_fifo_write(&fifo, block, 160, 1));
        COUNT("room", sink = airmark_fifo_room(&fifo)); /* a gap */
        airmark_fifo_consume(&fifo, SIZE);
        COUNT("peek", sink = airmark_fifo_peek(&fifo, &next, &lost)); /* the gap */
        COUNT("skip", airmark_fifo_skip(&fifo, lost));
    }
    return lost == 167 ? 0 : 1;
}
