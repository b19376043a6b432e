// What a program may expect of WASI p1 under this host, one case each: `wasi CASE`. Exit code 0 if the expectation holds, 1 with a line
// on standard error if it does not. Without an argument it lists the cases, a line each: name, tab, what is expected.
//
// tests/tests/wasi.rs runs it, says what it gives each case, and compares what came out with the table in WASI.md.
// Those about files are in wasi-files.c.
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

#include "wasi.h"

static int argc;
static char **argv;
extern char **environ;

static int64_t monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int args(void) {
    CHECK(argc == 5);
    CHECK(strcmp(argv[0], "command-wasi.wasm") == 0);
    CHECK(strcmp(argv[2], "a b") == 0 && strcmp(argv[3], "") == 0 && strcmp(argv[4], "\xc3\xa9") == 0);
    return 0;
}

static int environment(void) {
    CHECK(getenv("A") && strcmp(getenv("A"), "b=c") == 0);
    CHECK(getenv("EMPTY") && strcmp(getenv("EMPTY"), "") == 0);
    int count = 0;
    while (environ[count]) count++;
    CHECK(count == 2);
    return 0;
}

static int stdin_text(void) {
    char line[64];
    CHECK(fgets(line, sizeof line, stdin) && strcmp(line, "stdin-text\n") == 0);
    CHECK(fgets(line, sizeof line, stdin) == NULL && feof(stdin));
    return 0;
}

static int stdin_end(void) {
    char byte;
    while (read(0, &byte, 1) == 1) {}
    CHECK(read(0, &byte, 1) == 0);
    CHECK(read(0, &byte, 1) == 0);
    return 0;
}

static int stdin_closed(void) {
    CHECK(close(0) == 0);
    char byte;
    FAILS(read(0, &byte, 1), EBADF);
    return 0;
}

static int stdout_long(void) {
    static char text[300000];
    memset(text, 'x', sizeof text);
    size_t written = 0;
    while (written < sizeof text) {
        ssize_t count = write(1, text + written, sizeof text - written);
        CHECK(count > 0);
        written += (size_t)count;
    }
    return 0;
}

static int stdout_vectors(void) {
    __wasi_ciovec_t pieces[3] = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"", 0}, {(const uint8_t *)"two", 3}};
    __wasi_size_t written = 0;
    CHECK(__wasi_fd_write(1, pieces, 3, &written) == 0 && written > 0 && written <= 6);
    return 0;
}

static int terminals(void) {
    CHECK(!isatty(0) && !isatty(1) && !isatty(2));
    return 0;
}

static int stdio_kinds(void) {
    struct stat found;
    for (int fd = 0; fd < 3; fd++) CHECK(fstat(fd, &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode));
    CHECK(lseek(0, 0, SEEK_CUR) == -1 && errno == ESPIPE);
    return 0;
}

static int stdin_only_reads(void) {
    FAILS(write(0, "x", 1), EBADF);
    char byte;
    FAILS(read(1, &byte, 1), EBADF);
    return 0;
}

static int clock_wall(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    CHECK(now.tv_sec > 1577836800 && now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
    return 0;
}

static int clock_monotonic(void) {
    int64_t before = monotonic();
    for (int round = 0; round < 10000; round++) {
        int64_t now = monotonic();
        CHECK(now >= before);
        before = now;
    }
    return 0;
}

static int clock_resolution(void) {
    struct timespec step;
    CHECK(clock_getres(CLOCK_REALTIME, &step) == 0 && (step.tv_sec > 0 || step.tv_nsec > 0));
    CHECK(clock_getres(CLOCK_MONOTONIC, &step) == 0 && (step.tv_sec > 0 || step.tv_nsec > 0));
    return 0;
}

static int clock_cpu(void) {
    __wasi_timestamp_t now;
    CHECK(__wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 0, &now) == 0);
    return 0;
}

static int clock_unknown(void) {
    __wasi_timestamp_t now;
    CHECK(__wasi_clock_time_get(99, 0, &now) != 0);
    return 0;
}

static int sleeping(void) {
    int64_t before = monotonic();
    struct timespec wait = {0, 30000000};
    CHECK(nanosleep(&wait, NULL) == 0);
    CHECK(monotonic() - before >= 30000000);
    return 0;
}

static int poll_nothing(void) {
    __wasi_subscription_t none = {0};
    __wasi_event_t event;
    __wasi_size_t count;
    CHECK(__wasi_poll_oneoff(&none, &event, 0, &count) == __WASI_ERRNO_INVAL);
    return 0;
}

static int poll_timer(void) {
    __wasi_subscription_t timers[2] = {0};
    __wasi_event_t events[2];
    __wasi_size_t count = 0;
    for (int at = 0; at < 2; at++) {
        timers[at].userdata = (uint64_t)at + 7;
        timers[at].u.tag = __WASI_EVENTTYPE_CLOCK;
        timers[at].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    }
    timers[0].u.u.clock.timeout = 20000000;
    timers[1].u.u.clock.timeout = 3600000000000;
    CHECK(__wasi_poll_oneoff(timers, events, 2, &count) == 0);
    CHECK(count == 1 && events[0].userdata == 7 && events[0].error == 0);
    return 0;
}

