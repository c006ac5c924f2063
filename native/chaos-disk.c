/*
 * A disk that can lose power, fill up and fail, for `stormkv chaos`: a library that is preloaded
 * (LD_PRELOAD) into the server and stands between it and the file system, for regular files under
 * one folder only. See docs/CHAOS.md.
 *
 * Environment:
 *   CHAOS_DISK_DIR      the folder, an absolute path
 *   CHAOS_DISK_CONTROL  a FIFO; one order per line, read by a thread of this library
 *   CHAOS_DISK_UNDO     an empty folder on the same file system, outside of the first
 * Orders:
 *   drop all | drop some SEED   power loss: what was not synced is lost, wholly or in any part, then
 *                               the process kills itself
 *   full on | full off          the disk has no space left, or has again
 *   fail-sync                   the next sync of a file fails with EIO, and what it was to make
 *                               durable is lost at the next power loss, even if synced again
 *
 * Model. For every page of a file that was written and not yet synced, the content that the disk
 * has is kept here (the page cache has the new one). A sync forgets what it made durable. Power loss
 * writes kept pages back: all of them, or a random choice of their 512-byte sectors; the size of the
 * file is chosen apart from its content. Names (created, renamed, linked, removed) count as lost
 * until their directory is synced; they are undone from the last to the first.
 *
 * A file that is being synced cannot be written meanwhile: its writers wait.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define SECTOR 512
#define BUCKETS 4096

typedef struct Page {
  struct Page *next;
  uint64_t index;
  int lost_for_good; /* a sync of it failed: the kernel takes it for clean */
  unsigned char content[PAGE]; /* as on the disk; zeros behind its end */
} Page;

typedef struct File {
  struct File *next;
  dev_t device;
  ino_t inode;
  int fd; /* of our own, so that neither close nor unlink takes the file from us */
  int syncing;
  off_t disk_size;
  size_t page_count;
  Page *pages[64];
} File;

enum NameKind { CREATED, RENAMED, REMOVED };

typedef struct Name {
  struct Name *before;
  enum NameKind kind;
  char *path;   /* the new name */
  char *from;   /* RENAMED: the old name */
  char *backup; /* what had the name before, kept under another one; may be NULL */
} Name;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t synced = PTHREAD_COND_INITIALIZER;
static File *files[BUCKETS];
static Name *names; /* the last one first */
static char dir[PATH_MAX];
static size_t dir_length;
static const char *control, *undo;
static unsigned long backups;
static int is_full, fails_sync;
static uint64_t dice;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_link)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_statfs)(const char *, struct statfs *);

static void die(const char *what) {
  dprintf(2, "chaos-disk: %s: %s\n", what, strerror(errno));
  abort();
}

static void *original(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) {
    dprintf(2, "chaos-disk: no %s in the C library\n", name);
    abort();
  }
  return found;
}

static void find_originals(void) {
  if (real_open != NULL) return;
  real_pwrite = original("pwrite");
  real_write = original("write");
  real_writev = original("writev");
  real_pwritev = original("pwritev");
  real_ftruncate = original("ftruncate");
  real_fsync = original("fsync");
  real_fdatasync = original("fdatasync");
  real_rename = original("rename");
  real_link = original("link");
  real_unlink = original("unlink");
  real_statfs = original("statfs");
  real_open = original("open");
}

/* ---- which files ---- */

static int is_ours(const char *path) {
  return dir_length > 0 && strncmp(path, dir, dir_length) == 0 && path[dir_length] == '/';
}

/* Paths are compared as text: the server is given an absolute data dir. */
static char *copy_of(const char *path) {
  char *copy = strdup(path);
  if (copy == NULL) die("strdup");
  return copy;
}

static size_t bucket_of(ino_t inode) { return (size_t)(inode % BUCKETS); }

