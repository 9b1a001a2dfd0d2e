/* Functions that versions of glibc before 2.34 lack. `tests/glibcs` includes this file in every program. */
#ifndef OLDER_GLIBC_H
#define OLDER_GLIBC_H

#define _GNU_SOURCE
#include <features.h>

#if !__GLIBC_PREREQ(2, 33)
#include <malloc.h>
/* The numbers of mallinfo overflow at 2 GiB. */
#define mallinfo2 mallinfo
#endif

#if !__GLIBC_PREREQ(2, 34)
#define _Fork fork
#endif

#endif
