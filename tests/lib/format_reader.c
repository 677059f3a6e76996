#include "format_reader.h"
#include "format_bytes.h"
#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* --- the repository ----------------------------------------------------------------------------------------------- */

struct slot {
    unsigned char birth[16], id[16];
    uint32_t number, plain, stored;
    unsigned char codec;
    uint64_t offset;
    size_t pack;
    unsigned char key[32];
};

struct repository {
    const char *folder;
    char set_name[33];
    struct set set;
    struct slot *slots;
    size_t slot_count;
    struct bytes *packs;
    size_t pack_count;
    format_each *each;
    void *context;
    struct format_totals *totals;
    char wrong[512], previous[65]; /* the segment before, while the journal is read */
};

static const char *wrong(struct repository *repo, const char *what, const char *which) {
    snprintf(repo->wrong, sizeof repo->wrong, "%.400s: %s", which, what);
    return repo->wrong;
}

static const char *check_signature(struct repository *repo, unsigned type, const char *name, struct bytes *body,
                                   unsigned char signer[32]) {
    unsigned char certified[13 + 16 + 32], text_signed[15 + 16 + 2 + 32];
    if (body->length < 160)
        return wrong(repo, "no signature block", name);
    body->length -= 160;
    const unsigned char *block = body->at + body->length;
    memcpy(certified, "muniment host", 13);
    memcpy(certified + 13, repo->set.id, 16);
    memcpy(certified + 29, block, 32);
    if (crypto_sign_verify_detached(block + 32, certified, sizeof certified, repo->set.root_public) != 0)
        return wrong(repo, "the certificate does not hold", name);
    memcpy(text_signed, "muniment record", 15);
    memcpy(text_signed + 15, repo->set.id, 16);
    text_signed[31] = 1;
    text_signed[32] = (unsigned char)type;
    crypto_hash_sha256(text_signed + 33, body->at, body->length);
    if (crypto_sign_verify_detached(block + 96, text_signed, sizeof text_signed, block) != 0)
        return wrong(repo, "the signature does not hold", name);
    memcpy(signer, block, 32);
    return NULL;
}

/* Opens a record whose name ends in its hash. */
static const char *open_record(struct repository *repo, unsigned type, const char *kind, const char *leaf,
                               struct bytes *payload, unsigned char signer[32]) {
    char path[4096], hash_text[65];
    unsigned char hash[32], context[15 + 16 + 2];
    struct bytes object = { 0 };
    const char *failed = NULL;
    snprintf(path, sizeof path, "%s/%s/%s/%s", repo->folder, repo->set_name, kind, leaf);
    if (!format_read_file(path, &object) || object.length < 6)
        failed = wrong(repo, "cannot be read", leaf);
    if (!failed) {
        crypto_hash_sha256(hash, object.at, object.length);
        format_hexadecimal(hash_text, hash, 32);
        if (strlen(leaf) < 64 || strcmp(leaf + strlen(leaf) - 64, hash_text) != 0)
            failed = wrong(repo, "is not what its name says", leaf);
        else if (memcmp(object.at, "MUNR\x01", 5) != 0 || object.at[5] != type)
            failed = wrong(repo, "is no such record", leaf);
    }
    if (!failed && type == 5)
        format_append(payload, object.at + 6, object.length - 6);
    if (!failed && type != 5) {
        memcpy(context, "muniment record", 15);
        memcpy(context + 15, repo->set.id, 16);
        context[31] = 1;
        context[32] = (unsigned char)type;
        payload->at = format_need(malloc(object.length + 1));
        if (object.length < 46 || !format_unseal(payload->at, object.at + 30, object.length - 30, context,
                                                 sizeof context, object.at + 6, repo->set.index))
            failed = wrong(repo, "does not open", leaf);
        else
            payload->length = object.length - 46;
    }
    if (!failed && (type == 1 || type == 3 || type == 5))
        failed = check_signature(repo, type, leaf, payload, signer);
    free(object.at);
    return failed;
}

/* Calls `visit` for every object of a kind, in the order of names. */
static const char *each_object(struct repository *repo, const char *kind,
                               const char *(*visit)(struct repository *repo, const char *leaf)) {
    char path[4096];
    struct dirent **names;
    const char *failed = NULL;
    snprintf(path, sizeof path, "%s/%s/%s", repo->folder, repo->set_name, kind);
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (!failed && names[i]->d_name[0] != '.')
            failed = visit(repo, names[i]->d_name);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return failed;
}

