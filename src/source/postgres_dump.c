/*
 * One database into the sink.
 *
 * A transaction of ours exports its snapshot, and pg_dump reads in it. While it does, we count the rows of every table
 * in the very same snapshot: what a restore is held against later.
 */

#include "postgres_internal.h"
#include <errno.h>
#include <muniment/util/clock.h>
#include <muniment/util/interrupt.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INTERRUPT_INTERVAL = 250, LOCK_TIMEOUT = 600 };

enum postgres_outcome postgres_report_trouble(const struct postgres_dump *dump, const char *path, struct err *err) {
    struct err second = { 0 };

    if (err->code == ERR_INTERRUPTED)
        return POSTGRES_STOP;
    if (dump->sink->discard(dump->sink->context, &second) != 0) {
        *err = second;
        return POSTGRES_STOP;
    }
    dump->sink->trouble(dump->sink->context, path, err);
    return POSTGRES_TROUBLE;
}

/*
 * Counting, on a thread of its own: libpq waits for the server while the caller feeds the sink.
 */

struct counting {
    PGconn *conn;
    struct postgres_description *about;
    pthread_t thread;
    bool running;
    int result;
    struct err err;
};

static void *counting_run(void *context) {
    struct counting *counting = context;
    counting->result = postgres_count_rows(counting->conn, counting->about, &counting->err);
    return NULL;
}

static int counting_start(struct counting *counting, struct err *err) {
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&counting->thread, NULL, counting_run, counting);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        errno = failed;
        return err_sys(err, "start a thread");
    }
    counting->running = true;
    return 0;
}

/* Waits for the counts; an interrupt makes the server stop. */
static void counting_join(struct counting *counting, bool wanted) {
    char ignored[256];
    struct timespec until;

    if (!counting->running)
        return;
    PGcancel *cancel = PQgetCancel(counting->conn);
    for (;;) {
        if (cancel != NULL && (!wanted || interrupt_requested()))
            PQcancel(cancel, ignored, sizeof ignored);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += INTERRUPT_INTERVAL * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_timedjoin_np(counting->thread, NULL, &until) == 0)
            break;
    }
    PQfreeCancel(cancel);
    counting->running = false;
}

/*
 * The dump
 */

