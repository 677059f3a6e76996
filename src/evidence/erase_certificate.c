#include <muniment/evidence/erase.h>
#include <muniment/util/clock.h>
#include <muniment/util/form.h>
#include <muniment/util/json.h>
#include <muniment/util/text.h>
#include <stdlib.h>

enum { ERASURE_SCHEMA = 1 };

static const char NOT_COVERED[] =
    "Copies of the read key outside these places - key files, printed sheets - cannot be seen from here. They must be "
    "destroyed by whoever holds them; so must copies of the stores that others made.";

static const char *until_text(char text[CLOCK_TEXT], int64_t until) {
    return until == INT64_MAX ? "no date" : until == 0 ? "unknown" : clock_format(text, until);
}

static void put_escaped(struct buffer *out, const char *before, const char *text) {
    char *shown = text_escape(text, "", "");
    buffer_printf(out, "%s%s\n", before, shown);
    free(shown);
}

static void text_place(const struct report_place *place, const struct erase_place *found, const char *left,
                       struct buffer *out) {
    char bytes[FORM_TEXT], until[CLOCK_TEXT];
    buffer_printf(out, "\n%s\n", place->name);
    put_escaped(out, "  address          ", place->address);
    if (found->why)
        put_escaped(out, "  NOT FINISHED     ", found->why);
    if (!found->reached)
        return;
    buffer_printf(out, "  wrapped keys     %llu destroyed, confirmed by a new listing\n",
                  (unsigned long long)found->keys);
    buffer_printf(out, "  destroyed        %llu objects, %llu versions\n", (unsigned long long)found->objects,
                  (unsigned long long)found->versions);
    if (found->remaining > 0)
        buffer_printf(out, "  REMAINS          %llu objects (%s), locked until %s\n",
                      (unsigned long long)found->remaining, form_bytes(bytes, found->remaining_bytes),
                      until_text(until, found->remaining_until));
    else if (!found->why)
        buffer_printf(out, "  found afterwards %s\n", left);
}

static void text_certificate(const struct report_request *request, const struct erase_result *result,
                             struct buffer *out) {
    const char *left = result->journal_gone ? "nothing" : "nothing but the journal";
    char when[CLOCK_TEXT], host[17];
    buffer_printf(out, "CERTIFICATE OF ERASURE\n\n");
    put_escaped(out, "set              ", request->set);
    buffer_printf(out, "set id           %s\n", request->repo->keys->set_name);
    buffer_printf(out, "signed by host   %s\n", keys_host_name(request->repo->keys, host));
    buffer_printf(out, "begun            %s\n", clock_format(when, result->begun));
    buffer_printf(out, "ended            %s\n", clock_format(when, result->ended));
    buffer_printf(out, "outcome          %s\n",
                  !result->whole         ? "NOT WHOLE: see the places below"
                  : result->journal_gone ? "whole: nothing is left"
                                         : "whole: nothing is left but the journal");
    buffer_printf(out, "read key         fingerprint %s\n", result->key);
    for (size_t i = 0; i < result->key_id_count; i++)
        put_escaped(out, i == 0 ? "wrapped copies   " : "                 ", result->key_ids[i]);
    for (size_t i = 0; i < result->place_count; i++)
        text_place(&request->places[i], &result->places[i], left, out);
    buffer_printf(out, "\n%s\n", NOT_COVERED);
}

static void json_place(struct json_writer *json, const struct report_place *place, const struct erase_place *found) {
    json_write_open(json, NULL, '{');
    json_write_text(json, "name", place->name);
    json_write_text(json, "address", place->address);
    json_write_flag(json, "reached", found->reached);
    json_write_text(json, "why", found->why);
    json_write_count(json, "keys", found->keys);
    json_write_count(json, "objects", found->objects);
    json_write_count(json, "versions", found->versions);
    json_write_count(json, "remaining", found->remaining);
    json_write_count(json, "remaining_bytes", found->remaining_bytes);
    json_write_time(json, "remaining_until", found->remaining_until == INT64_MAX ? 0 : found->remaining_until);
    json_write_close(json, '}');
}

static void json_certificate(const struct report_request *request, const struct erase_result *result,
                             struct buffer *out) {
    struct json_writer json = { .out = out };
    char host[17];
    json_write_open(&json, NULL, '{');
    json_write_text(&json, "type", "certificate_of_erasure");
    json_write_number(&json, "schema", ERASURE_SCHEMA);
    json_write_text(&json, "set", request->set);
    json_write_text(&json, "set_id", request->repo->keys->set_name);
    json_write_text(&json, "host", keys_host_name(request->repo->keys, host));
    json_write_time(&json, "begun", result->begun);
    json_write_time(&json, "ended", result->ended);
    json_write_flag(&json, "whole", result->whole);
    json_write_text(&json, "read_key_fingerprint", result->key);
    json_write_open(&json, "wrapped_copies", '[');
    for (size_t i = 0; i < result->key_id_count; i++)
        json_write_text(&json, NULL, result->key_ids[i]);
    json_write_close(&json, ']');
    json_write_open(&json, "places", '[');
    for (size_t i = 0; i < result->place_count; i++)
        json_place(&json, &request->places[i], &result->places[i]);
    json_write_close(&json, ']');
    json_write_text(&json, "not_covered", NOT_COVERED);
    json_write_close(&json, '}');
    buffer_printf(out, "\n");
}

void erase_certificate(const struct report_request *request, const struct erase_result *result,
                       enum report_format format, struct buffer *out) {
    if (format == REPORT_JSON)
        json_certificate(request, result, out);
    else
        text_certificate(request, result, out);
}
