/*
 * The pieces of the files source.
 *
 *   files.c           the source: which paths, in which order, what is reported
 *   files_walk.c      folders: listing, sorting, descending
 *   files_entry.c     one name: what it is, and whether it changed
 *   files_read.c      the content of one file
 *   files_metadata.c  owners' names and extended attributes
 *   files_links.c     which inodes were met before
 *
 * Nothing is ever reached by a path from the root again: every name is looked up in the open folder that it was listed
 * in, and no symbolic link is followed. So what is renamed or replaced meanwhile leads nowhere else.
 */
#ifndef MUNIMENT_SOURCE_FILES_INTERNAL_H
#define MUNIMENT_SOURCE_FILES_INTERNAL_H

#include <muniment/source/source.h>
#include <sys/stat.h>

/* Inodes with several names, and the path at which each was captured first. */
struct link_table {
    struct link_slot {
        uint64_t device, inode;
        char *path; /* NULL: a free slot */
    } * slots;
    size_t count, capacity;
};

const char *link_table_find(const struct link_table *table, uint64_t device, uint64_t inode); /* path or NULL */
void link_table_add(struct link_table *table, uint64_t device, uint64_t inode, const char *path);
void link_table_release(struct link_table *table);

/* Names of users and groups, each asked for once. */
struct owner_names {
    struct owner_name {
        uint32_t id;
        bool asked;
        char *name; /* NULL: it has none */
    } * slots;
    size_t count, capacity;
};

/* Borrowed until release, or NULL. */
char *owner_names_user(struct owner_names *names, uint32_t uid);
char *owner_names_group(struct owner_names *names, uint32_t gid);
void owner_names_release(struct owner_names *names);

/* A configured path, resolved. */
struct files_root {
    char *path;         /* as in the tree: no leading '/'; "" is the root folder */
    const char *shown;  /* as configured; NULL for a link that led to another root */
    uint64_t bytes;     /* of content captured below it */
    bool seen, trouble; /* met by the walk; something of it could not be read */
};

/* A folder under way. `first_root` and `end_root` span the configured paths at or below it. */
struct level {
    int fd; /* -1: closed for now, to stay within the limit of open files; or the folder could not be opened */
    struct stat status;
    size_t path_length;
    struct buffer name_bytes;
    const char **names; /* into name_bytes, sorted */
    size_t name_count, name_capacity, next;
    size_t first_root, end_root;
    struct files_root *root; /* the configured path that holds it; NULL: it only leads to one */
};

struct walk {
    const struct source *source;
    struct source_sink *sink;
    struct log *log;

    struct files_root *roots; /* in tree order */
    size_t root_count;

    struct buffer path;    /* of the entry under way, always terminated */
    struct level **levels; /* those below `depth` are in use, the others keep their memory for the next folder */
    size_t depth, level_capacity;

    struct owner_names users, groups;
    struct link_table links;
    uint32_t euid;
    uint8_t *list;  /* ATTRIBUTE_MAX bytes: a folder's entries, names of attributes, a link's target */
    uint8_t *value; /* ATTRIBUTE_MAX bytes: an attribute */
    uint64_t entry_count, unchanged_count;
};

enum { ATTRIBUTE_MAX = 65536 }; /* the kernel's own limit for an attribute's value and for the list of names */

/* What became of a name. Trouble has been reported where there was any. */
enum outcome {
    OUTCOME_FAILED = -1,  /* the sink failed, or we were interrupted: stop */
    OUTCOME_DONE = 0,     /* captured, or left out with a reason given */
    OUTCOME_AGAIN = 1,    /* it is not any more what it was: look again */
    OUTCOME_VANISHED = 2, /* it is gone: nothing to report */
};

/* Walks everything; -1 when the sink failed. */
int walk_run(struct walk *walk, struct err *err) MUST_CHECK;

/* Reports trouble with the entry under way. `why` may be one that errno explains. */
void walk_trouble(struct walk *walk, struct files_root *root, const struct err *why);
void walk_trouble_errno(struct walk *walk, struct files_root *root, const char *tried);

/* Captures the name that walk->path ends with, of the folder `fd`. Not for folders. */
enum outcome capture_name(struct walk *walk, struct files_root *root, int fd, const char *name,
                          const struct stat *status, struct err *err) MUST_CHECK;

/* Fills what stat tells. Strings are borrowed from the walk. */
void describe(struct walk *walk, const struct stat *status, struct entry *entry);

/* Adds the extended attributes, ACLs among them. 0, or -1 with errno when some could not be read. */
int read_attributes(struct walk *walk, int fd, struct entry *entry) MUST_CHECK;
int read_attributes_at(struct walk *walk, const char *path, struct entry *entry) MUST_CHECK;

/* Frees what an entry of ours owns: the attributes and ranges. */
void forget_entry(struct entry *entry);

/* Reads the content of a regular file of that status into the sink, and sets the size and the ranges. OUTCOME_DONE also
 * when it ended early or went on: the caller compares the status again. `readable` is false, with errno, when the file
 * itself could not be read. */
enum outcome read_content(struct walk *walk, int fd, const struct stat *status, struct entry *entry, uint64_t *bytes,
                          bool *readable, struct err *err) MUST_CHECK;

/* Opens without following links, without waiting, and without touching the access time where that is allowed. */
int open_quietly(const struct walk *walk, int fd, const char *name, int flags, uint32_t owner) MUST_CHECK;

#endif
