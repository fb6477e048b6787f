/*
 * The port for ST's B-L475E-IOT01A (STM32L475VG) and its own microphones, through the STM32 HAL. NOT RUN ON HARDWARE.
 *
 * One of the two MP34DT01 is read: DFSDM makes clock and samples, DMA fills one half of a buffer while the other is taken.
 * Console: USART1, which ST-LINK passes on, 115,200 baud. Lamp: LD2. The task may be late by FIFO samples less two blocks;
 * interrupts must not be held back for a block, 10 ms, as erasing the flash that the program runs from would.
 *
 * The clock: MSI, held to the 32,768 Hz crystal, is 122 x 32,768 Hz = 3.997696 MHz (not 4, which would be 576 ppm off).
 * Times 28, by 2, by DIVIDER, by OVERSAMPLING: 15,999.93 Hz, 5 ppm slow. It runs at 56 MHz.
 */
#include <stm32l4xx_hal.h>

#include "audio_fifo.h"
#include "board.h"
#include "convert.h"

#define MIC_PORT GPIOE
#define MIC_CLOCK_PIN GPIO_PIN_9 /* DFSDM1_CKOUT */
#define MIC_DATA_PIN GPIO_PIN_7  /* DFSDM1_DATIN2 */
#define LED_PORT GPIOB
#define LED_PIN GPIO_PIN_14
#define CONSOLE_PORT GPIOB
#define CONSOLE_PIN GPIO_PIN_6 /* USART1_TX */

#define RATE 16000u
#define BLOCK 160u /* samples of half the buffer: 10 ms */
#define DIVIDER 22u
#define OVERSAMPLING 159u
/* A sinc filter of order 4 gives up to 159^4, 29.3 bits; 12 off makes full scale of the microphone 4.8 times ours. */
#define SHIFT 12u

static int32_t words[2 * BLOCK];
static DFSDM_Channel_HandleTypeDef channel;
static DFSDM_Filter_HandleTypeDef filter;
static DMA_HandleTypeDef dma;
static UART_HandleTypeDef console;

/* The interrupts: the names are those of ST's vectors. */
void SysTick_Handler(void);
void DMA1_Channel4_IRQHandler(void);

void SysTick_Handler(void)
{
    HAL_IncTick();
}

void DMA1_Channel4_IRQHandler(void)
{
    HAL_DMA_IRQHandler(&dma);
}

static void take(const int32_t *half)
{
    int16_t block[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        block[i] = port_sample(half[i], 8); /* the low 8 bits tell the channel */
    }
    airmark_fifo_write(&fifo, block, BLOCK, 1);
}

void HAL_DFSDM_FilterRegConvHalfCpltCallback(DFSDM_Filter_HandleTypeDef *unused)
{
    (void)unused;
    take(words);
}

void HAL_DFSDM_FilterRegConvCpltCallback(DFSDM_Filter_HandleTypeDef *unused)
{
    (void)unused;
    take(words + BLOCK);
}

/* Also after an error, from which the HAL lets a filter go on only when it is made anew. */
static bool start_filter(void)
{
    return HAL_DFSDM_FilterInit(&filter) == HAL_OK &&
           HAL_DFSDM_FilterConfigRegChannel(&filter, DFSDM_CHANNEL_2, DFSDM_CONTINUOUS_CONV_ON) == HAL_OK &&
           HAL_DFSDM_FilterRegularStart_DMA(&filter, words, 2 * BLOCK) == HAL_OK;
}

/* DMA stopped somewhere in a half: how many samples are lost is known to that half only. */
void HAL_DFSDM_FilterErrorCallback(DFSDM_Filter_HandleTypeDef *unused)
{
    (void)unused;
    airmark_fifo_lose(&fifo, BLOCK);
    HAL_DFSDM_FilterDeInit(&filter);
    start_filter();
}

