/* Of Zephyr's kernel, what boards/port/zephyr.c uses. */
#ifndef STANDIN_ZEPHYR_KERNEL_H
#define STANDIN_ZEPHYR_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device {
    const char *name;
};
bool device_is_ready(const struct device *dev);

/* Devicetree: labels and aliases are objects of those names. */
#define DT_NODELABEL(label) standin_##label
#define DT_ALIAS(alias) standin_##alias
#define DEVICE_DT_GET(node) (&(node))
extern const struct device standin_dmic_dev;

typedef struct {
    int64_t ticks;
} k_timeout_t;
#define K_FOREVER ((k_timeout_t){-1})
#define K_NO_WAIT ((k_timeout_t){0})

struct k_mem_slab {
    char *buffer;
    size_t block_size;
    uint32_t num_blocks;
    uint32_t used; /* the stand-in's: a bit for each block */
};
#define K_MEM_SLAB_DEFINE_STATIC(slab, size, blocks, align) \
    static char __attribute__((aligned(align))) slab##_memory[(size) * (blocks)]; \
    static struct k_mem_slab slab = {slab##_memory, (size), (blocks), 0}
void k_mem_slab_free(struct k_mem_slab *slab, void *mem);

struct k_sem {
    unsigned int count, limit;
};
#define K_SEM_DEFINE(sem, initial, most) struct k_sem sem = {(initial), (most)}
int k_sem_take(struct k_sem *sem, k_timeout_t timeout);
void k_sem_give(struct k_sem *sem);

struct k_thread {
    void *unused;
};
typedef char k_thread_stack_t;
typedef struct k_thread *k_tid_t;
typedef void (*k_thread_entry_t)(void *p1, void *p2, void *p3);
#define K_THREAD_STACK_DEFINE(stack, size) static k_thread_stack_t stack[size]
#define K_THREAD_STACK_SIZEOF(stack) sizeof(stack)
#define K_PRIO_COOP(x) (-16 + (x))
k_tid_t k_thread_create(struct k_thread *new_thread, k_thread_stack_t *stack, size_t stack_size, k_thread_entry_t entry,
                        void *p1, void *p2, void *p3, int prio, uint32_t options, k_timeout_t delay);
int64_t k_uptime_ticks(void);
uint64_t k_ticks_to_us_floor64(uint64_t ticks);

#endif
