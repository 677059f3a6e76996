/* Numbers as people read them; each writes into `text` and returns it. */
#ifndef MUNIMENT_UTIL_FORM_H
#define MUNIMENT_UTIL_FORM_H

#include <stdint.h>

enum { FORM_TEXT = 64 };
char *form_bytes(char text[FORM_TEXT], uint64_t bytes);                  /* "735 MB", "1.2 GB" */
char *form_count(char text[FORM_TEXT], uint64_t count, const char *one); /* "1 pack", "3 entries" */
char *form_ago(char text[FORM_TEXT], int64_t when, int64_t now);
char *form_when(char text[FORM_TEXT], int64_t when, int64_t now); /* "2026-03-01T02:00:00Z (5 h ago)" */
char *form_seconds(char text[FORM_TEXT], double seconds);         /* "0.3 s", "2 min 10 s" */
char *form_speed(char text[FORM_TEXT], uint64_t bytes, double seconds);

#endif
