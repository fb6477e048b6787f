/* Of the STM32L4 HAL, what boards/port/stm32l4.c uses. Values of constants are of no meaning. */
#ifndef STANDIN_STM32L4XX_HAL_H
#define STANDIN_STM32L4XX_HAL_H

#include <stdint.h>

typedef enum { HAL_OK, HAL_ERROR, HAL_BUSY, HAL_TIMEOUT } HAL_StatusTypeDef;
typedef enum { DISABLE, ENABLE } FunctionalState;
typedef enum { GPIO_PIN_RESET, GPIO_PIN_SET } GPIO_PinState;
typedef enum { DMA1_Channel4_IRQn = 14 } IRQn_Type;

#define HAL_MAX_DELAY 0xFFFFFFFFU

/* GPIO */
typedef struct {
    uint32_t unused;
} GPIO_TypeDef;
typedef struct {
    uint32_t Pin, Mode, Pull, Speed, Alternate;
} GPIO_InitTypeDef;
extern GPIO_TypeDef standin_gpiob, standin_gpioe;
#define GPIOB (&standin_gpiob)
#define GPIOE (&standin_gpioe)
#define GPIO_PIN_6 ((uint16_t)0x0040)
#define GPIO_PIN_7 ((uint16_t)0x0080)
#define GPIO_PIN_9 ((uint16_t)0x0200)
#define GPIO_PIN_14 ((uint16_t)0x4000)
#define GPIO_MODE_OUTPUT_PP 1U
#define GPIO_MODE_AF_PP 2U
#define GPIO_NOPULL 0U
#define GPIO_SPEED_FREQ_LOW 0U
#define GPIO_SPEED_FREQ_HIGH 2U
#define GPIO_AF6_DFSDM1 ((uint8_t)6)
#define GPIO_AF7_USART1 ((uint8_t)7)
void HAL_GPIO_Init(GPIO_TypeDef *GPIOx, GPIO_InitTypeDef *GPIO_Init);
void HAL_GPIO_WritePin(GPIO_TypeDef *GPIOx, uint16_t GPIO_Pin, GPIO_PinState PinState);

/* DMA */
typedef struct {
    uint32_t unused;
} DMA_Channel_TypeDef;
typedef struct {
    uint32_t Request, Direction, PeriphInc, MemInc, PeriphDataAlignment, MemDataAlignment, Mode, Priority;
} DMA_InitTypeDef;
typedef struct {
    DMA_Channel_TypeDef *Instance;
    DMA_InitTypeDef Init;
    void *Parent;
} DMA_HandleTypeDef;
extern DMA_Channel_TypeDef standin_dma1_channel4;
#define DMA1_Channel4 (&standin_dma1_channel4)
#define DMA_REQUEST_0 0U
#define DMA_PERIPH_TO_MEMORY 1U
#define DMA_PINC_DISABLE 2U
#define DMA_MINC_ENABLE 3U
#define DMA_PDATAALIGN_WORD 4U
#define DMA_MDATAALIGN_WORD 5U
#define DMA_CIRCULAR 6U
#define DMA_PRIORITY_HIGH 7U
#define __HAL_LINKDMA(handle, field, dma) ((handle)->field = &(dma), (dma).Parent = (handle))
HAL_StatusTypeDef HAL_DMA_Init(DMA_HandleTypeDef *hdma);
void HAL_DMA_IRQHandler(DMA_HandleTypeDef *hdma);

