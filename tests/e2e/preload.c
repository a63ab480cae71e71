/* Faults of the system under the agent, switched by files in the folder METERGATE_FAULTS:
 *   hold-fdatasync     fdatasync waits while it is there (at most 10 s)
 *   skip-fdatasync     fdatasync returns at once: what a store without sync would do
 *   fail-fdatasync     fdatasync fails with EIO
 *   hang-getaddrinfo   a name lookup hangs while it is there
 *   hang-bus           ppoll, which a bus waits with for bytes, hangs while it is there
 *   clock              "OFFSET_MS SYNCED": added to the wall clock; 1 or 0 for what adjtimex says
 * Each fdatasync that returned is one line in the file `syncs`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static int path_of(char *to, size_t size, const char *name) {
  const char *folder = getenv("METERGATE_FAULTS");
  if (folder == NULL) return 0;
  snprintf(to, size, "%s/%s", folder, name);
  return 1;
}

static int is_set(const char *name) {
  char path[512];
  return path_of(path, sizeof path, name) && access(path, F_OK) == 0;
}

static void hang_while(const char *name, int seconds) {
  for (int i = 0; i < seconds * 100 && is_set(name); ++i) usleep(10000);
}

static void note(const char *name) {
  char path[512];
  if (!path_of(path, sizeof path, name)) return;
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  if (write(fd, ".\n", 2) < 0) { /* the count is a help, no more */
  }
  close(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
  if (is_set("skip-fdatasync")) return 0;
  if (is_set("hold-fdatasync")) {
    note("held");
    hang_while("hold-fdatasync", 10);
  }
  if (is_set("fail-fdatasync")) {
    note("failed");
    errno = EIO;
    return -1;
  }
  const int status = real(fd);
  note("syncs");
  return status;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  if (is_set("hang-getaddrinfo") && hints != NULL && (hints->ai_flags & AI_NUMERICHOST) == 0) {
    note("looked-up");
    hang_while("hang-getaddrinfo", 60);
  }
  return real(node, service, hints, result);
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *time, const sigset_t *signals) {
  static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "ppoll");
  hang_while("hang-bus", 60);
  return real(fds, n, time, signals);
}

static int clock_fault(long long *offset_ms, int *synced) {
  char path[512], text[64] = "";
  if (!path_of(path, sizeof path, "clock")) return 0;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  return n > 0 && sscanf(text, "%lld %d", offset_ms, synced) == 2;
}

int clock_gettime(clockid_t id, struct timespec *ts) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int status = real(id, ts);
  long long offset_ms;
  int synced;
  if (status == 0 && id == CLOCK_REALTIME && clock_fault(&offset_ms, &synced)) {
    const long long ms = ts->tv_sec * 1000LL + ts->tv_nsec / 1000000 + offset_ms;
    ts->tv_sec = ms / 1000;
    ts->tv_nsec = ms % 1000 * 1000000 + ts->tv_nsec % 1000000;
  }
  return status;
}

int adjtimex(struct timex *tx) {
  static int (*real)(struct timex *);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "adjtimex");
  const int status = real(tx);
  long long offset_ms;
  int synced;
  if (clock_fault(&offset_ms, &synced)) tx->status = synced ? tx->status & ~STA_UNSYNC : tx->status | STA_UNSYNC;
  return status;
}
