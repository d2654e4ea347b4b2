#!/bin/sh
# Makes the passwords and the token key of compose.yaml where they are missing, and writes each configuration that has a
# password. Run again, it keeps them and writes the configurations from their templates.
set -eu
templates=$(dirname "$0")
secrets=${SECRETS:-/secrets}
umask 077
chmod u+rwx "$secrets"/*

for part in nats redis postgres grafana; do
  file="$secrets/$part/password"
  [ -s "$file" ] || head -c 32 /dev/urandom | od -A n -t x1 | tr -d ' \n' > "$file"
done
key="$secrets/barrage/token.key"
[ -s "$key" ] || head -c 32 /dev/urandom | base64 > "$key"
webhook="$secrets/barrage/webhook.secret"
[ -s "$webhook" ] || echo "whsec_$(head -c 32 /dev/urandom | base64)" > "$webhook"
# The key of notifications comes from you; a new one makes all subscriptions of browsers useless.
vapid="$secrets/barrage/vapid.key"
[ ! -s "$templates/vapid.key" ] || cp "$templates/vapid.key" "$vapid"

# render TEMPLATE FILE: writes the file with the passwords in place of their names.
render() {
  sed -e "s|@NATS_PASSWORD@|$(cat "$secrets/nats/password")|g" \
      -e "s|@REDIS_PASSWORD@|$(cat "$secrets/redis/password")|g" \
      -e "s|@POSTGRES_PASSWORD@|$(cat "$secrets/postgres/password")|g" "$templates/$1" > "$secrets/$2.new"
  mv "$secrets/$2.new" "$secrets/$2"
}
render barrage.toml barrage/barrage.toml
render nats.conf nats/nats.conf
render redis.conf redis/redis.conf

# Each image has a user of its own. A volume with secrets is mounted by its own service alone.
chmod 755 "$secrets/nats" "$secrets/redis" "$secrets/postgres" "$secrets/grafana"
chmod 444 "$secrets/nats/nats.conf" "$secrets/redis/redis.conf" "$secrets/postgres/password" "$secrets/grafana/password"
[ "$(id -u)" != 0 ] || chown -R 65532:65532 "$secrets/barrage"
chmod 500 "$secrets/barrage"
chmod 400 "$secrets/barrage/token.key" "$webhook" "$secrets/barrage/barrage.toml"
[ ! -e "$vapid" ] || chmod 400 "$vapid"
