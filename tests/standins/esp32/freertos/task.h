/* Of ESP-IDF's FreeRTOS, what boards/port/esp32.c uses. */
#ifndef STANDIN_FREERTOS_TASK_H
#define STANDIN_FREERTOS_TASK_H

#include "FreeRTOS.h"

typedef struct tskTaskControlBlock *TaskHandle_t;

TaskHandle_t xTaskGetCurrentTaskHandle(void);
void vTaskNotifyGiveFromISR(TaskHandle_t task_to_notify, BaseType_t *higher_priority_task_woken);
uint32_t ulTaskNotifyTake(BaseType_t clear_count_on_exit, TickType_t ticks_to_wait);

#endif
