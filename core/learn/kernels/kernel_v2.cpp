#define OTE_KERNEL v2
#define OTE_KERNEL_NAME "x86-64-v2"
#include "core/learn/kernels/body.inc"
