/* DFSDM and DMA of an STM32L4, as the HAL shows them. */
#include "hardware.h"

#include <stddef.h>

#include "stm32l4xx_hal.h"

GPIO_TypeDef standin_gpiob, standin_gpioe;
DMA_Channel_TypeDef standin_dma1_channel4;
DFSDM_Channel_TypeDef standin_dfsdm1_channel2;
DFSDM_Filter_TypeDef standin_dfsdm1_filter0;
USART_TypeDef standin_usart1;

void DMA1_Channel4_IRQHandler(void);

static DFSDM_Filter_HandleTypeDef *filter;
static int32_t *words;
static uint32_t length; /* of both halves; 0: DMA is stopped */
static uint32_t half;
static double rate;      /* of the samples, Hz */
static double clock;     /* of APB2, then of the microphone, Hz */
static double shifted;   /* by the channel: 1 is no shift */
static double gain;      /* full scale of the microphone in 24 bits */
static enum { RESET, READY, RUNNING, FAILED } state; /* of the filter */
static bool held, ready; /* interrupts held back; one waits */
static bool vector;      /* the DMA's interrupt is on */
static bool lit, msi_held;

HAL_StatusTypeDef HAL_Init(void)
{
    return HAL_OK;
}

HAL_StatusTypeDef HAL_RCC_OscConfig(RCC_OscInitTypeDef *init)
{
    if (init->OscillatorType == RCC_OSCILLATORTYPE_MSI) {
        const double msi = msi_held ? 122 * 32768.0 : 4e6 * 1.01; /* by itself it may be 1% off */
        clock = msi / init->PLL.PLLM * init->PLL.PLLN / init->PLL.PLLR;
    }
    return HAL_OK;
}

void HAL_RCCEx_EnableMSIPLLMode(void)
{
    msi_held = true;
}

HAL_StatusTypeDef HAL_RCC_ClockConfig(RCC_ClkInitTypeDef *init, uint32_t latency)
{
    (void)init;
    return clock <= 64e6 && latency == FLASH_LATENCY_3 ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_DFSDM_ChannelInit(DFSDM_Channel_HandleTypeDef *channel)
{
    HAL_DFSDM_ChannelMspInit(channel);
    clock /= channel->Init.OutputClock.Divider;
    shifted = 1.0 / (1u << channel->Init.RightBitShift);
    /* What the microphone takes, by its data sheet. */
    return clock >= 1e6 && clock <= 3.25e6 ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_DFSDM_FilterInit(DFSDM_Filter_HandleTypeDef *handle)
{
    HAL_DFSDM_FilterMspInit(handle);
    rate = clock / handle->Init.FilterParam.Oversampling;
    gain = shifted;
    for (uint32_t order = 0; order < 4; order++) {
        gain *= handle->Init.FilterParam.Oversampling;
    }
    filter = handle;
    state = READY;
    return filter->hdmaReg ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_DFSDM_FilterDeInit(DFSDM_Filter_HandleTypeDef *handle)
{
    state = RESET;
    return handle == filter ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_DFSDM_FilterConfigRegChannel(DFSDM_Filter_HandleTypeDef *handle, uint32_t channel, uint32_t mode)
{
    (void)handle;
    (void)channel;
    (void)mode;
    return state == READY ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_DFSDM_FilterRegularStart_DMA(DFSDM_Filter_HandleTypeDef *handle, int32_t *data, uint32_t count)
{
    (void)handle;
    if (state != READY) {
        return HAL_ERROR;
    }
    state = RUNNING;
    words = data;
    length = count;
    half = 0;
    if (rate < 16000 * 0.99998 || rate > 16000 * 1.00002) {
        hardware_fail("not 16000 Hz");
    }
    if (gain < 32768 || gain >= 8388608) {
        hardware_fail("full scale of the microphone is less than ours, or more than 24 bits");
    }
    return HAL_OK;
}

void HAL_DMA_IRQHandler(DMA_HandleTypeDef *dma)
{
    if (dma->Parent != filter) {
        hardware_fail("the interrupt of another DMA");
    }
    if (half == 1) {
        HAL_DFSDM_FilterRegConvHalfCpltCallback(filter);
    } else {
        HAL_DFSDM_FilterRegConvCpltCallback(filter);
    }
}

static void interrupt(void)
{
    ready = false;
    if (!vector) {
        hardware_fail("no interrupt");
    }
    DMA1_Channel4_IRQHandler();
}

void hardware_block(void)
{
    const uint32_t count = length / 2;
    if (!count) {
        hardware_fail("DMA is stopped");
    }
    for (uint32_t i = 0; i < count; i++) {
        words[half * count + i] = hardware_sample() * 256 + (int32_t)(i % 8); /* the channel in the low bits */
        words[(1 - half) * count + i] = 0x55555555;                          /* being written next */
    }
    half = 1 - half;
    ready = true;
    if (!held) {
        interrupt();
    }
}

/* An error of DMA, which the hardware has stopped. */
uint32_t hardware_mishap(void)
{
    const uint32_t count = length / 2;
    for (uint32_t i = 0; i < count; i++) {
        (void)hardware_sample();
    }
    length = 0;
    state = FAILED; /* so the HAL leaves it: it can't be stopped any more, and not be started */
    HAL_DFSDM_FilterErrorCallback(filter);
    return count;
}

void __disable_irq(void)
{
    held = true;
}

void __enable_irq(void)
{
    held = false;
    if (ready) {
        interrupt();
    }
}

void HAL_PWR_EnterSLEEPMode(uint32_t regulator, uint8_t entry)
{
    (void)regulator;
    (void)entry;
    if (!held) {
        hardware_fail("sleeps where an interrupt may come before");
    }
    hardware_block();
}

HAL_StatusTypeDef HAL_DMA_Init(DMA_HandleTypeDef *dma)
{
    return dma->Init.Mode == DMA_CIRCULAR ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_UART_Init(UART_HandleTypeDef *uart)
{
    return uart->Init.BaudRate == 115200 ? HAL_OK : HAL_ERROR;
}

HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef *uart, const uint8_t *data, uint16_t size, uint32_t timeout)
{
    (void)uart;
    (void)timeout;
    hardware_write(data, size);
    return HAL_OK;
}

void HAL_GPIO_Init(GPIO_TypeDef *port, GPIO_InitTypeDef *init)
{
    (void)port;
    (void)init;
}

void HAL_GPIO_WritePin(GPIO_TypeDef *port, uint16_t pin, GPIO_PinState state)
{
    lit = port == GPIOB && pin == GPIO_PIN_14 && state == GPIO_PIN_SET;
}

bool hardware_led(void)
{
    return lit;
}

void HAL_NVIC_SetPriority(IRQn_Type interrupt_number, uint32_t priority, uint32_t sub)
{
    (void)interrupt_number;
    (void)priority;
    (void)sub;
}

void HAL_NVIC_EnableIRQ(IRQn_Type interrupt_number)
{
    vector = interrupt_number == DMA1_Channel4_IRQn;
}

void HAL_IncTick(void)
{
}

void HAL_SuspendTick(void)
{
}

void HAL_PWR_EnableBkUpAccess(void)
{
}