/* --- packs and the index ------------------------------------------------------------------------------------------ */

static bool section_key(const struct set *set, const unsigned char birth[16], unsigned char kind,
                        const unsigned char wrapped[80], const unsigned char commitment[32], unsigned char key[32]) {
    unsigned char data_key[32], context[13 + 16 + 16], expected[32];
    if (kind == 1) {
        if (crypto_box_seal_open(data_key, wrapped, 80, set->box_public, set->box_secret) != 0)
            return false;
    } else {
        memcpy(context, "muniment wrap", 13);
        memcpy(context + 13, set->id, 16);
        memcpy(context + 29, birth, 16);
        if (kind != 2 || !sodium_is_zero(wrapped + 72, 8) ||
            !format_unseal(data_key, wrapped + 24, 48, context, sizeof context, wrapped, set->index))
            return false;
    }
    crypto_generichash_state state;
    crypto_generichash_init(&state, set->preshared, 32, 32);
    crypto_generichash_update(&state, (const unsigned char *)"muniment section", 16);
    crypto_generichash_update(&state, set->id, 16);
    crypto_generichash_update(&state, birth, 16);
    crypto_generichash_update(&state, &kind, 1);
    crypto_generichash_update(&state, data_key, 32);
    crypto_generichash_final(&state, key, 32);
    crypto_generichash(expected, 32, (const unsigned char *)"muniment commitment", 19, key, 32);
    return memcmp(expected, commitment, 32) == 0;
}

static bool read_table(struct repository *repo, struct span *span, size_t pack) {
    uint64_t sections = format_varint(span), expected = 0, offset = 8;
    struct section {
        unsigned char birth[16], key[32];
    } *section = format_need(calloc(span->bad || sections > 65536 ? 1 : sections + 1, sizeof *section));
    for (uint64_t i = 0; i < sections && !span->bad; i++) {
        memcpy(section[i].birth, format_take(span, 16), 16);
        unsigned char kind = *format_take(span, 1);
        const unsigned char *wrapped = format_take(span, 80), *commitment = format_take(span, 32);
        if (span->bad || !section_key(&repo->set, section[i].birth, kind, wrapped, commitment, section[i].key))
            span->bad = true;
    }
    uint64_t count = format_varint(span);
    for (uint64_t i = 0; i < count && !span->bad; i++) {
        struct slot slot = { .pack = pack, .offset = offset };
        memcpy(slot.id, format_take(span, 16), 16);
        uint64_t at = format_varint(span);
        slot.number = (uint32_t)(expected + (uint64_t)format_signed_varint(span));
        slot.plain = (uint32_t)format_varint(span);
        slot.stored = (uint32_t)format_varint(span);
        slot.codec = *format_take(span, 1);
        if (span->bad || at >= sections)
            break;
        memcpy(slot.birth, section[at].birth, 16);
        memcpy(slot.key, section[at].key, 32);
        expected = (uint64_t)slot.number + 1;
        offset += slot.stored;
        repo->slots = format_need(realloc(repo->slots, (repo->slot_count + 1) * sizeof slot));
        repo->slots[repo->slot_count++] = slot;
    }
    free(section);
    return !span->bad;
}

/* The pack's bytes are what its name says, and its own table is the index's. */
static const char *load_pack(struct repository *repo, const unsigned char hash[32], uint64_t size,
                             const unsigned char *table, size_t table_length) {
    char path[4096], name[65];
    unsigned char actual[32], context[14 + 16];
    struct bytes pack = { 0 };
    format_hexadecimal(name, hash, 32);
    snprintf(path, sizeof path, "%s/%s/packs/%.2s/%s", repo->folder, repo->set_name, name, name);
    if (!format_read_file(path, &pack) || pack.length != size || size < 20)
        return wrong(repo, "cannot be read, or has another size", name);
    repo->packs = format_need(realloc(repo->packs, (repo->pack_count + 1) * sizeof pack));
    repo->packs[repo->pack_count++] = pack;

    crypto_hash_sha256(actual, pack.at, pack.length);
    struct span end = { pack.at + pack.length - 12, 4, false };
    uint64_t sealed = format_number(&end, 4);
    if (memcmp(actual, hash, 32) != 0 || memcmp(pack.at, "MUNPACK1", 8) != 0 ||
        memcmp(pack.at + pack.length - 8, "MUNTABL1", 8) != 0 || sealed + 20 > size || sealed != table_length + 40)
        return wrong(repo, "is no pack", name);
    memcpy(context, "muniment table", 14);
    memcpy(context + 14, repo->set.id, 16);
    const unsigned char *at = pack.at + pack.length - 12 - sealed;
    unsigned char *plain = format_need(malloc(sealed));
    bool same = format_unseal(plain, at + 24, sealed - 24, context, sizeof context, at, repo->set.index) &&
                memcmp(plain, table, table_length) == 0;
    free(plain);
    return same ? NULL : wrong(repo, "has a table that is not the index's", name);
}

