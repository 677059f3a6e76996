#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <muniment/util/buffer.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ERRORS_KEPT = 8192,      /* bytes of standard error */
    ERRORS_SHOWN = 700,      /* of them, in a message */
    OUTPUT_PIPE = 1 << 20,   /* the reader may fall behind by this much before the child stalls */
    LOOK_INTERVAL = 20,      /* ms between looks at a child, at most */
    INTERRUPT_INTERVAL = 250 /* ms; a signal may be delivered to another thread than the one that waits */
};

static const double TERMINATION_GRACE = 5.0; /* seconds between SIGTERM and SIGKILL */

/* The last ERRORS_KEPT bytes of standard error, filled by a thread of its own. */
struct error_ring {
    pthread_t thread;
    pthread_mutex_t mutex;
    int fd;          /* the child's standard error, not blocking */
    int stop;        /* eventfd: the child has ended, take what is there and finish */
    uint64_t length; /* bytes ever seen */
    char bytes[ERRORS_KEPT];
    char text[ERRORS_KEPT + 1]; /* the same in order, for process_errors() */
};

struct process {
    char *name; /* last component of the program, for messages */
    pid_t pid;
    int input;
    int output;
    bool reaped;
    siginfo_t end;
    struct error_ring errors;
};

static void close_descriptor(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/*
 * Standard error
 */

static void ring_add(struct error_ring *ring, const char *data, size_t length) {
    pthread_mutex_lock(&ring->mutex);
    for (size_t i = 0; i < length; i++)
        ring->bytes[(ring->length + i) % ERRORS_KEPT] = data[i];
    ring->length += length;
    pthread_mutex_unlock(&ring->mutex);
}

static void *ring_run(void *context) {
    struct error_ring *ring = context;
    struct pollfd wait[2] = { { .fd = ring->fd, .events = POLLIN }, { .fd = ring->stop, .events = POLLIN } };
    char data[4096];

    for (;;) {
        const ssize_t got = read(ring->fd, data, sizeof data);
        if (got > 0) {
            ring_add(ring, data, (size_t)got);
            continue;
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            break;

        /* Nothing there. Once the child has ended nothing more need be waited for: a process that it left behind may
         * hold the pipe open for ever. */
        if (wait[1].revents != 0)
            break;
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            break;
    }
    return NULL;
}

static int ring_start(struct error_ring *ring, int fd, struct err *err) {
    sigset_t all, before;

    ring->fd = fd;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        return err_sys(err, "prepare the pipe for standard error");
    ring->stop = eventfd(0, EFD_CLOEXEC);
    if (ring->stop < 0)
        return err_sys(err, "create an eventfd");

    /* Signals are for the threads that look at the interrupt flag. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&ring->thread, NULL, ring_run, ring);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        close_descriptor(&ring->stop);
        errno = failed;
        return err_sys(err, "start a thread");
    }
    return 0;
}

static void ring_finish(struct error_ring *ring) {
    if (ring->stop < 0)
        return;
    eventfd_write(ring->stop, 1);
    pthread_join(ring->thread, NULL);
    close_descriptor(&ring->stop);
    close_descriptor(&ring->fd);
}

static const char *ring_text(struct error_ring *ring) {
    pthread_mutex_lock(&ring->mutex);
    const uint64_t first = ring->length > ERRORS_KEPT ? ring->length - ERRORS_KEPT : 0;
    const size_t length = (size_t)(ring->length - first);
    for (size_t i = 0; i < length; i++) {
        /* It is shown on terminals: control characters stay out. */
        const char byte = ring->bytes[(first + i) % ERRORS_KEPT];
        const bool printable = ((unsigned char)byte >= 0x20 && byte != 0x7f) || byte == '\n' || byte == '\t';
        ring->text[i] = printable ? byte : '?';
    }
    ring->text[length] = '\0';
    pthread_mutex_unlock(&ring->mutex);
    return ring->text;
}

/*
 * Starting
 */

/* Where the child stood when it could not go on. */
enum start_stage { STAGE_DESCRIPTORS, STAGE_FOLDER, STAGE_EXEC };

struct start_failure {
    enum start_stage stage;
    int sys;
};

static bool names_same_variable(const char *setting, const char *other) {
    const size_t length = strcspn(setting, "=");
    return strncmp(setting, other, length) == 0 && (other[length] == '=' || other[length] == '\0');
}

/* Our environment with the changes applied. The strings are borrowed; the array is the caller's to free. */
static const char **merge_environment(const char *const *changes) {
    size_t count = 0, change_count = 0, used = 0;

    while (environ != NULL && environ[count] != NULL)
        count++;
    while (changes != NULL && changes[change_count] != NULL)
        change_count++;

    const char **merged = mem_array(count + change_count + 1, sizeof *merged);
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        for (size_t j = 0; j < change_count && !replaced; j++)
            replaced = names_same_variable(changes[j], environ[i]);
        if (!replaced)
            merged[used++] = environ[i];
    }
    for (size_t j = 0; j < change_count; j++)
        if (strchr(changes[j], '=') != NULL)
            merged[used++] = changes[j];
    return merged;
}