void HAL_DFSDM_ChannelMspInit(DFSDM_Channel_HandleTypeDef *unused)
{
    GPIO_InitTypeDef pins = {0};
    (void)unused;
    __HAL_RCC_DFSDM1_CLK_ENABLE();
    __HAL_RCC_GPIOE_CLK_ENABLE();
    pins.Pin = MIC_CLOCK_PIN | MIC_DATA_PIN;
    pins.Mode = GPIO_MODE_AF_PP;
    pins.Pull = GPIO_NOPULL;
    pins.Speed = GPIO_SPEED_FREQ_HIGH;
    pins.Alternate = GPIO_AF6_DFSDM1;
    HAL_GPIO_Init(MIC_PORT, &pins);
}

void HAL_DFSDM_FilterMspInit(DFSDM_Filter_HandleTypeDef *handle)
{
    __HAL_RCC_DMA1_CLK_ENABLE();
    dma.Instance = DMA1_Channel4; /* its request 0 is DFSDM1's filter 0 */
    dma.Init.Request = DMA_REQUEST_0;
    dma.Init.Direction = DMA_PERIPH_TO_MEMORY;
    dma.Init.PeriphInc = DMA_PINC_DISABLE;
    dma.Init.MemInc = DMA_MINC_ENABLE;
    dma.Init.PeriphDataAlignment = DMA_PDATAALIGN_WORD;
    dma.Init.MemDataAlignment = DMA_MDATAALIGN_WORD;
    dma.Init.Mode = DMA_CIRCULAR;
    dma.Init.Priority = DMA_PRIORITY_HIGH;
    __HAL_LINKDMA(handle, hdmaReg, dma);
    HAL_DMA_Init(&dma);
    HAL_NVIC_SetPriority(DMA1_Channel4_IRQn, 1, 0);
    HAL_NVIC_EnableIRQ(DMA1_Channel4_IRQn);
}

bool port_audio_start(uint32_t rate)
{
    if (rate != RATE || airmark_fifo_init(&fifo, fifo_samples, PORT_AUDIO_FIFO) != AIRMARK_OK) {
        return false;
    }
    channel.Instance = DFSDM1_Channel2;
    channel.Init.OutputClock.Activation = ENABLE;
    channel.Init.OutputClock.Selection = DFSDM_CHANNEL_OUTPUT_CLOCK_SYSTEM;
    channel.Init.OutputClock.Divider = DIVIDER;
    channel.Init.Input.Multiplexer = DFSDM_CHANNEL_EXTERNAL_INPUTS;
    channel.Init.Input.DataPacking = DFSDM_CHANNEL_STANDARD_MODE;
    channel.Init.Input.Pins = DFSDM_CHANNEL_SAME_CHANNEL_PINS;
    channel.Init.SerialInterface.Type = DFSDM_CHANNEL_SPI_RISING;
    channel.Init.SerialInterface.SpiClock = DFSDM_CHANNEL_SPI_CLOCK_INTERNAL;
    channel.Init.Awd.FilterOrder = DFSDM_CHANNEL_FASTSINC_ORDER;
    channel.Init.Awd.Oversampling = 1;
    channel.Init.Offset = 0;
    channel.Init.RightBitShift = SHIFT;
    filter.Instance = DFSDM1_Filter0;
    filter.Init.RegularParam.Trigger = DFSDM_FILTER_SW_TRIGGER;
    filter.Init.RegularParam.FastMode = ENABLE;
    filter.Init.RegularParam.DmaMode = ENABLE;
    filter.Init.InjectedParam.Trigger = DFSDM_FILTER_SW_TRIGGER;
    filter.Init.InjectedParam.ScanMode = DISABLE;
    filter.Init.InjectedParam.DmaMode = DISABLE;
    filter.Init.FilterParam.SincOrder = DFSDM_FILTER_SINC4_ORDER;
    filter.Init.FilterParam.Oversampling = OVERSAMPLING;
    filter.Init.FilterParam.IntOversampling = 1;
    if (HAL_DFSDM_ChannelInit(&channel) != HAL_OK || !start_filter()) {
        return false;
    }
    HAL_SuspendTick(); /* it would wake the core every millisecond */
    return true;
}

static bool wait_for_sound(void)
{
    /* An interrupt that comes from here on is held back, and ends the sleep. */
    __disable_irq();
    if (fifo_is_empty()) {
        HAL_PWR_EnterSLEEPMode(PWR_MAINREGULATOR_ON, PWR_SLEEPENTRY_WFI);
    }
    __enable_irq();
    return true;
}