static const char *visit_index(struct repository *repo, const char *leaf) {
    struct bytes payload = { 0 };
    const char *failed = open_record(repo, 2, "index", leaf, &payload, NULL);
    struct span span = { payload.at, payload.length, false };
    uint64_t count = failed ? 0 : format_varint(&span);
    for (uint64_t i = 0; i < count && !failed; i++) {
        const unsigned char *hash = format_take(&span, 32);
        uint64_t size = format_number(&span, 8);
        const unsigned char *table = span.at;
        if (!read_table(repo, &span, repo->pack_count))
            failed = wrong(repo, "holds a malformed table", leaf);
        else
            failed = load_pack(repo, hash, size, table, (size_t)(span.at - table));
    }
    if (!failed && (span.bad || span.left > 0))
        failed = wrong(repo, "is malformed", leaf);
    free(payload.at);
    return failed;
}

/* --- chunks and extents ------------------------------------------------------------------------------------------- */

static const char *read_slot(struct repository *repo, const unsigned char birth[16], uint32_t which,
                             struct bytes *plain, struct bytes *macs) {
    unsigned char context[14 + 16 + 16 + 9], nonce[24] = { 0 }, mac[32];
    const struct slot *slot = NULL;
    for (size_t i = 0; i < repo->slot_count && !slot; i++)
        if (repo->slots[i].number == which && memcmp(repo->slots[i].birth, birth, 16) == 0)
            slot = &repo->slots[i];
    if (!slot)
        return wrong(repo, "is in no pack", "a slot");

    memcpy(context, "muniment chunk", 14);
    memcpy(context + 14, repo->set.id, 16);
    memcpy(context + 30, birth, 16);
    for (unsigned i = 0; i < 4; i++) {
        context[46 + i] = (unsigned char)(which >> 8 * i);
        context[50 + i] = (unsigned char)(slot->plain >> 8 * i);
        nonce[i] = context[46 + i];
    }
    context[54] = slot->codec;
    const struct bytes *pack = &repo->packs[slot->pack];
    unsigned char *encoded = format_need(malloc(slot->stored)), *decoded = format_need(malloc(slot->plain + 1U));
    size_t length = slot->stored - 16U;
    bool good =
        slot->offset + slot->stored <= pack->length &&
        format_unseal(encoded, pack->at + slot->offset, slot->stored, context, sizeof context, nonce, slot->key);
    if (good && slot->codec == 0 && length == slot->plain)
        memcpy(decoded, encoded, length);
    else
        good = good && slot->codec == 1 && ZSTD_decompress(decoded, slot->plain, encoded, length) == slot->plain;
    if (good) {
        crypto_auth_hmacsha256(mac, decoded, slot->plain, repo->set.chunk_id);
        good = memcmp(mac, slot->id, 16) == 0;
        format_append(plain, decoded, slot->plain);
        format_append(macs, mac, 32);
    }
    free(encoded);
    free(decoded);
    return good ? NULL : wrong(repo, "does not open", "a slot");
}

/* The bytes of `count` slots that extents name, beginning at the position, which moves on. */
struct position {
    struct span extents;
    unsigned char birth[16];
    uint32_t next;
    uint64_t left;
};

static const char *read_slots(struct repository *repo, struct position *position, uint64_t count, bool all,
                              struct bytes *plain, unsigned char digest[32]) {
    struct bytes macs = { 0 };
    const char *failed = NULL;
    format_append(plain, "", 0);
    format_append(&macs, "", 0);
    while (!failed && (all || count > 0)) {
        if (position->left == 0) {
            if (position->extents.left == 0 && all)
                break;
            memcpy(position->birth, format_take(&position->extents, 16), 16);
            position->next = (uint32_t)format_number(&position->extents, 4);
            position->left = format_number(&position->extents, 4);
            if (position->extents.bad || position->left == 0) {
                failed = wrong(repo, "are malformed or too few", "extents");
                break;
            }
        }
        failed = read_slot(repo, position->birth, position->next++, plain, &macs);
        position->left--;
        count--;
    }
    crypto_hash_sha256(digest, macs.at, macs.length);
    free(macs.at);
    return failed;
}

