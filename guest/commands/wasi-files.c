// What a program may expect of files under WASI p1, and above all which it must not reach: the second half of wasi.c.
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

#include "wasi.h"

// The first two directories that were granted.
enum { DATA = 3, READ_ONLY = 4 };

static int put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
    return 0;
}

static bool holds(const char *path, const char *text) {
    char found[256] = {0};
    int fd = open(path, O_RDONLY);
    if (fd < 0) return false;
    ssize_t length = read(fd, found, sizeof found - 1);
    close(fd);
    return length >= 0 && strcmp(found, text) == 0;
}

static int preopens(void) {
    __wasi_prestat_t found;
    char name[16] = {0};
    CHECK(__wasi_fd_prestat_get(DATA, &found) == 0 && found.tag == __WASI_PREOPENTYPE_DIR && found.u.dir.pr_name_len == 5);
    CHECK(__wasi_fd_prestat_dir_name(DATA, (uint8_t *)name, 5) == 0 && strcmp(name, "/data") == 0);
    CHECK(__wasi_fd_prestat_get(READ_ONLY, &found) == 0 && found.u.dir.pr_name_len == 3);
    CHECK(__wasi_fd_prestat_get(READ_ONLY + 1, &found) == __WASI_ERRNO_BADF);
    return 0;
}

static int preopen_short_name(void) {
    uint8_t name[4];
    CHECK(__wasi_fd_prestat_dir_name(DATA, name, 4) == __WASI_ERRNO_NAMETOOLONG);
    return 0;
}