void port_write(const char *text, size_t length)
{
    HAL_UART_Transmit(&console, (const uint8_t *)text, (uint16_t)length, HAL_MAX_DELAY);
}

void port_led(bool on)
{
    HAL_GPIO_WritePin(LED_PORT, LED_PIN, on ? GPIO_PIN_SET : GPIO_PIN_RESET);
}

static bool start_clocks(void)
{
    RCC_OscInitTypeDef crystal = {0}, pll = {0};
    RCC_ClkInitTypeDef buses = {0};
    __HAL_RCC_PWR_CLK_ENABLE();
    HAL_PWR_EnableBkUpAccess();
    crystal.OscillatorType = RCC_OSCILLATORTYPE_LSE;
    crystal.LSEState = RCC_LSE_ON;
    crystal.PLL.PLLState = RCC_PLL_NONE;
    if (HAL_RCC_OscConfig(&crystal) != HAL_OK) {
        return false;
    }
    HAL_RCCEx_EnableMSIPLLMode();
    pll.OscillatorType = RCC_OSCILLATORTYPE_MSI;
    pll.MSIState = RCC_MSI_ON;
    pll.MSIClockRange = RCC_MSIRANGE_6; /* 4 MHz */
    pll.MSICalibrationValue = RCC_MSICALIBRATION_DEFAULT;
    pll.PLL.PLLState = RCC_PLL_ON;
    pll.PLL.PLLSource = RCC_PLLSOURCE_MSI;
    pll.PLL.PLLM = 1;
    pll.PLL.PLLN = 28;
    pll.PLL.PLLP = RCC_PLLP_DIV7;
    pll.PLL.PLLQ = RCC_PLLQ_DIV4;
    pll.PLL.PLLR = RCC_PLLR_DIV2;
    buses.ClockType = RCC_CLOCKTYPE_SYSCLK | RCC_CLOCKTYPE_HCLK | RCC_CLOCKTYPE_PCLK1 | RCC_CLOCKTYPE_PCLK2;
    buses.SYSCLKSource = RCC_SYSCLKSOURCE_PLLCLK;
    buses.AHBCLKDivider = RCC_SYSCLK_DIV1;
    buses.APB1CLKDivider = RCC_HCLK_DIV1;
    buses.APB2CLKDivider = RCC_HCLK_DIV1; /* DFSDM's clock */
    return HAL_RCC_OscConfig(&pll) == HAL_OK && HAL_RCC_ClockConfig(&buses, FLASH_LATENCY_3) == HAL_OK;
}

static bool start_pins(void)
{
    GPIO_InitTypeDef pins = {0};
    __HAL_RCC_GPIOB_CLK_ENABLE();
    __HAL_RCC_USART1_CLK_ENABLE();
    pins.Pin = LED_PIN;
    pins.Mode = GPIO_MODE_OUTPUT_PP;
    pins.Pull = GPIO_NOPULL;
    pins.Speed = GPIO_SPEED_FREQ_LOW;
    HAL_GPIO_Init(LED_PORT, &pins);
    pins.Pin = CONSOLE_PIN;
    pins.Mode = GPIO_MODE_AF_PP;
    pins.Alternate = GPIO_AF7_USART1;
    HAL_GPIO_Init(CONSOLE_PORT, &pins);
    console.Instance = USART1;
    console.Init.BaudRate = 115200;
    console.Init.WordLength = UART_WORDLENGTH_8B;
    console.Init.StopBits = UART_STOPBITS_1;
    console.Init.Parity = UART_PARITY_NONE;
    console.Init.Mode = UART_MODE_TX;
    console.Init.HwFlowCtl = UART_HWCONTROL_NONE;
    console.Init.OverSampling = UART_OVERSAMPLING_16;
    return HAL_UART_Init(&console) == HAL_OK;
}

int main(void)
{
    HAL_Init();
    if (start_clocks() && start_pins()) {
        port_main();
    }
    for (;;) { /* without a clock or a console there is no one to tell */
    }
}
