/* Preloaded: interrupts a program before one of its calls that change files. The environment says which:
 *   KILL_AT=N    kills the program before its N-th call
 *   CHANGE_AT=N  first runs the shell command in CHANGE
 *   TRACE=FILE   writes the names of the calls to this file, which exists
 *   KILL_CHANGE_AT=N, RAISE_CHANGE_AT=N
 *                kills the program, or sends it SIGTERM, before its N-th call that changes a file: neither fsync() nor the
 *                output count
 *   ONLY=NAME    all this in the program of this name only
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int is_at(const char *variable, int call)
{
	const char *number = getenv(variable);
	return number != NULL && atoi(number) == call;
}

static void trace(const char *function)
{
	const char *path = getenv("TRACE");
	FILE *file = path != NULL ? fopen(path, "a") : NULL;

	if (file != NULL) {
		/* Not through write(), which is among the functions below. */
		fprintf(file, "%s\n", function);
		fclose(file);
	}
}

static int is_chosen(void)
{
	const char *only = getenv("ONLY");

	return only == NULL || strcmp(only, program_invocation_short_name) == 0;
}

static void before_call(const char *function)
{
	static int calls;
	const char *command = getenv("CHANGE");

	if (!is_chosen())
		return;
	calls++;
	trace(function);
	if (is_at("KILL_AT", calls))
		kill(getpid(), SIGKILL);
	if (is_at("CHANGE_AT", calls) && command != NULL) {
		unsetenv("LD_PRELOAD");
		if (system(command) != 0)
			abort();
	}
}

static void before_change(const char *function)
{
	static int changes;

	before_call(function);
	if (!is_chosen())
		return;
	changes++;
	if (is_at("KILL_CHANGE_AT", changes))
		kill(getpid(), SIGKILL);
	if (is_at("RAISE_CHANGE_AT", changes))
		kill(getpid(), SIGTERM);
}

#define NEXT(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

#define INTERRUPT(before, result, function, parameters, arguments) \
	result function parameters                                 \
	{                                                          \
		before(#function);                                 \
		return NEXT(function) arguments;                   \
	}

ssize_t write(int fd, const void *buffer, size_t length)
{
	if (fd <= STDERR_FILENO)
		before_call("write");
	else
		before_change("write");
	return NEXT(write)(fd, buffer, length);
}

INTERRUPT(before_call, int, fsync, (int fd), (fd))
INTERRUPT(before_change, int, fchmod, (int fd, mode_t mode), (fd, mode))
INTERRUPT(before_change, int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
INTERRUPT(before_change, int, linkat, (int old_dir, const char *old, int new_dir, const char *new, int flags),
	  (old_dir, old, new_dir, new, flags))
INTERRUPT(before_change, int, symlink, (const char *target, const char *path), (target, path))
INTERRUPT(before_change, int, mkdir, (const char *path, mode_t mode), (path, mode))
INTERRUPT(before_change, int, rmdir, (const char *path), (path))
INTERRUPT(before_change, int, unlink, (const char *path), (path))
INTERRUPT(before_change, int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
INTERRUPT(before_change, int, rename, (const char *old, const char *new), (old, new))

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list arguments;
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
		before_change("open64");
	}
	return NEXT(open64)(path, flags, mode);
}