static int files(void) {
    CHECK(put("/data/files", "hello") == 0);
    CHECK(holds("/data/files", "hello"));
    FAILS(open("/data/files", O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
    int fd = open("/data/files", O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && write(fd, " you", 4) == 4 && close(fd) == 0);
    CHECK(holds("/data/files", "hello you"));
    fd = open("/data/files", O_WRONLY | O_TRUNC);
    CHECK(fd >= 0 && close(fd) == 0);
    CHECK(holds("/data/files", ""));
    return 0;
}

static int wrong_paths(void) {
    CHECK(put("/data/wrong-paths", "x") == 0);
    FAILS(open("/data/no-such-file", O_RDONLY), ENOENT);
    FAILS(open("/data/wrong-paths/below", O_RDONLY), ENOTDIR);
    FAILS(open("/data", O_WRONLY), EISDIR);
    FAILS(open("/data/wrong-paths", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("", O_RDONLY), ENOENT);
    static char name[300];
    memset(name, 'n', sizeof name - 1);
    FAILS(openat(DATA, name, O_RDONLY), ENAMETOOLONG);
    return 0;
}

static int trailing_slashes(void) {
    CHECK(put("/data/slash-file", "x") == 0);
    CHECK(mkdir("/data/slash-dir", 0777) == 0 || errno == EEXIST);
    int fd = open("/data/slash-dir/", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && close(fd) == 0);
    CHECK(open("/data/slash-file/", O_RDONLY) == -1);
    return 0;
}

static int interesting_paths(void) {
    CHECK(mkdir("/data/paths", 0777) == 0 || errno == EEXIST);
    CHECK(put("/data/paths/file", "x") == 0);
    CHECK(holds("/data/./paths//file", "x"));
    CHECK(holds("/data/paths/../paths/file", "x"));
    int fd = openat(DATA, "paths/../paths/./file", O_RDONLY);
    CHECK(fd >= 0 && close(fd) == 0);
    return 0;
}

static int read_only(void) {
    CHECK(holds("/ro/file", "read me\n"));
    REFUSED(open("/ro/file", O_WRONLY));
    REFUSED(open("/ro/new", O_WRONLY | O_CREAT, 0666));
    REFUSED(mkdir("/ro/dir", 0777));
    REFUSED(unlink("/ro/file"));
    REFUSED(rename("/ro/file", "/ro/other"));
    REFUSED(symlinkat("file", READ_ONLY, "link"));
    CHECK(holds("/ro/file", "read me\n"));
    return 0;
}

static int read_only_truncate(void) {
    REFUSED(open("/ro/file", O_RDONLY | O_TRUNC));
    int fd = open("/ro/file", O_RDONLY);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, 0) == -1);
    CHECK(holds("/ro/file", "read me\n"));
    return 0;
}

static int escape_by_dots(void) {
    CHECK(open("/data/../secret", O_RDONLY) == -1);
    CHECK(open("/data/../../../../../../etc/passwd", O_RDONLY) == -1);
    REFUSED(openat(DATA, "../secret", O_RDONLY));
    REFUSED(openat(DATA, "..", O_RDONLY | O_DIRECTORY));
    __wasi_fd_t found;
    CHECK(__wasi_path_open(DATA, 0, "/etc/passwd", 0, __WASI_RIGHTS_FD_READ, 0, 0, &found) == __WASI_ERRNO_PERM);
    CHECK(mkdir("/data/dots", 0777) == 0 || errno == EEXIST);
    int inner = open("/data/dots", O_RDONLY | O_DIRECTORY);
    CHECK(inner >= 0);
    REFUSED(openat(inner, "../../secret", O_RDONLY));
    return 0;
}

static int escape_by_inner_directory(void) {
    CHECK(mkdir("/data/inner", 0777) == 0 || errno == EEXIST);
    CHECK(put("/data/beside", "x") == 0);
    int inner = open("/data/inner", O_RDONLY | O_DIRECTORY);
    CHECK(inner >= 0);
    // A directory that was opened is as much of a wall as one that was granted.
    REFUSED(openat(inner, "../beside", O_RDONLY));
    return 0;
}

static int escape_by_symlink(void) {
    // Made by the host: to ../secret, to /etc/passwd, and to the directory above.
    REFUSED(open("/data/out", O_RDONLY));
    REFUSED(open("/data/absolute", O_RDONLY));
    REFUSED(open("/data/above/secret", O_RDONLY));
    struct stat found;
    CHECK(stat("/data/out", &found) == -1);
    CHECK(lstat("/data/out", &found) == 0 && S_ISLNK(found.st_mode));
    return 0;
}

static int escape_by_new_symlink(void) {
    unlinkat(DATA, "mine", 0);
    CHECK(symlinkat("../secret", DATA, "mine") == 0);
    REFUSED(open("/data/mine", O_RDONLY));
    CHECK(unlinkat(DATA, "mine", 0) == 0);
    REFUSED(symlinkat("/etc/passwd", DATA, "mine"));
    return 0;
}

static int escape_by_names(void) {
    CHECK(put("/data/names", "x") == 0);
    REFUSED(renameat(DATA, "names", DATA, "../names"));
    REFUSED(linkat(DATA, "names", DATA, "../names", 0));
    REFUSED(unlinkat(DATA, "../secret", 0));
    REFUSED(mkdirat(DATA, "../new", 0777));
    struct stat found;
    REFUSED(fstatat(DATA, "../secret", &found, 0));
    CHECK(holds("/data/names", "x"));
    return 0;
}

static int elsewhere(void) {
    CHECK(open("/etc/passwd", O_RDONLY) == -1);
    CHECK(open("/proc/self/maps", O_RDONLY) == -1);
    CHECK(open("/dev/null", O_RDONLY) == -1);
    CHECK(open("passwd", O_RDONLY) == -1);
    return 0;
}

static int seeking(void) {
    CHECK(put("/data/seek", "0123456789") == 0);
    int fd = open("/data/seek", O_RDWR);
    CHECK(fd >= 0);
    CHECK(lseek(fd, 4, SEEK_SET) == 4 && lseek(fd, 2, SEEK_CUR) == 6 && lseek(fd, -1, SEEK_END) == 9);
    char byte;
    CHECK(read(fd, &byte, 1) == 1 && byte == '9' && read(fd, &byte, 1) == 0);
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK(lseek(fd, 20, SEEK_SET) == 20 && write(fd, "x", 1) == 1);
    struct stat found;
    CHECK(fstat(fd, &found) == 0 && found.st_size == 21);
    CHECK(lseek(fd, 15, SEEK_SET) == 15 && read(fd, &byte, 1) == 1 && byte == 0);
    return 0;
}

static int positioned(void) {
    CHECK(put("/data/positioned", "0123456789") == 0);
    int fd = open("/data/positioned", O_RDWR);
    char two[3] = {0};
    CHECK(fd >= 0 && pread(fd, two, 2, 5) == 2 && strcmp(two, "56") == 0);
    CHECK(pwrite(fd, "ab", 2, 1) == 2 && lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(pread(fd, two, 2, 100) == 0);
    CHECK(holds("/data/positioned", "0ab3456789"));
    return 0;
}

static int truncating(void) {
    CHECK(put("/data/truncate", "0123456789") == 0);
    int fd = open("/data/truncate", O_RDWR);
    struct stat found;
    CHECK(fd >= 0 && ftruncate(fd, 4) == 0 && fstat(fd, &found) == 0 && found.st_size == 4);
    CHECK(ftruncate(fd, 100) == 0 && fstat(fd, &found) == 0 && found.st_size == 100);
    char byte = 'x';
    CHECK(pread(fd, &byte, 1, 50) == 1 && byte == 0);
    return 0;
}

static int allocating(void) {
    CHECK(put("/data/allocate", "x") == 0);
    int fd = open("/data/allocate", O_RDWR);
    struct stat found;
    CHECK(fd >= 0 && (errno = posix_fallocate(fd, 0, 100)) == 0);
    CHECK(fstat(fd, &found) == 0 && found.st_size == 100);
    return 0;
}

static int status(void) {
    CHECK(put("/data/status", "four") == 0);
    struct stat found, again;
    CHECK(stat("/data/status", &found) == 0 && S_ISREG(found.st_mode) && found.st_size == 4 && found.st_nlink == 1);
    CHECK(found.st_mtim.tv_sec > 1577836800);
    unlink("/data/status-link");
    CHECK(link("/data/status", "/data/status-link") == 0 && stat("/data/status-link", &again) == 0);
    CHECK(again.st_ino == found.st_ino && again.st_dev == found.st_dev && again.st_nlink == 2);
    CHECK(stat("/data", &found) == 0 && S_ISDIR(found.st_mode) && found.st_ino != again.st_ino);
    return 0;
}

static int times(void) {
    CHECK(put("/data/times", "x") == 0);
    int fd = open("/data/times", O_RDWR);
    struct timespec both[2] = {{1000000000, 5000}, {1234567890, 7000}};
    struct stat found;
    CHECK(fd >= 0 && futimens(fd, both) == 0 && fstat(fd, &found) == 0);
    CHECK(found.st_atim.tv_sec == 1000000000 && found.st_mtim.tv_sec == 1234567890 && found.st_mtim.tv_nsec == 7000);
    struct timespec later[2] = {{0, UTIME_OMIT}, {1300000000, 0}};
    CHECK(utimensat(DATA, "times", later, 0) == 0 && stat("/data/times", &found) == 0);
    CHECK(found.st_atim.tv_sec == 1000000000 && found.st_mtim.tv_sec == 1300000000);
    return 0;
}

static int listing(void) {
    enum { FILES = 300 };
    CHECK(mkdir("/data/listing", 0777) == 0 || errno == EEXIST);
    for (int at = 0; at < FILES; at++) {
        char path[64];
        snprintf(path, sizeof path, "/data/listing/a-name-of-some-length-%d", at);
        CHECK(put(path, "") == 0);
    }
    DIR *dir = opendir("/data/listing");
    CHECK(dir);
    for (int round = 0; round < 2; round++) {
        bool seen[FILES] = {false};
        int files = 0, dots = 0;
        struct dirent *entry;
        while ((errno = 0, entry = readdir(dir))) {
            int at;
            if (sscanf(entry->d_name, "a-name-of-some-length-%d", &at) == 1) {
                CHECK(at >= 0 && at < FILES && !seen[at] && entry->d_type == DT_REG);
                seen[at] = true;
                files++;
            } else {
                CHECK(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
                dots++;
            }
        }
        CHECK(errno == 0 && files == FILES && dots == 2);
        rewinddir(dir);
    }
    CHECK(closedir(dir) == 0);
    return 0;
}

static int listing_goes_on(void) {
    CHECK(mkdir("/data/cookies", 0777) == 0 || errno == EEXIST);
    CHECK(put("/data/cookies/one", "") == 0 && put("/data/cookies/two", "") == 0);
    int fd = open("/data/cookies", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    // Room for one entry and a piece of the next: the rest is asked for by the cookie of the one that was whole.
    uint64_t cookie = 0;
    int count = 0;
    for (; count < 10; count++) {
        uint8_t room[40];
        __wasi_size_t used = 0;
        CHECK(__wasi_fd_readdir(fd, room, sizeof room, cookie, &used) == 0);
        if (used == 0) break;
        CHECK(used > sizeof(__wasi_dirent_t));
        __wasi_dirent_t entry;
        memcpy(&entry, room, sizeof entry);
        CHECK(entry.d_next != cookie);
        cookie = entry.d_next;
    }
    CHECK(count == 4);
    return 0;
}

static int directories(void) {
    CHECK(mkdir("/data/dir", 0777) == 0 || errno == EEXIST);
    FAILS(mkdir("/data/dir", 0777), EEXIST);
    CHECK(put("/data/dir/file", "x") == 0);
    FAILS(rmdir("/data/dir"), ENOTEMPTY);
    FAILS(rmdir("/data/dir/file"), ENOTDIR);
    CHECK(unlink("/data/dir") == -1 && (errno == EISDIR || errno == EPERM));
    CHECK(unlink("/data/dir/file") == 0 && rmdir("/data/dir") == 0);
    FAILS(rmdir("/data/dir"), ENOENT);
    return 0;
}

static int renaming(void) {
    CHECK(put("/data/from", "from") == 0 && put("/data/to", "to") == 0);
    CHECK(rename("/data/from", "/data/to") == 0 && holds("/data/to", "from"));
    FAILS(rename("/data/from", "/data/to"), ENOENT);
    CHECK(mkdir("/data/rename-dir", 0777) == 0 || errno == EEXIST);
    CHECK(rename("/data/to", "/data/rename-dir") == -1 && errno == EISDIR);
    CHECK(rename("/data/rename-dir", "/data/to") == -1 && errno == ENOTDIR);
    CHECK(rename("/data/rename-dir", "/data/renamed-dir") == 0 && rmdir("/data/renamed-dir") == 0);
    return 0;
}

static int symlinks(void) {
    CHECK(put("/data/target", "x") == 0);
    unlinkat(DATA, "link", 0), unlinkat(DATA, "loop", 0), unlinkat(DATA, "dangling", 0);
    CHECK(symlinkat("target", DATA, "link") == 0 && holds("/data/link", "x"));
    char found[16] = {0};
    CHECK(readlink("/data/link", found, sizeof found) == 6 && strcmp(found, "target") == 0);
    FAILS(open("/data/link", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK(symlinkat("loop", DATA, "loop") == 0);
    FAILS(open("/data/loop", O_RDONLY), ELOOP);
    CHECK(symlinkat("nowhere", DATA, "dangling") == 0);
    FAILS(open("/data/dangling", O_RDONLY), ENOENT);
    return 0;
}

static int readlink_short(void) {
    unlinkat(DATA, "short", 0);
    CHECK(symlinkat("long-target", DATA, "short") == 0);
    char found[5] = {0};
    CHECK(readlink("/data/short", found, 4) == 4 && strcmp(found, "long") == 0);
    return 0;
}

static int descriptors(void) {
    CHECK(put("/data/descriptors", "x") == 0);
    int fd = open("/data/descriptors", O_RDONLY);
    CHECK(fd >= 0 && close(fd) == 0);
    FAILS(close(fd), EBADF);
    char byte;
    FAILS(read(fd, &byte, 1), EBADF);
    FAILS(read(1000000, &byte, 1), EBADF);
    int again = open("/data/descriptors", O_RDONLY);
    CHECK(again == fd);
    FAILS(write(again, "x", 1), EBADF);
    return 0;
}

static int renumbering(void) {
    CHECK(put("/data/one", "1") == 0 && put("/data/two", "2") == 0);
    int one = open("/data/one", O_RDONLY), two = open("/data/two", O_RDONLY);
    char byte;
    CHECK(one >= 0 && two >= 0 && __wasi_fd_renumber(one, two) == 0);
    CHECK(read(two, &byte, 1) == 1 && byte == '1');
    FAILS(read(one, &byte, 1), EBADF);
    return 0;
}

static int descriptor_flags(void) {
    CHECK(put("/data/flags", "12") == 0);
    int fd = open("/data/flags", O_RDWR);
    CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & O_APPEND) == 0);
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND) != 0);
    CHECK(write(fd, "3", 1) == 1 && holds("/data/flags", "123"));
    return 0;
}

static int syncing(void) {
    CHECK(put("/data/sync", "x") == 0);
    int fd = open("/data/sync", O_RDWR);
    CHECK(fd >= 0 && fsync(fd) == 0 && fdatasync(fd) == 0);
    CHECK(__wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_SEQUENTIAL) == 0);
    return 0;
}

static int many_files(void) {
    CHECK(put("/data/many", "x") == 0);
    for (int at = 0; at < 100; at++) CHECK(open("/data/many", O_RDONLY) >= 0);
    return 0;
}

static int too_many_files(void) {
    CHECK(put("/data/too-many", "x") == 0);
    int last = 0;
    for (int at = 0; at < 100000 && last >= 0; at++) last = open("/data/too-many", O_RDONLY);
    CHECK(last == -1 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM));
    CHECK(close(10) == 0 && open("/data/too-many", O_RDONLY) >= 0);
    return 0;
}