static File *file_of(int fd) {
  struct stat found;
  if (dir_length == 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return NULL;
  for (File *file = files[bucket_of(found.st_ino)]; file != NULL; file = file->next) {
    if (file->inode == found.st_ino && file->device == found.st_dev) return file;
  }
  return NULL;
}

/* A new file has nothing on the disk; one that was there is taken as synced. */
static void know(int fd, int is_new) {
  struct stat found;
  if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return;
  File *file = file_of(fd);
  if (file != NULL) return;
  file = calloc(1, sizeof(File));
  if (file == NULL) die("calloc");
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  file->fd = real_open(path, O_RDWR | O_CLOEXEC);
  if (file->fd < 0) {
    free(file);
    return;
  }
  file->device = found.st_dev;
  file->inode = found.st_ino;
  file->disk_size = is_new ? 0 : found.st_size;
  File **bucket = &files[bucket_of(found.st_ino)];
  file->next = *bucket;
  *bucket = file;
}

static void forget_pages(File *file) {
  for (size_t i = 0; i < 64; i++) {
    for (Page *page = file->pages[i]; page != NULL;) {
      Page *next = page->next;
      free(page);
      page = next;
    }
    file->pages[i] = NULL;
  }
  file->page_count = 0;
}

/* Files without a name and without unsynced pages hold space for nothing. */
static void forget_unnamed(void) {
  for (size_t i = 0; i < BUCKETS; i++) {
    for (File **at = &files[i]; *at != NULL;) {
      File *file = *at;
      struct stat found;
      if (!file->syncing && fstat(file->fd, &found) == 0 && found.st_nlink == 0) {
        *at = file->next;
        forget_pages(file);
        close(file->fd);
        free(file);
      } else {
        at = &file->next;
      }
    }
  }
}

/* ---- content ---- */

/* Keeps what the disk has of the pages that are about to change. */
static void keep(File *file, off_t from, off_t to) {
  for (uint64_t index = (uint64_t)from / PAGE; (off_t)(index * PAGE) < to; index++) {
    Page **bucket = &file->pages[index % 64];
    Page *page = *bucket;
    while (page != NULL && page->index != index) page = page->next;
    if (page == NULL) {
      page = calloc(1, sizeof(Page));
      if (page == NULL) die("calloc");
      page->index = index;
      if (pread(file->fd, page->content, PAGE, (off_t)(index * PAGE)) < 0) die("pread");
      page->next = *bucket;
      *bucket = page;
      file->page_count++;
    }
    /* Written again, it is dirty again: the next sync writes it. */
    page->lost_for_good = 0;
  }
}

static void wait_for_sync(File *file) {
  while (file->syncing) pthread_cond_wait(&synced, &lock);
}

static off_t size_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 ? found.st_size : 0;
}

/* Before a write: 0, or an errno. With the lock held. */
static int before_write(File *file, off_t from, size_t length) {
  wait_for_sync(file);
  if (is_full && from + (off_t)length > size_of(file->fd)) return ENOSPC;
  keep(file, from, from + (off_t)length);
  return 0;
}

static ssize_t guarded_write(int fd, off_t at, const struct iovec *parts, int count) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  pthread_mutex_lock(&lock);
  File *file = file_of(fd);
  if (file == NULL) {
    pthread_mutex_unlock(&lock);
    return at < 0 ? real_writev(fd, parts, count) : real_pwritev(fd, parts, count, at);
  }
  off_t from = at < 0 ? lseek(fd, 0, SEEK_CUR) : at;
  if (at < 0 && (fcntl(fd, F_GETFL) & O_APPEND) != 0) from = size_of(fd);
  int error = before_write(file, from, length);
  ssize_t done = -1;
  if (error == 0) {
    done = at < 0 ? real_writev(fd, parts, count) : real_pwritev(fd, parts, count, at);
    error = errno;
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

static int guarded_sync(int fd, int (*sync)(int)) {
  pthread_mutex_lock(&lock);
  File *file = file_of(fd);
  if (file == NULL) {
    pthread_mutex_unlock(&lock);
    return sync(fd);
  }
  wait_for_sync(file);
  if (fails_sync) {
    fails_sync = 0;
    for (size_t i = 0; i < 64; i++)
      for (Page *page = file->pages[i]; page != NULL; page = page->next) page->lost_for_good = 1;
    pthread_mutex_unlock(&lock);
    errno = EIO;
    return -1;
  }
  file->syncing = 1;
  off_t size = size_of(fd);
  pthread_mutex_unlock(&lock);
  int result = sync(fd);
  int error = errno;
  pthread_mutex_lock(&lock);
  if (result == 0) {
    for (size_t i = 0; i < 64; i++) {
      for (Page **at = &file->pages[i]; *at != NULL;) {
        Page *page = *at;
        if (page->lost_for_good) {
          at = &page->next;
          continue;
        }
        *at = page->next;
        free(page);
        file->page_count--;
      }
    }
    file->disk_size = size;
  }
  file->syncing = 0;
  pthread_cond_broadcast(&synced);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

/* ---- names ---- */

static char *backup_of(const char *path) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s/%lu", undo, ++backups);
  if (real_link(path, name) != 0) return NULL;
  return copy_of(name);
}

static void note(enum NameKind kind, const char *path, const char *from, char *backup) {
  Name *name = calloc(1, sizeof(Name));
  if (name == NULL) die("calloc");
  name->kind = kind;
  name->path = copy_of(path);
  name->from = from == NULL ? NULL : copy_of(from);
  name->backup = backup;
  name->before = names;
  names = name;
}

static void drop_name(Name *name) {
  if (name->backup != NULL) real_unlink(name->backup);
  free(name->backup);
  free(name->path);
  free(name->from);
  free(name);
}

/* The directory was synced: its names are what they are. */
static void names_are_durable(int fd) {
  char link_name[64], path[PATH_MAX];
  snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link_name, path, sizeof path - 1);
  if (length <= 0) return;
  path[length] = 0;
  pthread_mutex_lock(&lock);
  for (Name **at = &names; *at != NULL;) {
    Name *name = *at;
    const char *slash = strrchr(name->path, '/');
    size_t parent = (size_t)(slash - name->path);
    if (parent == (size_t)length && strncmp(name->path, path, parent) == 0) {
      *at = name->before;
      drop_name(name);
    } else {
      at = &name->before;
    }
  }
  forget_unnamed();
  pthread_mutex_unlock(&lock);
}