static char *export_snapshot(PGconn *conn, struct err *err) {
    if (postgres_execute(conn, err, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") != 0)
        return NULL;
    PGresult *rows = postgres_query(conn, err, "SELECT pg_export_snapshot()", NULL);
    if (rows == NULL)
        return NULL;
    char *snapshot = mem_string(PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return snapshot;
}

static int start_pg_dump(const struct postgres_dump *dump, const char *database, const char *snapshot,
                         struct process **process, struct err *err) {
    const struct strings *more = &dump->source->postgres.options;
    const int64_t timeout = dump->source->postgres.lock_timeout;
    char *address = postgres_address_for_child(dump->address, database);
    char *owned[] = { mem_format("--snapshot=%s", snapshot),
                      mem_format("--lock-wait-timeout=%lld000", (long long)(timeout > 0 ? timeout : LOCK_TIMEOUT)),
                      mem_format("--dbname=%s", address) };
    const char *fixed[] = { dump->tool->path, "--format=custom", "--compress=0", "--no-password", owned[0], owned[1] };
    enum { FIXED = sizeof fixed / sizeof fixed[0] };
    const char **arguments = mem_array(FIXED + more->count + 2, sizeof *arguments);
    size_t used = 0;

    for (; used < FIXED; used++)
        arguments[used] = fixed[used];
    for (size_t i = 0; i < more->count; i++)
        arguments[used++] = more->items[i];
    arguments[used] = owned[2];

    const struct process_options options = { .arguments = arguments,
                                             .environment = dump->address->environment,
                                             .pipe_output = true };
    const int result = process_start(&options, process, err);
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    free(address);
    free(arguments);
    return result;
}

/* Returns when pg_dump writes its first bytes, or ends. By then it holds its locks: no table can be dropped between its
 * listing and our count. */
static int await_output(const struct process *process, struct err *err) {
    struct pollfd wait = { .fd = process_output(process), .events = POLLIN };

    while (interrupt_check(err) == 0)
        if (poll(&wait, 1, INTERRUPT_INTERVAL) > 0)
            return 0;
    return -1;
}

struct task {
    const struct postgres_dump *dump;
    const struct postgres_database *database;
    PGconn *conn;
    struct process *process;
    struct counting counting;
    struct postgres_description about;
    int64_t started;
    uint64_t bytes;
    bool sink_failed;
};

/* Everything up to the last byte and pg_dump's exit status. */
static int run_pg_dump(struct task *task, struct err *err) {
    const struct postgres_dump *dump = task->dump;
    const bool with_unlogged = !dump->in_recovery;

    if (postgres_connect(dump->address, task->database->name, &task->conn, err) != 0)
        return -1;
    task->started = clock_now();
    char *snapshot = export_snapshot(task->conn, err);
    if (snapshot == NULL)
        return err_wrap(err, "export a snapshot");
    const int started = start_pg_dump(dump, task->database->name, snapshot, &task->process, err);
    free(snapshot);
    if (started != 0)
        return -1;

    /* pg_dump needs a while to read the catalogs: time to read what we want of them. */
    if (postgres_describe(task->conn, with_unlogged, &task->about, err) != 0 || await_output(task->process, err) != 0)
        return -1;
    task->about.rows_left_out = postgres_options_leave_out(dump->source);
    task->counting = (struct counting){ .conn = task->conn, .about = &task->about };
    if (dump->source->postgres.count_rows && counting_start(&task->counting, err) != 0)
        return -1;

    if (source_copy(dump->sink, process_output(task->process), &task->bytes, err) != 0) {
        task->sink_failed = err->code != ERR_SOURCE;
        return -1;
    }
    return process_wait(task->process, NULL, err);
}

static int end_dump(const struct task *task, struct err *err) {
    char *path = mem_format("%s.dump", task->database->path);
    const struct entry entry = source_stream(path, task->started, task->bytes);
    const int result = task->dump->sink->end(task->dump->sink->context, &entry, err);

    free(path);
    return result;
}

static int put_description(const struct task *task, struct err *err) {
    struct buffer text = { 0 };
    char *path = mem_format("%s.json", task->database->path);

    postgres_description_encode(&task->about, &text);
    const struct entry entry = source_stream(path, task->started, text.length);
    const int result = source_put(task->dump->sink, &entry, text.data, text.length, err);
    buffer_release(&text);
    free(path);
    return result;
}

static void report_unit(const struct task *task) {
    const struct postgres_dump *dump = task->dump;
    bool known = task->about.rows_known;
    uint64_t rows = 0;

    for (size_t i = 0; i < task->about.table_count; i++) {
        known = known && task->about.tables[i].counted;
        rows += task->about.tables[i].rows;
    }
    dump->sink->unit(dump->sink->context, task->database->name, task->bytes, known, rows);
    log_detail(dump->log, "source '%s': database '%s': %llu bytes, %llu rows in %zu tables", dump->source->name,
               task->database->name, (unsigned long long)task->bytes, (unsigned long long)rows,
               task->about.table_count);
}

/* Ends both entries. The dump is whole here; only the counts may have failed. */
static enum postgres_outcome finish(struct task *task, struct err *err) {
    enum postgres_outcome outcome = POSTGRES_WHOLE;

    if (end_dump(task, err) != 0)
        return POSTGRES_STOP;
    counting_join(&task->counting, true);
    if (interrupt_check(err) != 0)
        return POSTGRES_STOP;
    if (task->counting.result != 0) {
        char *path = mem_format("%s.json", task->database->path);
        *err = task->counting.err;
        err_wrap(err, "database '%s'", task->database->name);
        outcome = postgres_report_trouble(task->dump, path, err);
        free(path);
    }
    if (outcome == POSTGRES_STOP || put_description(task, err) != 0)
        return POSTGRES_STOP;
    if (outcome == POSTGRES_WHOLE)
        report_unit(task);
    return outcome;
}

enum postgres_outcome postgres_dump_database(const struct postgres_dump *dump, const struct postgres_database *database,
                                             struct err *err) {
    struct task task = { .dump = dump, .database = database };
    enum postgres_outcome outcome;

    if (run_pg_dump(&task, err) == 0) {
        outcome = finish(&task, err);
    } else if (task.sink_failed) {
        outcome = POSTGRES_STOP;
    } else {
        char *path = mem_format("%s.dump", database->path);
        err_wrap(err, "database '%s'", database->name);
        outcome = postgres_report_trouble(dump, path, err);
        free(path);
    }

    /* pg_dump first: it reads in the snapshot that our connection holds. */
    process_free(task.process);
    counting_join(&task.counting, false);
    PQfinish(task.conn);
    postgres_description_release(&task.about);
    return outcome;
}
