/*
 * What a kernel may answer on a bad day, put before libc by LD_PRELOAD: failing fsync, a file system that has become read-only, a
 * wall clock that jumped. FAULTS names a folder, and each file in it is a fault that lasts while it is there:
 *   fsync     fsync and fdatasync end in EIO
 *   readonly  writing to a regular file, making or removing one ends in EROFS
 *   clock     its text is added to the wall clock, in seconds
 * Only files below FAULTS_UNDER are meant.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int below(const char *path) {
  const char *under = getenv("FAULTS_UNDER");
  return under != NULL && strncmp(path, under, strlen(under)) == 0;
}

static int fault(const char *name) {
  char path[4096];
  const char *folder = getenv("FAULTS");
  if (folder == NULL) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int before = errno;
  int there = access(path, F_OK) == 0;
  errno = before;
  return there;
}

static int concerns(int fd) {
  char name[64], path[4096];
  struct stat about;
  int before = errno;
  ssize_t length = -1;
  if (fstat(fd, &about) == 0 && (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode))) {
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    length = readlink(name, path, sizeof path - 1);
  }
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  return below(path);
}

#define FAILS(name, condition, code) \
  if (fault(name) && (condition)) { errno = code; return -1; }

int fsync(int fd) { FAILS("fsync", concerns(fd), EIO) return NEXT(fsync)(fd); }
int fdatasync(int fd) { FAILS("fsync", concerns(fd), EIO) return NEXT(fdatasync)(fd); }

ssize_t write(int fd, const void *data, size_t n) { FAILS("readonly", concerns(fd), EROFS) return NEXT(write)(fd, data, n); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { FAILS("readonly", concerns(fd), EROFS) return NEXT(pwrite)(fd, data, n, at); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { FAILS("readonly", concerns(fd), EROFS) return NEXT(pwrite64)(fd, data, n, at); }
ssize_t writev(int fd, const struct iovec *parts, int n) { FAILS("readonly", concerns(fd), EROFS) return NEXT(writev)(fd, parts, n); }
ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at) { FAILS("readonly", concerns(fd), EROFS) return NEXT(pwritev)(fd, parts, n, at); }
int ftruncate(int fd, off_t n) { FAILS("readonly", concerns(fd), EROFS) return NEXT(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { FAILS("readonly", concerns(fd), EROFS) return NEXT(ftruncate64)(fd, n); }
int unlink(const char *path) { FAILS("readonly", below(path), EROFS) return NEXT(unlink)(path); }
int rename(const char *from, const char *to) { FAILS("readonly", below(to), EROFS) return NEXT(rename)(from, to); }

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    FAILS("readonly", below(path) && (flags & (O_WRONLY | O_RDWR | O_CREAT)), EROFS) \
    return NEXT(name)(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

static long jump(void) {
  char path[4096], text[32];
  if (!fault("clock")) return 0;
  snprintf(path, sizeof path, "%s/clock", getenv("FAULTS"));
  int before = errno;
  int fd = NEXT(open)(path, O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  errno = before;
  if (length <= 0) return 0;
  text[length] = 0;
  return atol(text);
}

int clock_gettime(clockid_t id, struct timespec *out) {
  int done = NEXT(clock_gettime)(id, out);
  if (done == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) out->tv_sec += jump();
  return done;
}
int gettimeofday(struct timeval *out, void *zone) {
  int done = NEXT(gettimeofday)(out, zone);
  if (done == 0) out->tv_sec += jump();
  return done;
}
time_t time(time_t *out) {
  time_t now = NEXT(time)(NULL) + jump();
  if (out != NULL) *out = now;
  return now;
}