/* ---- power loss ---- */

static uint32_t roll(void) {
  dice = dice * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(dice >> 33);
}

static void drop_file(File *file, int all) {
  if (file->page_count == 0 && size_of(file->fd) == file->disk_size) return;
  off_t size = size_of(file->fd);
  if (all || roll() % 2 == 0) size = file->disk_size;
  for (size_t i = 0; i < 64; i++) {
    for (Page *page = file->pages[i]; page != NULL; page = page->next) {
      for (int sector = 0; sector < PAGE / SECTOR; sector++) {
        if (!all && !page->lost_for_good && roll() % 2 == 0) continue;
        off_t at = (off_t)(page->index * PAGE) + sector * SECTOR;
        if (at >= size) continue;
        real_pwrite(file->fd, page->content + sector * SECTOR, SECTOR, at);
      }
    }
  }
  if (real_ftruncate(file->fd, size) != 0) die("ftruncate");
}

static void undo_name(const Name *name) {
  switch (name->kind) {
    case CREATED: real_unlink(name->path); break;
    case RENAMED: real_rename(name->path, name->from); break;
    case REMOVED: break;
  }
  if (name->backup != NULL) real_rename(name->backup, name->path);
}

static void lose_power(int all) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < BUCKETS; i++)
    for (File *file = files[i]; file != NULL; file = file->next) drop_file(file, all);
  /* The first names in time may be durable without the later ones; never the reverse. */
  for (const Name *name = names; name != NULL; name = name->before) {
    if (!all && roll() % 4 == 0) break;
    undo_name(name);
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void obey(const char *order) {
  if (strcmp(order, "drop all") == 0) lose_power(1);
  if (strncmp(order, "drop some ", 10) == 0) {
    dice = strtoull(order + 10, NULL, 10);
    lose_power(0);
  }
  pthread_mutex_lock(&lock);
  if (strcmp(order, "full on") == 0) is_full = 1;
  if (strcmp(order, "full off") == 0) is_full = 0;
  if (strcmp(order, "fail-sync") == 0) fails_sync = 1;
  pthread_mutex_unlock(&lock);
}

static void *listen_for_orders(void *unused) {
  (void)unused;
  /* Writing too, so that the end of one writer is not the end of the file. */
  int fd = real_open(control, O_RDWR | O_CLOEXEC);
  FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");
  if (stream == NULL) die(control);
  char line[256];
  while (fgets(line, sizeof line, stream) != NULL) {
    line[strcspn(line, "\n")] = 0;
    obey(line);
  }
  return NULL;
}

__attribute__((constructor)) static void start(void) {
  find_originals();
  const char *wanted = getenv("CHAOS_DISK_DIR");
  control = getenv("CHAOS_DISK_CONTROL");
  undo = getenv("CHAOS_DISK_UNDO");
  if (wanted == NULL || control == NULL || undo == NULL) return;
  snprintf(dir, sizeof dir, "%s", wanted);
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (pthread_create(&thread, NULL, listen_for_orders, NULL) != 0) die("pthread_create");
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  dir_length = strlen(dir);
  /* Programs that the server starts have a disk that works. */
  unsetenv("LD_PRELOAD");
}

/* ---- what the server calls ---- */

static int guarded_open(const char *path, int flags, mode_t mode) {
  find_originals();
  if (!is_ours(path) || (flags & (O_DIRECTORY | O_PATH)) != 0) return real_open(path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat before;
  int is_new = (flags & O_CREAT) != 0 && lstat(path, &before) != 0;
  if (is_new && is_full) {
    pthread_mutex_unlock(&lock);
    errno = ENOSPC;
    return -1;
  }
  int fd = real_open(path, flags & ~O_TRUNC, mode);
  int error = errno;
  if (fd >= 0) {
    if (is_new) note(CREATED, path, NULL, NULL);
    if ((flags & O_ACCMODE) != O_RDONLY) know(fd, is_new);
  }
  pthread_mutex_unlock(&lock);
  if (fd >= 0 && (flags & O_TRUNC) != 0 && !is_new) {
    extern int ftruncate(int, off_t);
    ftruncate(fd, 0);
  }
  errno = error;
  return fd;
}

static mode_t mode_of(int flags, va_list rest) {
  int creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return creates ? (mode_t)va_arg(rest, int) : 0;
}

#define OPENED                           \
  va_list rest;                          \
  va_start(rest, flags);                 \
  mode_t mode = mode_of(flags, rest);    \
  va_end(rest);                          \
  return guarded_open(path, flags, mode)

int open(const char *path, int flags, ...) { OPENED; }
int open64(const char *path, int flags, ...) { OPENED; }

ssize_t write(int fd, const void *bytes, size_t length) {
  find_originals();
  struct stat found;
  if (dir_length == 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))
    return real_write(fd, bytes, length);
  struct iovec part = {(void *)bytes, length};
  return guarded_write(fd, -1, &part, 1);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  find_originals();
  struct iovec part = {(void *)bytes, length};
  return guarded_write(fd, at, &part, 1);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
  return pwrite(fd, bytes, length, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  find_originals();
  struct stat found;
  if (dir_length == 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))
    return real_writev(fd, parts, count);
  return guarded_write(fd, -1, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  find_originals();
  return guarded_write(fd, at, parts, count);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) {
  return pwritev(fd, parts, count, at);
}

int ftruncate(int fd, off_t size) {
  find_originals();
  pthread_mutex_lock(&lock);
  File *file = file_of(fd);
  if (file != NULL) {
    wait_for_sync(file);
    off_t now = size_of(fd);
    if (size < now) keep(file, size, now);
  }
  int result = real_ftruncate(fd, size);
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int fdatasync(int fd) {
  find_originals();
  return guarded_sync(fd, real_fdatasync);
}

int fsync(int fd) {
  find_originals();
  struct stat found;
  if (dir_length == 0 || fstat(fd, &found) != 0 || !S_ISDIR(found.st_mode))
    return guarded_sync(fd, real_fsync);
  int result = real_fsync(fd);
  if (result == 0) names_are_durable(fd);
  return result;
}

int rename(const char *from, const char *to) {
  find_originals();
  if (!is_ours(to)) return real_rename(from, to);
  pthread_mutex_lock(&lock);
  char *backup = backup_of(to);
  int result = real_rename(from, to);
  int error = errno;
  if (result == 0) note(RENAMED, to, from, backup);
  else if (backup != NULL) real_unlink(backup), free(backup);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int link(const char *from, const char *to) {
  find_originals();
  if (!is_ours(to)) return real_link(from, to);
  pthread_mutex_lock(&lock);
  int result = real_link(from, to);
  int error = errno;
  if (result == 0) note(CREATED, to, NULL, NULL);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int unlink(const char *path) {
  find_originals();
  if (!is_ours(path)) return real_unlink(path);
  pthread_mutex_lock(&lock);
  char *backup = backup_of(path);
  int result = real_unlink(path);
  int error = errno;
  if (result == 0) note(REMOVED, path, NULL, backup);
  else if (backup != NULL) real_unlink(backup), free(backup);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int statfs(const char *path, struct statfs *found) {
  find_originals();
  int result = real_statfs(path, found);
  if (result == 0 && is_full && (is_ours(path) || strcmp(path, dir) == 0)) {
    found->f_bavail = 0;
    found->f_bfree = 0;
  }
  return result;
}
int statfs64(const char *path, struct statfs64 *found) {
  return statfs(path, (struct statfs *)found);
}
