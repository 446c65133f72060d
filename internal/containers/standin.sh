#!/usr/bin/env bash
# Writes the file system of an image to standard output, as a tar archive, made of what is installed on this machine: for
# machines that reach no registry of images. It is as good as the real one for what is built and run on it here.
#
#   standin.sh golang     Go's compiler, a shell and the certificate authorities
#   standin.sh postgres   PostgreSQL, with the entry point's conventions of the official image
set -euo pipefail
export LC_ALL=C

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

base() {
  local busybox
  busybox=$(command -v busybox) || { echo "busybox is not installed (Debian: busybox-static)" >&2; exit 1; }
  mkdir -p "$root"/{bin,dev,etc/ssl/certs,proc,root,run,sbin,sys,tmp,usr/bin,usr/local/bin,var/lib}
  chmod 1777 "$root/tmp"
  cp "$busybox" "$root/bin/busybox"
  local applet
  for applet in $("$busybox" --list); do
    [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0::/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\npostgres:x:70:\n' >"$root/etc/group"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
}

golang() {
  mkdir -p "$root/usr/local/go" "$root/go"
  tar -C "$(go env GOROOT)" --exclude=./test --exclude=./api --exclude=./doc -c . | tar -C "$root/usr/local/go" -x
  # Where modules come from on this machine is where they come from in a build.
  go env -json GOPROXY GOSUMDB GONOSUMDB GOFLAGS |
    sed -n 's/^\t"\(G[A-Z]*\)": "\(.*\)",\{0,1\}$/\1=\2/p' >"$root/usr/local/go/go.env.local"
  cat "$root/usr/local/go/go.env.local" >>"$root/usr/local/go/go.env"
}

postgres() {
  local bin share major
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1) ||
    { echo "PostgreSQL is not installed (Debian: postgresql)" >&2; exit 1; }
  major=$(basename "$(dirname "$bin")")
  share=/usr/share/postgresql/$major
  mkdir -p "$root/usr/lib/postgresql" "$root/usr/share/postgresql" "$root/docker-entrypoint-initdb.d" "$root/run/postgresql"
  chmod 1777 "$root/run/postgresql"
  cp -a "$(dirname "$bin")" "$root/usr/lib/postgresql/"
  cp -a "$share" "$root/usr/share/postgresql/"
  cp -aL /usr/share/zoneinfo "$root/usr/share/"
  mkdir -p "$root/usr/share/postgresql-common" && cp -aL /usr/share/postgresql-common/. "$root/usr/share/postgresql-common/"
  find "$root/usr/share/postgresql" -xtype l -delete
  local library
  # The switch to another user needs the name service's libraries, which nothing links to.
  for library in $( (ldd "$bin"/* "$bin"/../lib/*.so 2>/dev/null || true) | grep -oE '/[^ ]+' | grep -v ':$' | sort -u) \
    "$(ldconfig -p | sed -n 's/.*libnss_files.so.2 .*x86-64.* => //p;s/.*libnss_files.so.2 .*AArch64.* => //p' | head -1)"; do
    case $library in /usr/lib/postgresql/*) continue ;; esac
    [ -f "$library" ] || continue
    mkdir -p "$root$(dirname "$library")"
    cp -Ln "$library" "$root$library" 2>/dev/null || true
  done
  cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
set -e
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export PATH PGDATA=${PGDATA:-/var/lib/postgresql/data}
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" && chown -R postgres "$PGDATA" && chmod 700 "$PGDATA"
  exec su postgres -s /bin/sh -c 'exec "$0" "$@"' -- "$0" "$@"
fi
shift # "postgres": the one command this image has
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username "$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C >/dev/null
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl -o "-c listen_addresses='' -k /run/postgresql" -w start >/dev/null
  export PGHOST=/run/postgresql
  [ "$POSTGRES_DB" = postgres ] || createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ -f "$script" ] && . "$script"
  done
  pg_ctl -m fast -w stop >/dev/null
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/run/postgresql "$@"
ENTRYPOINT
  chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"
}

base
"$1"
tar -C "$root" -c .
