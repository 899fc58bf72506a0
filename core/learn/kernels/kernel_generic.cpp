#define OTE_KERNEL generic
#define OTE_KERNEL_NAME "generic"
#include "core/learn/kernels/body.inc"
