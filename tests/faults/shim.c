/*
 * Counts what a program does to the files below one folder, and strikes at the n-th deed. Preloaded (LD_PRELOAD) into
 * the night and all it starts, it sees Python's writes and DuckDB's alike, without a word about it in the shipped code.
 *
 *   FAULTS_ROOT     the folder, without links in its path; without it the shim does nothing
 *   FAULTS_COUNTER  a file of 16 bytes, shared by all processes: how many deeds there were, and whether it has struck
 *   FAULTS_LOG      gets a line for each deed: number, process, deed, path below the root, bytes
 *   FAULTS_AT       the number at which to strike, before the deed is done; 0 = never
 *   FAULTS_ACTION   group: kill the process group; parent: kill the first process alone; self: kill this one;
 *                   torn: as group, but half of the bytes are written; fill: fill the file system, and go on
 *   FAULTS_BALLAST  the file that fills it
 *
 * Logs of dbt are left out: they are most of all writes, and nobody reads them back.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *root, *action, *ballast;
static size_t root_length;
static uint64_t strike_at;
static volatile uint64_t *counter; /* [0] deeds, [1] has struck */
static int log_file = -1;
static pid_t first_process;

__attribute__((constructor)) static void start(void) {
    root = getenv("FAULTS_ROOT");
    const char *counter_name = getenv("FAULTS_COUNTER"), *log_name = getenv("FAULTS_LOG");
    if (root == NULL || counter_name == NULL || log_name == NULL) {
        root = NULL;
        return;
    }
    root_length = strlen(root);
    action = getenv("FAULTS_ACTION") ? getenv("FAULTS_ACTION") : "group";
    ballast = getenv("FAULTS_BALLAST");
    strike_at = getenv("FAULTS_AT") ? strtoull(getenv("FAULTS_AT"), NULL, 10) : 0;
    if (getenv("FAULTS_FIRST") == NULL) {
        char text[32];
        snprintf(text, sizeof text, "%d", (int)getpid());
        setenv("FAULTS_FIRST", text, 1);
    }
    first_process = (pid_t)atoi(getenv("FAULTS_FIRST"));
    int file = (int)syscall(SYS_openat, AT_FDCWD, counter_name, O_RDWR | O_CLOEXEC, 0);
    counter = file < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    log_file = (int)syscall(SYS_openat, AT_FDCWD, log_name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || counter == MAP_FAILED || log_file < 0) {
        fprintf(stderr, "faults: cannot use %s and %s\n", counter_name, log_name);
        _exit(99);
    }
    close(file);
}

static void fill(void) {
    static char block[65536];
    int file = (int)syscall(SYS_openat, AT_FDCWD, ballast, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    for (size_t size = sizeof block; size > 0; size /= 2)
        while (syscall(SYS_write, file, block, size) > 0)
            ;
    syscall(SYS_close, file);
}

static int is_ours(const char *path) {
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0) &&
           strstr(path, "/dbt/logs/") == NULL;
}

/* Count a deed on `path`; 1 when it is to be done by half before the end. */
static int deed(const char *name, const char *path, size_t bytes) {
    uint64_t number = __atomic_add_fetch(&counter[0], 1, __ATOMIC_SEQ_CST);
    char line[PATH_MAX + 128];
    int length = snprintf(line, sizeof line, "%llu %d %s %s %zu\n", (unsigned long long)number, (int)getpid(), name,
                          path[root_length] ? path + root_length + 1 : ".", bytes);
    syscall(SYS_write, log_file, line, (size_t)length);
    if (number != strike_at)
        return 0;
    counter[1] = number;
    if (strcmp(action, "fill") == 0)
        fill();
    else if (strcmp(action, "parent") == 0)
        kill(first_process, SIGKILL);
    else if (strcmp(action, "self") == 0)
        kill(getpid(), SIGKILL);
    else if (strcmp(action, "torn") == 0 && bytes > 1)
        return 1;
    else
        kill(0, SIGKILL);
    return 0;
}

