/* Preloaded: interrupts a program before one of its calls that change files. The environment says which:
 *   KILL_AT=N    kills the program before its N-th call
 *   CHANGE_AT=N  first runs the shell command in CHANGE
 *   TRACE=FILE   writes the names of the calls to this file, which exists
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
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

static void before_call(const char *function)
{
	static int calls;
	const char *command = getenv("CHANGE");

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

#define NEXT(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

#define INTERRUPT(result, function, parameters, arguments) \
	result function parameters                         \
	{                                                  \
		before_call(#function);                    \
		return NEXT(function) arguments;           \
	}

INTERRUPT(ssize_t, write, (int fd, const void *buffer, size_t length), (fd, buffer, length))
INTERRUPT(int, fsync, (int fd), (fd))
INTERRUPT(int, fchmod, (int fd, mode_t mode), (fd, mode))
INTERRUPT(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
INTERRUPT(int, linkat, (int old_dir, const char *old, int new_dir, const char *new, int flags),
	  (old_dir, old, new_dir, new, flags))
INTERRUPT(int, unlink, (const char *path), (path))
int rename(const char *old, const char *new);
INTERRUPT(int, rename, (const char *old, const char *new), (old, new))

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list arguments;
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
		before_call("open64");
	}
	return NEXT(open64)(path, flags, mode);
}
