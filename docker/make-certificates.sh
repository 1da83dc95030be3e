#!/bin/sh
#
# make-certificates.sh DIR - a certificate authority (ca.crt) and what it has signed: postgres.{crt,key} and
# pgweir.{crt,key}, each for its service's name and for localhost. Does nothing where these are there for 30 days more.
# Run by root it gives the keys to the users of the two images. For development: the authority's key is thrown away.

set -eu
umask 077
cd "$1"
if openssl x509 -checkend 2592000 -noout -in pgweir.crt >/dev/null 2>&1; then
    exit 0
fi

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 365 \
    -subj '/CN=pgweir development CA' -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.crt

# sign NAME UID: the user that the image of NAME runs as has to own the key.
sign()
{
    printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' "$1" >"$1.ext"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 365 \
        -extfile "$1.ext" -out "$1.crt"
    rm "$1.ext" "$1.csr"
    [ "$(id -u)" -ne 0 ] || chown "$2:$2" "$1.key"
}

sign postgres 999
sign pgweir 6432        # last, because its certificate is what the first lines ask for
rm -f ca.key ca.srl
chmod 755 .
chmod 644 ./*.crt
