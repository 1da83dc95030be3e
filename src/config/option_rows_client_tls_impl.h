/* option_rows_client_tls_impl.h - rows of options[]: TLS towards clients (option_table.c). */
/* clang-format off */
{ .name = "client_tls_sslmode",
  .type = OPT_CHOICE, .choices = sslmodes,
  .preset = "disable",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls.sslmode),
  .slot_inside = INSIDE(client_tls_sslmode), .mark_inside = MARK(client_tls_sslmode),
  .group = CLIENT_TLS,
  .text = "TLS between clients and pgweir. `disable`: refused; `allow`, `prefer`: used when the client asks; "
          "`require`: clients without TLS are turned away; `verify-ca`, `verify-full`: the client must also "
          "present a certificate that `client_tls_ca_file` vouches for. All but `disable` need a certificate "
          "and a key. A database or a user can only ask for more than the main section does." },

{ .name = "client_tls_cert_file",
  .type = OPT_TEXT,
  .preset = "",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls.cert_file),
  .group = CLIENT_TLS,
  .text = "Certificate that clients see, PEM, with any intermediate ones behind it." },

{ .name = "client_tls_key_file",
  .type = OPT_TEXT,
  .preset = "",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls.key_file),
  .group = CLIENT_TLS,
  .text = "Private key of `client_tls_cert_file`, PEM." },

{ .name = "client_tls_ca_file",
  .type = OPT_TEXT,
  .preset = "",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls.ca_file),
  .group = CLIENT_TLS,
  .text = "Certificates, PEM, that client certificates are checked against." },

{ .name = "client_tls_protocols",
  .type = OPT_TEXT,
  .preset = "secure",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls.protocols),
  .group = CLIENT_TLS,
  .text = "TLS versions offered to clients: a comma-separated list of `tlsv1.0`, `tlsv1.1`, `tlsv1.2`, "
          "`tlsv1.3`, or `secure` (1.2 and 1.3) or `all`." },

{ .name = "client_tls_ciphers",
  .type = OPT_TEXT,
  .preset = "default",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls.ciphers),
  .group = CLIENT_TLS,
  .text = "Ciphers of TLS 1.2 and older towards clients: `default`, `secure`, or a list in OpenSSL's "
          "notation." },

{ .name = "client_tls13_ciphers",
  .type = OPT_TEXT,
  .preset = "",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .is_sticky = true,
  .slot = SLOT(client_tls.ciphersuites),
  .group = CLIENT_TLS,
  .text = "Cipher suites of TLS 1.3 towards clients, in OpenSSL's notation. Empty: OpenSSL's own choice." },

{ .name = "client_tls_dheparams",
  .type = OPT_CHOICE, .choices = dheparams,
  .preset = "auto",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls_dheparams),
  .group = CLIENT_TLS,
  .text = "Finite-field Diffie-Hellman in TLS 1.2 and older: `auto` and `legacy` use OpenSSL's groups, "
          "`none` does without." },

{ .name = "client_tls_ecdhcurve",
  .type = OPT_TEXT,
  .preset = "auto",
  .scope = IN_GLOBAL, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(client_tls.ecdhcurve),
  .group = CLIENT_TLS,
  .text = "Curve for the key exchange with clients: `auto`, `none` or a name." },
