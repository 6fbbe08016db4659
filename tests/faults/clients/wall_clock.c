/* The wall clock of the processes that it is preloaded into, moved by as many seconds as stand in $WALL_CLOCK (an int64).

   The monotonic clock is left alone, as a real jump leaves it; a wait until a time of the wall clock, as libcarla's C++
   makes of each call's time-out, begins after the jump and lasts as long as it says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none, *moved_s = &none;

__attribute__((constructor)) static void look(void) {
    const char *path = getenv("WALL_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *place = file < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (place == MAP_FAILED) abort(); /* a test whose clock stands still would prove nothing */
    moved_s = place;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *moved_s;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec, now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *place) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (place) *place = exact.tv_sec;
    return exact.tv_sec;
}

static struct timespec unmoved(const struct timespec *until) {
    return (struct timespec){until->tv_sec - *moved_s, until->tv_nsec};
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    int monotonic = until->tv_sec < 1000000000; /* no machine has been up for so long */
    struct timespec end = unmoved(until);
    return real(condition, mutex, monotonic ? until : &end);
}

long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = dlsym(RTLD_NEXT, "syscall");
    long given[6];
    va_list list;
    va_start(list, number);
    for (int k = 0; k < 6; k++) given[k] = va_arg(list, long);
    va_end(list);
    struct timespec end;
    if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME) && given[3]) {
        end = unmoved((const struct timespec *)given[3]);
        given[3] = (long)&end;
    }
    return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