static _Noreturn void child_fail(int report, enum start_stage stage) {
    const struct start_failure failure = { .stage = stage, .sys = errno };
    const ssize_t ignored = write(report, &failure, sizeof failure);
    (void)ignored; /* the parent then sees an end without a report, and waits for our status */
    _exit(127);
}

/* Between fork and exec: only async-signal-safe calls, other threads may have held any lock. */
static _Noreturn void child_run(const struct process_options *options, const char *const *environment, pid_t parent,
                                const int standard[3], int report) {
    int from[3];
    sigset_t none;

    /* Its own group, so that a Ctrl-C at the terminal reaches only us and we end it in our own order. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);

    /* Out of the way of 0..2 first: our own descriptors may be among them when we were started without. */
    report = fcntl(report, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < 3; i++)
        if ((from[i] = fcntl(standard[i], F_DUPFD_CLOEXEC, 3)) < 0)
            child_fail(report, STAGE_DESCRIPTORS);
    for (int i = 0; i < 3; i++)
        if (dup2(from[i], i) < 0)
            child_fail(report, STAGE_DESCRIPTORS);
    if (close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) != 0)
        child_fail(report, STAGE_DESCRIPTORS);

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    if (options->folder != NULL && chdir(options->folder) != 0)
        child_fail(report, STAGE_FOLDER);
    execvpe(options->arguments[0], (char *const *)(uintptr_t)options->arguments, (char *const *)(uintptr_t)environment);
    child_fail(report, STAGE_EXEC);
}