/* DFSDM */
typedef struct {
    uint32_t unused;
} DFSDM_Channel_TypeDef;
typedef struct {
    uint32_t unused;
} DFSDM_Filter_TypeDef;
typedef struct {
    FunctionalState Activation;
    uint32_t Selection, Divider;
} DFSDM_Channel_OutputClockTypeDef;
typedef struct {
    uint32_t Multiplexer, DataPacking, Pins;
} DFSDM_Channel_InputTypeDef;
typedef struct {
    uint32_t Type, SpiClock;
} DFSDM_Channel_SerialInterfaceTypeDef;
typedef struct {
    uint32_t FilterOrder, Oversampling;
} DFSDM_Channel_AwdTypeDef;
typedef struct {
    DFSDM_Channel_OutputClockTypeDef OutputClock;
    DFSDM_Channel_InputTypeDef Input;
    DFSDM_Channel_SerialInterfaceTypeDef SerialInterface;
    DFSDM_Channel_AwdTypeDef Awd;
    int32_t Offset;
    uint32_t RightBitShift;
} DFSDM_Channel_InitTypeDef;
typedef struct {
    DFSDM_Channel_TypeDef *Instance;
    DFSDM_Channel_InitTypeDef Init;
} DFSDM_Channel_HandleTypeDef;
typedef struct {
    uint32_t Trigger;
    FunctionalState FastMode, DmaMode;
} DFSDM_Filter_RegularParamTypeDef;
typedef struct {
    uint32_t Trigger;
    FunctionalState ScanMode, DmaMode;
    uint32_t ExtTrigger, ExtTriggerEdge;
} DFSDM_Filter_InjectedParamTypeDef;
typedef struct {
    uint32_t SincOrder, Oversampling, IntOversampling;
} DFSDM_Filter_FilterParamTypeDef;
typedef struct {
    DFSDM_Filter_RegularParamTypeDef RegularParam;
    DFSDM_Filter_InjectedParamTypeDef InjectedParam;
    DFSDM_Filter_FilterParamTypeDef FilterParam;
} DFSDM_Filter_InitTypeDef;
typedef struct {
    DFSDM_Filter_TypeDef *Instance;
    DFSDM_Filter_InitTypeDef Init;
    DMA_HandleTypeDef *hdmaReg;
} DFSDM_Filter_HandleTypeDef;
extern DFSDM_Channel_TypeDef standin_dfsdm1_channel2;
extern DFSDM_Filter_TypeDef standin_dfsdm1_filter0;
#define DFSDM1_Channel2 (&standin_dfsdm1_channel2)
#define DFSDM1_Filter0 (&standin_dfsdm1_filter0)
#define DFSDM_CHANNEL_2 0x00020004U
#define DFSDM_CHANNEL_OUTPUT_CLOCK_SYSTEM 0U
#define DFSDM_CHANNEL_EXTERNAL_INPUTS 0U
#define DFSDM_CHANNEL_STANDARD_MODE 0U
#define DFSDM_CHANNEL_SAME_CHANNEL_PINS 0U
#define DFSDM_CHANNEL_SPI_RISING 0U
#define DFSDM_CHANNEL_SPI_CLOCK_INTERNAL 4U
#define DFSDM_CHANNEL_FASTSINC_ORDER 0U
#define DFSDM_FILTER_SW_TRIGGER 0U
#define DFSDM_FILTER_SINC4_ORDER 4U
#define DFSDM_CONTINUOUS_CONV_ON 1U
HAL_StatusTypeDef HAL_DFSDM_ChannelInit(DFSDM_Channel_HandleTypeDef *hdfsdm_channel);
HAL_StatusTypeDef HAL_DFSDM_FilterInit(DFSDM_Filter_HandleTypeDef *hdfsdm_filter);
HAL_StatusTypeDef HAL_DFSDM_FilterDeInit(DFSDM_Filter_HandleTypeDef *hdfsdm_filter);
HAL_StatusTypeDef HAL_DFSDM_FilterConfigRegChannel(DFSDM_Filter_HandleTypeDef *hdfsdm_filter, uint32_t Channel,
                                                   uint32_t ContinuousMode);
HAL_StatusTypeDef HAL_DFSDM_FilterRegularStart_DMA(DFSDM_Filter_HandleTypeDef *hdfsdm_filter, int32_t *pData,
                                                   uint32_t Length);

/* The port's, which the HAL calls */
void HAL_DFSDM_ChannelMspInit(DFSDM_Channel_HandleTypeDef *hdfsdm_channel);
void HAL_DFSDM_FilterMspInit(DFSDM_Filter_HandleTypeDef *hdfsdm_filter);
void HAL_DFSDM_FilterRegConvHalfCpltCallback(DFSDM_Filter_HandleTypeDef *hdfsdm_filter);
void HAL_DFSDM_FilterRegConvCpltCallback(DFSDM_Filter_HandleTypeDef *hdfsdm_filter);
void HAL_DFSDM_FilterErrorCallback(DFSDM_Filter_HandleTypeDef *hdfsdm_filter);

