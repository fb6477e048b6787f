/* Of Zephyr's sys/printk.h, what boards/port/zephyr.c uses. */
#ifndef STANDIN_ZEPHYR_SYS_PRINTK_H
#define STANDIN_ZEPHYR_SYS_PRINTK_H

__attribute__((format(printf, 1, 2))) void printk(const char *format, ...);

#endif
