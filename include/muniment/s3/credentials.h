/*
 * Where the secrets of object storage come from. Never from arguments.
 *
 * The first place that has them wins; a place that has only one half is refused:
 *  1. the service's `credentials` file: either two or three lines "access_key = ...", "secret_key = ...",
 *     "session_token = ...", or an AWS credentials file with [profile] sections. It must be there, and nothing else is
 *     looked at;
 *  2. $CREDENTIALS_DIRECTORY/s3-<service name> (systemd's LoadCredential=), of the same forms;
 *  3. MUNIMENT_S3_<SERVICE NAME, UPPER CASE, '-' AS '_'>_ACCESS_KEY and ..._SECRET_KEY, ..._SESSION_TOKEN;
 *  4. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, unless the service names a profile;
 *  5. $AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials.
 *
 * The profile of a file with sections is the service's, $AWS_PROFILE, or "default". Files that others may read (mode
 * 0077; in systemd's folder, whose files carry an ACL, 0007) are refused.
 */
#ifndef MUNIMENT_S3_CREDENTIALS_H
#define MUNIMENT_S3_CREDENTIALS_H

#include <muniment/s3/service.h>

enum { S3_SECRET_MAX = 512, S3_TOKEN_MAX = 8192 };

/* In memory that is locked and wiped (sodium_malloc). */
struct s3_credentials {
    char access_key[S3_SECRET_MAX];
    char secret_key[S3_SECRET_MAX];
    char session_token[S3_TOKEN_MAX]; /* empty: none */
};

/* ERR_KEY when there is none anywhere (the hint lists the places), ERR_INVALID for a malformed file or one that others
 * may read. Released with s3_credentials_free(). */
int s3_credentials_load(const struct s3_service *service, struct s3_credentials **credentials,
                        struct err *err) MUST_CHECK;
void s3_credentials_free(struct s3_credentials *credentials); /* NULL is fine */

#endif
