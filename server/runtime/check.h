// QUORATE_CHECK for the layers above raft/, which owns it.
#ifndef SERVER_RUNTIME_CHECK_H_
#define SERVER_RUNTIME_CHECK_H_

#include "raft/check.h"  // IWYU pragma: export

#endif  // SERVER_RUNTIME_CHECK_H_
