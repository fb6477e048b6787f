/* Of Zephyr's drivers/gpio.h, what boards/port/zephyr.c uses. */
#ifndef STANDIN_ZEPHYR_DRIVERS_GPIO_H
#define STANDIN_ZEPHYR_DRIVERS_GPIO_H

#include <zephyr/kernel.h>

typedef uint32_t gpio_flags_t;
struct gpio_dt_spec {
    const struct device *port;
    uint8_t pin;
};
extern const struct device standin_led0;
#define GPIO_DT_SPEC_GET(node, property) {&(node), 13}
#define GPIO_OUTPUT_INACTIVE (1u << 17)
int gpio_pin_configure_dt(const struct gpio_dt_spec *spec, gpio_flags_t extra_flags);
int gpio_pin_set_dt(const struct gpio_dt_spec *spec, int value);

#endif
