/*
 * hba.h - who may log in from where, and how it is proved: the rules of auth_hba_file, as in PostgreSQL's
 * pg_hba.conf. Immutable once read.
 *
 * source PostgreSQL docs, auth-pg-hba-conf.
 */
#ifndef PGWEIR_CONFIG_HBA_H
#define PGWEIR_CONFIG_HBA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum hba_method {
    HBA_TRUST,
    HBA_REJECT,
    HBA_MD5,
    HBA_PASSWORD,
    HBA_SCRAM,
    HBA_PEER,
    HBA_CERT,
    HBA_PAM,
};

struct hba_rule {
    enum hba_method method;
    /* clientcert=verify-ca or more: a certificate that our CA vouches for, whatever the method */
    bool wants_certificate;
    bool wants_name;     /* clientcert=verify-full, and cert: it must lead to the user's name */
    bool is_dn;          /* clientname=DN: that name is the subject, not its common name */
    const char *map;     /* NULL: the names must be equal */
    const char *service; /* of PAM; NULL: pam_service */
    const char *file;    /* where it stands */
    unsigned line;
};

struct hba_ip {
    uint8_t at[16];
    uint8_t len; /* 4, 16; 0: a Unix socket */
};
/* An IPv4 address mapped into IPv6 becomes an IPv4 one. */
struct hba_ip hba_ip_of(const struct sockaddr *address);

struct hba_network { /* of one of our own interfaces */
    struct hba_ip address;
    struct hba_ip mask;
};

struct hba_question {
    const char *database;
    const char *user;
    struct hba_ip from;
    const char
        *host; /* the name of `from` that leads back to it; "": there is none; NULL: not looked up yet */
    bool is_tls;
    bool is_replication; /* physical: asks for no database */
    const struct hba_network *own;
    size_t own_count;
};

struct hba;

enum hba_answer {
    HBA_FOUND,
    HBA_NONE,       /* no rule fits */
    HBA_NEEDS_HOST, /* the first that may fit names a host: ask again with `host` */
};

/* OUT: the first rule that fits, else NULL. A rule that names hosts needs a lookup only when everything else
 * in it fits. Any thread. */
enum hba_answer hba_find(const struct hba *hba, const struct hba_question *q, const struct hba_rule **out);
/* Whether some rule says samehost or samenet, so that questions need `own`. */
bool hba_wants_networks(const struct hba *hba);
/* Whether some rule looks at client certificates. */
bool hba_wants_certificates(const struct hba *hba);

#endif