static void path_deed(const char *name, int folder, const char *path) {
    char whole[PATH_MAX * 2 + 2], link[64];
    int saved = errno;
    if (root == NULL || path == NULL)
        return;
    if (path[0] == '/')
        snprintf(whole, sizeof whole, "%s", path);
    else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(folder == AT_FDCWD ? "/proc/self/cwd" : link, whole, PATH_MAX);
        if (length < 0)
            return;
        snprintf(whole + length, sizeof whole - (size_t)length, "/%s", path);
    }
    if (is_ours(whole))
        deed(name, whole, 0);
    errno = saved;
}

static int file_deed(const char *name, int file, size_t bytes) {
    char link[64], path[PATH_MAX + 1];
    int saved = errno, half = 0;
    if (root == NULL)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX);
    if (length > 0) {
        path[length] = 0;
        if (is_ours(path))
            half = deed(name, path, bytes);
    }
    errno = saved;
    return half;
}

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (next == NULL) \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define CHANGES(flags) ((flags) & (O_CREAT | O_TRUNC))

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        NEXT(name); \
        if (CHANGES(flags)) \
            path_deed("open", AT_FDCWD, path); \
        return next(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        NEXT(name); \
        if (CHANGES(flags)) \
            path_deed("open", folder, path); \
        return next(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int file, const void *data, size_t size) {
    NEXT(write);
    if (file_deed("write", file, size)) {
        next(file, data, size / 2);
        kill(0, SIGKILL);
    }
    return next(file, data, size);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    NEXT(writev);
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    if (file_deed("write", file, size))
        kill(0, SIGKILL);
    return next(file, parts, count);
}

#define PWRITE(name, offset_type) \
    ssize_t name(int file, const void *data, size_t size, offset_type offset) { \
        NEXT(name); \
        if (file_deed("write", file, size)) { \
            next(file, data, size / 2, offset); \
            kill(0, SIGKILL); \
        } \
        return next(file, data, size, offset); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_FILE(name, signature, arguments, deed_name) \
    int name signature { \
        NEXT(name); \
        file_deed(deed_name, file, 0); \
        return next arguments; \
    }
ON_FILE(ftruncate, (int file, off_t size), (file, size), "truncate")
ON_FILE(ftruncate64, (int file, off64_t size), (file, size), "truncate")
ON_FILE(fsync, (int file), (file), "sync")
ON_FILE(fdatasync, (int file), (file), "sync")
ON_FILE(fchmod, (int file, mode_t mode), (file, mode), "chmod")

#define ON_PATH(name, signature, arguments, deed_name, folder, path) \
    int name signature { \
        NEXT(name); \
        path_deed(deed_name, folder, path); \
        return next arguments; \
    }
ON_PATH(rename, (const char *from, const char *to), (from, to), "rename", AT_FDCWD, to)
ON_PATH(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), "rename", b, to)
ON_PATH(unlink, (const char *path), (path), "unlink", AT_FDCWD, path)
ON_PATH(unlinkat, (int folder, const char *path, int flags), (folder, path, flags), "unlink", folder, path)
ON_PATH(remove, (const char *path), (path), "unlink", AT_FDCWD, path)
ON_PATH(rmdir, (const char *path), (path), "rmdir", AT_FDCWD, path)
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), "mkdir", AT_FDCWD, path)
ON_PATH(mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), "mkdir", folder, path)
ON_PATH(symlink, (const char *to, const char *path), (to, path), "symlink", AT_FDCWD, path)
ON_PATH(link, (const char *to, const char *path), (to, path), "link", AT_FDCWD, path)
ON_PATH(chmod, (const char *path, mode_t mode), (path, mode), "chmod", AT_FDCWD, path)
ON_PATH(fchmodat, (int folder, const char *path, mode_t mode, int flags), (folder, path, mode, flags), "chmod", folder, path)
