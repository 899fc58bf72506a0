#define OTE_KERNEL v4
#define OTE_KERNEL_NAME "x86-64-v4"
#include "core/learn/kernels/body.inc"