static pid_t fork_child(const struct process_options *options, const int standard[3], int report) {
    sigset_t all, before;
    const char **environment = merge_environment(options->environment);
    const pid_t parent = getpid();

    /* Blocked until the child has its default dispositions: our handlers must not run in it. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid == 0)
        child_run(options, environment, parent, standard, report);
    const int failed = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(environment);
    errno = failed;
    return pid;
}

/* Reads the child's report: nothing when its exec succeeded and closed the pipe. */
static int await_exec(const struct process_options *options, pid_t pid, int report, struct err *err) {
    struct start_failure failure;
    ssize_t got;

    do
        got = read(report, &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return 0;

    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (got != (ssize_t)sizeof failure)
        return err_set(err, ERR_SYSTEM, "start '%s': it ended before it could report", options->arguments[0]);
    errno = failure.sys;
    switch (failure.stage) {
    case STAGE_FOLDER:
        return err_sys(err, "start '%s' in folder '%s'", options->arguments[0], options->folder);
    case STAGE_DESCRIPTORS:
        return err_sys(err, "start '%s': arrange its descriptors", options->arguments[0]);
    case STAGE_EXEC:
        break;
    }
    return err_sys(err, "start '%s'", options->arguments[0]);
}

static int open_pipe(int ends[2], struct err *err) {
    return pipe2(ends, O_CLOEXEC) == 0 ? 0 : err_sys(err, "create a pipe");
}

static const char *last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int process_start(const struct process_options *options, struct process **process, struct err *err) {
    int input[2] = { -1, -1 }, output[2] = { -1, -1 }, errors[2] = { -1, -1 }, report[2] = { -1, -1 };
    int nothing = -1, result = -1;
    struct process *new = mem_zalloc(sizeof *new);

    new->name = mem_string(last_component(options->arguments[0]));
    new->input = new->output = new->errors.stop = new->errors.fd = -1;
    new->reaped = true; /* until there is a child */
    pthread_mutex_init(&new->errors.mutex, NULL);

    nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0) {
        err_sys(err, "open '/dev/null'");
        goto out;
    }
    if (open_pipe(errors, err) != 0 || open_pipe(report, err) != 0)
        goto out;
    if ((options->pipe_input && open_pipe(input, err) != 0) || (options->pipe_output && open_pipe(output, err) != 0))
        goto out;

    /* A narrower pipe is only slower: the system's limit for users may be below 1 MiB. */
    if (options->pipe_output)
        fcntl(output[1], F_SETPIPE_SZ, OUTPUT_PIPE);
    if (options->pipe_input)
        fcntl(input[1], F_SETPIPE_SZ, OUTPUT_PIPE);

    const int standard[3] = { options->pipe_input ? input[0] : nothing, options->pipe_output ? output[1] : nothing,
                              errors[1] };
    new->pid = fork_child(options, standard, report[1]);
    if (new->pid < 0) {
        err_sys(err, "fork for '%s'", options->arguments[0]);
        goto out;
    }
    close_descriptor(&report[1]);
    close_descriptor(&errors[1]);
    close_descriptor(&input[0]);
    close_descriptor(&output[1]);
    if (await_exec(options, new->pid, report[0], err) != 0)
        goto out;
    new->reaped = false;

    /* From here on the child runs, and process_free() ends it. */
    if (ring_start(&new->errors, errors[0], err) != 0)
        goto out;
    errors[0] = -1;
    new->input = input[1];
    new->output = output[0];
    input[1] = output[0] = -1;
    *process = new;
    new = NULL;
    result = 0;

out:
    for (int i = 0; i < 2; i++) {
        close_descriptor(&input[i]);
        close_descriptor(&output[i]);
        close_descriptor(&errors[i]);
        close_descriptor(&report[i]);
    }
    close_descriptor(&nothing);
    process_free(new);
    return result;
}

int process_output(const struct process *process) {
    return process->output;
}

int process_input(const struct process *process) {
    return process->input;
}

void process_close_input(struct process *process) {
    close_descriptor(&process->input);
}

long process_id(const struct process *process) {
    return process->pid;
}

const char *process_errors(struct process *process) {
    return ring_text(&process->errors);
}

/*
 * Ending
 */

/* True when the child has ended within `milliseconds`. We look ever less often: the usual wait is for a child that has
 * closed its output and ends at once. */
static bool await_end(const struct process *process, int milliseconds) {
    for (int waited = 0, pause = 1;; waited += pause, pause += pause < LOOK_INTERVAL) {
        siginfo_t end = { 0 };
        if (waitid(P_PID, (id_t)process->pid, &end, WEXITED | WNOHANG | WNOWAIT) != 0 || end.si_pid != 0)
            return true;
        if (waited >= milliseconds)
            return false;
        poll(NULL, 0, pause);
    }
}

/* The child has ended: takes its status, and ends what it left behind in its group. */
static void reap(struct process *process) {
    /* The group is killed before the child is reaped: until then nobody else can get its number. */
    while (waitid(P_PID, (id_t)process->pid, &process->end, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    kill(-process->pid, SIGKILL);
    while (waitid(P_PID, (id_t)process->pid, &process->end, WEXITED) != 0 && errno == EINTR)
        continue;
    process->reaped = true;
    ring_finish(&process->errors);
}

static void terminate(struct process *process) {
    /* A stopped child would never see the SIGTERM. */
    kill(-process->pid, SIGTERM);
    kill(-process->pid, SIGCONT);
    const double until = clock_monotonic() + TERMINATION_GRACE;
    while (!await_end(process, INTERRUPT_INTERVAL))
        if (clock_monotonic() > until)
            break;
    kill(-process->pid, SIGKILL);
    reap(process);
}

/* The last whole lines of standard error, joined into one. */
static void describe_errors(struct process *process, char *to, size_t size) {
    const char *text = process_errors(process);
    size_t length = strlen(text), used = 0;

    while (length > 0 && text[length - 1] == '\n')
        length--;
    size_t first = length > ERRORS_SHOWN ? length - ERRORS_SHOWN : 0;
    const char *line = first > 0 ? memchr(text + first, '\n', length - first) : NULL;
    if (line != NULL)
        first = (size_t)(line - text) + 1;

    for (size_t i = first; i < length && used + 3 < size; i++) {
        if (text[i] == '\n')
            to[used++] = ';';
        to[used++] = text[i] == '\n' ? ' ' : text[i];
    }
    to[used] = '\0';
}

static int describe_failure(struct process *process, struct err *err) {
    char errors[2 * ERRORS_SHOWN];
    const int value = process->end.si_status;

    if (process->end.si_code == CLD_EXITED && value == 0)
        return 0;
    describe_errors(process, errors, sizeof errors);
    const char *separator = errors[0] != '\0' ? ": " : "";
    if (process->end.si_code == CLD_EXITED)
        return err_set(err, ERR_SOURCE, "%s failed with status %d%s%s", process->name, value, separator, errors);
    const char *name = sigabbrev_np(value);
    return err_set(err, ERR_SOURCE, "%s was killed by SIG%s%s%s", process->name, name != NULL ? name : "?", separator,
                   errors);
}

int process_wait(struct process *process, int *status, struct err *err) {
    close_descriptor(&process->input);
    close_descriptor(&process->output);
    while (!process->reaped && !await_end(process, INTERRUPT_INTERVAL))
        if (interrupt_requested())
            terminate(process);
    if (!process->reaped)
        reap(process);

    if (status != NULL)
        *status = process->end.si_code == CLD_EXITED ? process->end.si_status : 128 + process->end.si_status;
    if (interrupt_check(err) != 0)
        return err_wrap(err, "run %s", process->name);
    return describe_failure(process, err);
}

void process_free(struct process *process) {
    if (process == NULL)
        return;
    close_descriptor(&process->input);
    close_descriptor(&process->output);
    if (!process->reaped)
        terminate(process);
    pthread_mutex_destroy(&process->errors.mutex);
    free(process->name);
    free(process);
}

/* Reads until the end of the output, or until it is more than `max`. */
static int read_output(struct process *process, size_t max, struct buffer *out, struct err *err) {
    enum { ROOM = 16384 };
    size_t total = 0;
    struct pollfd wait = { .fd = process->output, .events = POLLIN };

    for (;;) {
        if (interrupt_check(err) != 0)
            return -1;
        if (poll(&wait, 1, INTERRUPT_INTERVAL) <= 0)
            continue;

        const ssize_t got = read(process->output, buffer_reserve(out, ROOM), ROOM);
        if (got == 0)
            return 0;
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return err_sys(err, "read the output of %s", process->name);
        }
        out->length += (size_t)got;
        total += (size_t)got;
        if (total > max)
            return err_set(err, ERR_SOURCE, "%s wrote more than %zu bytes", process->name, max);
    }
}

int process_capture(const struct process_options *options, size_t max, struct buffer *out, struct err *err) {
    struct process *process = NULL;
    struct process_options with_output = *options;
    const size_t before = out->length;
    int result = -1;

    with_output.pipe_output = true;
    if (process_start(&with_output, &process, err) != 0)
        return -1;
    if (read_output(process, max, out, err) == 0 && process_wait(process, NULL, err) == 0)
        result = 0;
    if (result != 0)
        out->length = before;
    process_free(process);
    return result;
}