/* UART */
typedef struct {
    uint32_t unused;
} USART_TypeDef;
typedef struct {
    uint32_t BaudRate, WordLength, StopBits, Parity, Mode, HwFlowCtl, OverSampling;
} UART_InitTypeDef;
typedef struct {
    USART_TypeDef *Instance;
    UART_InitTypeDef Init;
} UART_HandleTypeDef;
extern USART_TypeDef standin_usart1;
#define USART1 (&standin_usart1)
#define UART_WORDLENGTH_8B 0U
#define UART_STOPBITS_1 0U
#define UART_PARITY_NONE 0U
#define UART_MODE_TX 8U
#define UART_HWCONTROL_NONE 0U
#define UART_OVERSAMPLING_16 0U
HAL_StatusTypeDef HAL_UART_Init(UART_HandleTypeDef *huart);
HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef *huart, const uint8_t *pData, uint16_t Size, uint32_t Timeout);

/* Clocks */
typedef struct {
    uint32_t PLLState, PLLSource, PLLM, PLLN, PLLP, PLLQ, PLLR;
} RCC_PLLInitTypeDef;
typedef struct {
    uint32_t OscillatorType, LSEState, MSIState, MSICalibrationValue, MSIClockRange;
    RCC_PLLInitTypeDef PLL;
} RCC_OscInitTypeDef;
typedef struct {
    uint32_t ClockType, SYSCLKSource, AHBCLKDivider, APB1CLKDivider, APB2CLKDivider;
} RCC_ClkInitTypeDef;
#define RCC_OSCILLATORTYPE_LSE 4U
#define RCC_OSCILLATORTYPE_MSI 16U
#define RCC_LSE_ON 1U
#define RCC_MSI_ON 1U
#define RCC_MSIRANGE_6 6U
#define RCC_MSICALIBRATION_DEFAULT 0U
#define RCC_PLL_NONE 0U
#define RCC_PLL_ON 2U
#define RCC_PLLSOURCE_MSI 1U
#define RCC_PLLP_DIV7 7U
#define RCC_PLLQ_DIV4 4U
#define RCC_PLLR_DIV2 2U
#define RCC_CLOCKTYPE_SYSCLK 1U
#define RCC_CLOCKTYPE_HCLK 2U
#define RCC_CLOCKTYPE_PCLK1 4U
#define RCC_CLOCKTYPE_PCLK2 8U
#define RCC_SYSCLKSOURCE_PLLCLK 3U
#define RCC_SYSCLK_DIV1 0U
#define RCC_HCLK_DIV1 0U
#define FLASH_LATENCY_3 3U
#define __HAL_RCC_PWR_CLK_ENABLE() ((void)0)
#define __HAL_RCC_GPIOB_CLK_ENABLE() ((void)0)
#define __HAL_RCC_GPIOE_CLK_ENABLE() ((void)0)
#define __HAL_RCC_USART1_CLK_ENABLE() ((void)0)
#define __HAL_RCC_DFSDM1_CLK_ENABLE() ((void)0)
#define __HAL_RCC_DMA1_CLK_ENABLE() ((void)0)
HAL_StatusTypeDef HAL_RCC_OscConfig(RCC_OscInitTypeDef *RCC_OscInitStruct);
HAL_StatusTypeDef HAL_RCC_ClockConfig(RCC_ClkInitTypeDef *RCC_ClkInitStruct, uint32_t FLatency);
void HAL_RCCEx_EnableMSIPLLMode(void);

/* Core and power */
#define PWR_MAINREGULATOR_ON 0U
#define PWR_SLEEPENTRY_WFI ((uint8_t)1)
HAL_StatusTypeDef HAL_Init(void);
void HAL_IncTick(void);
void HAL_SuspendTick(void);
void HAL_PWR_EnableBkUpAccess(void);
void HAL_PWR_EnterSLEEPMode(uint32_t Regulator, uint8_t SLEEPEntry);
void HAL_NVIC_SetPriority(IRQn_Type IRQn, uint32_t PreemptPriority, uint32_t SubPriority);
void HAL_NVIC_EnableIRQ(IRQn_Type IRQn);
void __disable_irq(void);
void __enable_irq(void);

#endif
