#define OTE_KERNEL v3
#define OTE_KERNEL_NAME "x86-64-v3"
#include "core/learn/kernels/body.inc"
