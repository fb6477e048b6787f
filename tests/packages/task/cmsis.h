/* Stand-in for CMSIS: what the guide's task sleeps by. */
#ifndef CMSIS_H
#define CMSIS_H

void __disable_irq(void);
void __enable_irq(void);
void __WFI(void);

#endif