static const char *read_all(struct repository *repo, const unsigned char *extents, size_t count, struct bytes *plain,
                            unsigned char digest[32]) {
    struct position position = { .extents = { extents, count * 24, false } };
    return read_slots(repo, &position, 0, true, plain, digest);
}

/* --- trees -------------------------------------------------------------------------------------------------------- */

static const char *read_entry(struct repository *repo, struct span *tree, struct position *data,
                              struct format_found *found) {
    char path[65537], target[65537] = "";
    struct span ranges = { 0 };
    struct bytes content = { 0 }, file = { 0 };
    unsigned char digest[32];
    uint64_t length = format_varint(tree);
    struct span span = { format_take(tree, length), length, false };
    if (tree->bad)
        return wrong(repo, "ends within an entry", found->source);

    found->type = *format_take(&span, 1);
    format_take(&span, 1);
    format_text(&span, path, sizeof path);
    found->mode = (unsigned)format_varint(&span);
    format_varint(&span), format_varint(&span);
    format_skip_text(&span), format_skip_text(&span);
    format_signed_varint(&span), format_varint(&span);
    format_signed_varint(&span), format_varint(&span);
    format_varint(&span), format_varint(&span);
    found->size = format_varint(&span);
    if (found->type == 3 || found->type == 4)
        format_text(&span, target, sizeof target);
    if (found->type == 6 || found->type == 7)
        format_varint(&span), format_varint(&span);
    for (uint64_t count = format_varint(&span); count > 0 && !span.bad; count--)
        format_skip_text(&span), format_skip_text(&span);
    uint64_t range_count = found->type == 1 ? format_varint(&span) : 0;
    ranges = span;
    for (uint64_t i = 0; i < range_count && !span.bad; i++)
        format_varint(&span), format_varint(&span);
    uint64_t bytes = format_varint(&span), chunks = format_varint(&span);
    const unsigned char *expected = format_take(&span, 32);
    if (span.bad || span.left > 0)
        return wrong(repo, "has a malformed entry", found->source);

    const char *failed = read_slots(repo, data, chunks, false, &content, digest);
    if (!failed && (content.length != bytes || memcmp(digest, expected, 32) != 0))
        failed = wrong(repo, "has other content than its digest says", path);

    /* A sparse file is put together from its ranges. */
    size_t taken = 0;
    for (uint64_t i = 0; i < range_count && !failed; i++) {
        uint64_t gap = format_varint(&ranges), part = format_varint(&ranges);
        unsigned char *hole = format_need(calloc(gap + 1, 1));
        format_append(&file, hole, gap);
        free(hole);
        format_append(&file, content.at + taken, part);
        taken += part;
    }
    if (range_count > 0 && !failed && file.length < found->size) {
        unsigned char *hole = format_need(calloc(found->size - file.length, 1));
        format_append(&file, hole, found->size - file.length);
        free(hole);
    }
    const struct bytes *whole = range_count > 0 ? &file : &content;
    found->path = path;
    found->target = target;
    found->content = whole->at;
    found->length = whole->length;
    if (!failed)
        repo->each(repo->context, found);
    free(content.at);
    free(file.at);
    return failed;
}