static int sockets(void) {
    CHECK(put("/data/socket", "x") == 0);
    int fd = open("/data/socket", O_RDWR);
    __wasi_fd_t accepted;
    CHECK(fd >= 0 && __wasi_sock_accept(fd, 0, &accepted) != 0);
    CHECK(__wasi_sock_shutdown(fd, __WASI_SDFLAGS_RD) != 0);
    return 0;
}

const struct wasi_case file_cases[] = {
    {"preopens", "the granted directories in their order, and no others", preopens},
    {"preopen-short-name", "a buffer too short for a directory's name is refused", preopen_short_name},
    {"files", "create, write, read, append, truncate, and not create what exists", files},
    {"wrong-paths", "missing, not a directory, a directory, empty, too long: an error each", wrong_paths},
    {"trailing-slashes", "a slash after a directory is taken, after a file refused", trailing_slashes},
    {"interesting-paths", "dots and double slashes inside of a directory", interesting_paths},
    {"read-only", "a directory granted for reading can't be changed", read_only},
    {"read-only-truncate", "nor a file in it cut", read_only_truncate},
    {"escape-by-dots", "nothing above a granted directory by ..", escape_by_dots},
    {"escape-by-inner-directory", "nothing above a directory that was opened, though it is granted", escape_by_inner_directory},
    {"escape-by-symlink", "nothing outside by a link that was there", escape_by_symlink},
    {"escape-by-new-symlink", "nothing outside by a link of one's own; an absolute one can't be made", escape_by_new_symlink},
    {"escape-by-names", "nothing outside renamed, linked, removed, made or looked at", escape_by_names},
    {"elsewhere", "no path but those granted exists", elsewhere},
    {"seek", "seeking to places, behind the end, and not before the beginning", seeking},
    {"pread-pwrite", "reading and writing at a place does not move the descriptor", positioned},
    {"truncate", "cutting a file and making it longer with zeros", truncating},
    {"allocate", "room in a file ahead of writing", allocating},
    {"stat", "kind, size, links and identity of files", status},
    {"times", "times of a file that are set are read back", times},
    {"readdir", "300 entries, each once, and again after rewinding", listing},
    {"readdir-cookies", "a listing in small steps, each from where the last one ended", listing_goes_on},
    {"directories", "made and removed, not when full, not by the wrong call", directories},
    {"rename", "over a file; not a file over a directory, nor the other way", renaming},
    {"symlinks", "followed, read, not followed when asked; loops and dangling ones are told", symlinks},
    {"readlink-short", "a link's target is cut to a short buffer", readlink_short},
    {"descriptors", "what is closed is no descriptor; the lowest number is used again", descriptors},
    {"renumber", "a descriptor takes another one's number", renumbering},
    {"descriptor-flags", "appending is turned on for an open file", descriptor_flags},
    {"sync", "flushing to the disk, and advice", syncing},
    {"many-files", "100 open files", many_files},
    {"too-many-files", "opening without end is an error, and after a close it goes on", too_many_files},
    {"sockets", "a file is no socket", sockets},
};

const size_t file_case_count = sizeof file_cases / sizeof *file_cases;
