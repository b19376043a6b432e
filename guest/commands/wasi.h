// What the cases of wasi.c and wasi-files.c have in common.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// One expectation: 0 if it holds.
struct wasi_case {
    const char *name, *expects;
    int (*run)(void);
};

extern const struct wasi_case file_cases[];
extern const size_t file_case_count;

#define CHECK(holds)                                                                                                                  \
    do {                                                                                                                              \
        if (!(holds)) {                                                                                                               \
            fprintf(stderr, "line %d: %s (errno %d, %s)\n", __LINE__, #holds, errno, strerror(errno));                                \
            return 1;                                                                                                                 \
        }                                                                                                                             \
    } while (0)

// Fails with this error. The call may be anything that gives -1 or NULL.
#define FAILS(call, wanted) CHECK((errno = 0, (intptr_t)(call) == -1 || (void *)(intptr_t)(call) == NULL) && errno == (wanted))
// Refused, in whichever words.
#define REFUSED(call) CHECK((errno = 0, (call)) == -1 && (errno == EPERM || errno == EACCES || errno == ENOTCAPABLE || errno == EROFS))