static const char *read_source(struct repository *repo, struct span *head, const char *snapshot) {
    char name[4097];
    unsigned char digest[32], actual[32];
    struct bytes references = { 0 }, tree = { 0 };
    format_text(head, name, sizeof name);
    format_skip_text(head);
    format_take(head, 1), format_take(head, 16);
    uint64_t entries = format_varint(head);
    format_varint(head), format_varint(head);
    memcpy(digest, format_take(head, 32), 32);
    for (uint64_t count = format_varint(head); count > 0 && !head->bad; count--)
        format_skip_text(head), format_skip_text(head);
    for (uint64_t count = format_varint(head); count > 0 && !head->bad; count--)
        format_skip_text(head), format_varint(head), format_take(head, 1), format_varint(head);
    for (uint64_t count = format_varint(head); count > 0 && !head->bad; count--)
        format_skip_text(head);
    unsigned depth = *format_take(head, 1);
    uint64_t data_extents = format_varint(head), tree_extents = format_varint(head), roots = format_varint(head);
    const unsigned char *root = format_take(head, roots * 24);
    if (head->bad)
        return wrong(repo, "has a malformed source", snapshot);

    const char *failed = read_all(repo, root, roots, &references, actual);
    for (; !failed && depth > 0; depth--) {
        struct bytes lower = { 0 };
        failed = read_all(repo, references.at, references.length / 24, &lower, actual);
        free(references.at);
        references = lower;
    }
    if (!failed && references.length != (data_extents + tree_extents) * 24)
        failed = wrong(repo, "has another number of extents than its head says", name);
    if (!failed)
        failed = read_all(repo, references.at + data_extents * 24, tree_extents, &tree, actual);
    if (!failed && memcmp(actual, digest, 32) != 0)
        failed = wrong(repo, "has another tree than its digest says", name);

    struct position data = { .extents = { references.at, data_extents * 24, false } };
    struct span span = { tree.at, tree.length, false };
    for (; !failed && span.left > 0; entries--) {
        struct format_found found = { .snapshot = snapshot, .source = name };
        failed = read_entry(repo, &span, &data, &found);
    }
    if (!failed && (entries != 0 || data.left > 0 || data.extents.left > 0))
        failed = wrong(repo, "has more or fewer entries than its head says", name);
    free(references.at);
    free(tree.at);
    repo->totals->sources++;
    return failed;
}

static const char *visit_head(struct repository *repo, const char *leaf) {
    struct bytes payload = { 0 };
    unsigned char signer[32];
    const char *failed = open_record(repo, 1, "snapshots", leaf, &payload, signer);
    struct span span = { payload.at, payload.length, false };
    format_take(&span, 2), format_take(&span, 16), format_take(&span, 24);
    format_skip_text(&span), format_skip_text(&span);
    for (uint64_t count = format_varint(&span); count > 0 && !failed; count--)
        failed = read_source(repo, &span, leaf);
    if (!failed && (span.bad || span.left > 0))
        failed = wrong(repo, "is malformed", leaf);
    free(payload.at);
    repo->totals->snapshots++;
    return failed;
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

static const char *visit_segment(struct repository *repo, const char *leaf) {
    struct bytes payload = { 0 };
    unsigned char signer[32];
    char host[17], heading[512];
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    const char *failed = open_record(repo, 5, "journal", leaf, &payload, signer);
    if (!failed) {
        /* One host writes in the tests, so each segment follows the one visited before. */
        format_hexadecimal(host, signer, 8);
        const char *previous = repo->totals->segments > 0 ? repo->previous : zeros;
        int length =
            snprintf(heading, sizeof heading, "muniment journal 1\nset %s\nhost %s\nnumber %zu\nprevious %.64s\n",
                     repo->set_name, host, repo->totals->segments + 1, previous);
        if (payload.length < (size_t)length || memcmp(payload.at, heading, (size_t)length) != 0 ||
            strncmp(leaf, host, 16) != 0)
            failed = wrong(repo, "does not continue its chain", leaf);
        for (size_t i = (size_t)length; i < payload.length; i++)
            repo->totals->events += payload.at[i] == '\n';
    }
    if (!failed)
        snprintf(repo->previous, sizeof repo->previous, "%s", leaf + strlen(leaf) - 64);
    free(payload.at);
    repo->totals->segments++;
    return failed;
}

const char *format_read(const char *folder, const char *read_key, format_each *each, void *context,
                        struct format_totals *totals) {
    static struct repository repo;
    struct bytes key = { 0 };
    repo = (struct repository){ .folder = folder, .each = each, .context = context, .totals = totals };
    *totals = (struct format_totals){ 0 };
    const char *failed = format_key_bytes(read_key, "muniment-read-1-", &key);
    if (!failed && key.length != 32)
        failed = "key: not 32 bytes";
    if (!failed) {
        format_grow_set(&repo.set, key.at);
        format_hexadecimal(repo.set_name, repo.set.id, 16);
        failed = each_object(&repo, "index", visit_index);
    }
    if (!failed)
        failed = each_object(&repo, "snapshots", visit_head);
    if (!failed)
        failed = each_object(&repo, "journal", visit_segment);
    totals->packs = repo.pack_count;
    totals->slots = repo.slot_count;
    for (size_t i = 0; i < repo.pack_count; i++)
        free(repo.packs[i].at);
    free(repo.packs);
    free(repo.slots);
    free(key.at);
    return failed;
}