static int poll_past(void) {
    __wasi_subscription_t timer = {0};
    __wasi_event_t event;
    __wasi_size_t count = 0;
    timer.u.tag = __WASI_EVENTTYPE_CLOCK;
    timer.u.u.clock.id = __WASI_CLOCKID_REALTIME;
    timer.u.u.clock.timeout = 1;
    timer.u.u.clock.flags = __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;
    CHECK(__wasi_poll_oneoff(&timer, &event, 1, &count) == 0 && count == 1);
    return 0;
}

static int poll_streams(void) {
    struct pollfd fds[2] = {{0, POLLIN, 0}, {1, POLLOUT, 0}};
    CHECK(poll(fds, 2, 60000) >= 1);
    CHECK(fds[0].revents & POLLIN || fds[1].revents & POLLOUT);
    char byte;
    CHECK(read(0, &byte, 1) == 1);
    return 0;
}

static int yielding(void) {
    CHECK(sched_yield() == 0);
    return 0;
}

static int random_bytes(void) {
    uint8_t one[256] = {0}, two[256] = {0}, zero[256] = {0};
    CHECK(getentropy(one, sizeof one) == 0 && getentropy(two, sizeof two) == 0);
    CHECK(memcmp(one, two, sizeof one) != 0 && memcmp(one, zero, sizeof one) != 0);
    CHECK(__wasi_random_get(one, 0) == 0);
    return 0;
}

static int random_64k(void) {
    static uint8_t bytes[65536];
    CHECK(__wasi_random_get(bytes, sizeof bytes) == 0);
    uint32_t sum = 0;
    for (size_t at = 0; at < sizeof bytes; at++) sum += bytes[at];
    CHECK(sum > 0);
    return 0;
}

static int random_1m(void) {
    static uint8_t bytes[1 << 20];
    CHECK(__wasi_random_get(bytes, sizeof bytes) == 0);
    return 0;
}

static int memory(void) {
    // More than the host allows: told to the program, which goes on.
    void *volatile too_much = malloc((size_t)1 << 30);
    CHECK(too_much == NULL);
    char *much = malloc((size_t)64 << 20);
    CHECK(much);
    memset(much, 1, (size_t)64 << 20);
    CHECK(much[(64 << 20) - 1] == 1);
    return 0;
}

static const struct wasi_case cases[] = {
    {"args", "the program's name, then the arguments as they were given: spaces, none, beyond ASCII", args},
    {"environ", "the variables that were granted, and no others", environment},
    {"stdin-text", "the input, a line end, and then the end", stdin_text},
    {"stdin-end", "a read at the end of standard input gives nothing, again and again", stdin_end},
    {"stdin-closed", "standard input can be closed, and then is no descriptor", stdin_closed},
    {"stdin-only-reads", "standard input can't be written, standard output can't be read", stdin_only_reads},
    {"stdout-long", "300,000 bytes in one buffer", stdout_long},
    {"stdout-vectors", "a write of several pieces, one of them empty", stdout_vectors},
    {"terminals", "no standard stream is a terminal", terminals},
    {"stdio-kinds", "standard streams are neither files nor directories, and can't be sought in", stdio_kinds},
    {"clock-wall", "the time of day, after 2020", clock_wall},
    {"clock-monotonic", "a clock that never goes back", clock_monotonic},
    {"clock-resolution", "both clocks have a resolution", clock_resolution},
    {"clock-cpu", "the processor time of the program", clock_cpu},
    {"clock-unknown", "a clock that does not exist is refused", clock_unknown},
    {"sleep", "a sleep takes its time", sleeping},
    {"poll-nothing", "waiting for nothing is refused", poll_nothing},
    {"poll-timer", "of two timers the one that is due", poll_timer},
    {"poll-past", "a moment that has passed", poll_past},
    {"poll-streams", "standard input with something to read, standard output with room", poll_streams},
    {"yield", "yielding the processor", yielding},
    {"random", "bytes that differ each time", random_bytes},
    {"random-64k", "64 KiB of random bytes in one call", random_64k},
    {"random-1m", "1 MiB of random bytes in one call", random_1m},
    {"memory", "an allocation over the limit fails, and the program goes on", memory},
};

static const struct wasi_case *at(size_t place) {
    size_t here = sizeof cases / sizeof *cases;
    if (place < here) return &cases[place];
    return place - here < file_case_count ? &file_cases[place - here] : NULL;
}

int main(int count, char **values) {
    argc = count, argv = values;
    for (size_t place = 0; at(place); place++) {
        if (count < 2) {
            printf("%s\t%s\n", at(place)->name, at(place)->expects);
        } else if (strcmp(values[1], at(place)->name) == 0) {
            return at(place)->run();
        }
    }
    // So that a name nobody knows is not taken for a case that holds.
    return count < 2 ? 0 : 64;
}
