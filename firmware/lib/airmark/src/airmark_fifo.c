#include "airmark_fifo.h"

airmark_status_t airmark_fifo_init(airmark_fifo_t *fifo, int16_t *samples, uint32_t size)
{
    if (!fifo || !samples || size == 0 || size > AIRMARK_FIFO_LARGEST || (size & (size - 1)) != 0) {
        return AIRMARK_BAD_ARGUMENT;
    }
    fifo->samples = samples;
    fifo->mask = size - 1;
    fifo->written = 0;
    fifo->lost = 0;
    fifo->consumed = 0;
    fifo->skipped = 0;
    return AIRMARK_OK;
}

uint32_t airmark_fifo_room(const airmark_fifo_t *fifo)
{
    if (AIRMARK_LOAD_ACQUIRE(&fifo->skipped) != fifo->lost) {
        return 0;
    }
    return fifo->mask + 1 - (fifo->written - AIRMARK_LOAD_ACQUIRE(&fifo->consumed));
}

void airmark_fifo_lose(airmark_fifo_t *fifo, uint32_t count)
{
    const uint32_t most = UINT32_MAX - (fifo->lost - AIRMARK_LOAD_ACQUIRE(&fifo->skipped));
    AIRMARK_STORE_RELEASE(&fifo->lost, fifo->lost + (count < most ? count : most));
}

uint32_t airmark_fifo_write(airmark_fifo_t *fifo, const int16_t *samples, uint32_t count, uint32_t stride)
{
    const uint32_t room = airmark_fifo_room(fifo);
    const uint32_t taken = count < room ? count : room;
    size_t from = 0;
    for (uint32_t i = 0; i < taken; i++) {
        fifo->samples[(fifo->written + i) & fifo->mask] = samples[from];
        from += stride;
    }
    AIRMARK_STORE_RELEASE(&fifo->written, fifo->written + taken);
    if (count > room) {
        airmark_fifo_lose(fifo, count - room);
    }
    return taken;
}

uint32_t airmark_fifo_peek(const airmark_fifo_t *fifo, const int16_t **samples, uint32_t *lost)
{
    /* In this order: where there is a gap, `written` is then its place, as the producer does not move it meanwhile. */
    const uint32_t all_lost = AIRMARK_LOAD_ACQUIRE(&fifo->lost);
    const uint32_t count = AIRMARK_LOAD_ACQUIRE(&fifo->written) - fifo->consumed;
    const uint32_t at = fifo->consumed & fifo->mask;
    const uint32_t before_end = fifo->mask + 1 - at;
    *samples = fifo->samples + at;
    *lost = count == 0 ? all_lost - fifo->skipped : 0;
    return count < before_end ? count : before_end;
}

void airmark_fifo_consume(airmark_fifo_t *fifo, uint32_t count)
{
    const uint32_t there = AIRMARK_LOAD_ACQUIRE(&fifo->written) - fifo->consumed;
    AIRMARK_STORE_RELEASE(&fifo->consumed, fifo->consumed + (count < there ? count : there));
}

void airmark_fifo_skip(airmark_fifo_t *fifo, uint32_t lost)
{
    const uint32_t there = AIRMARK_LOAD_ACQUIRE(&fifo->lost) - fifo->skipped;
    AIRMARK_STORE_RELEASE(&fifo->skipped, fifo->skipped + (lost < there ? lost : there));
}
