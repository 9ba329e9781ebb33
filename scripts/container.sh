#!/usr/bin/env bash
# Builds the Dockerfile as it stands where there is no Docker engine, and starts its image as its own
# unprivileged user: all services in one process, and then each of docker-compose.yml's in a container of its
# own, over a real Kafka, ClickHouse and Redis, while a market publishes (tests/container/apart.ts). The base
# image is made here by debootstrap and the npm package of Bun, under the name that the Dockerfile asks for.
# Needs root, Debian's buildah, debootstrap and redis-server, Bun, Java and Maven. Leaves nothing behind.
#
# scripts/container.sh [--ca FILE] [--mirror URL] [--sample]
#   --ca FILE     certificates to trust besides, while dependencies are installed
#   --mirror URL  Debian mirror of the base
#   --sample      wait until the recorded sample is in, too
set -euo pipefail
cd "$(dirname "$0")/.."

ca='' mirror='http://deb.debian.org/debian' sample=''
while [ $# -gt 0 ]; do
  case $1 in
    --ca) ca=$(realpath "$2"); shift ;;
    --mirror) mirror=$2; shift ;;
    --sample) sample=1 ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
  shift
done
for tool in buildah debootstrap npm bun java mvn redis-server; do
  command -v "$tool" >/dev/null || { echo "container.sh: $tool is missing: install it" >&2; exit 69; }
done

work=$(mktemp -d)
# What buildah and the tests keep while they run is below, too.
mkdir "$work/tmp"
export TMPDIR="$work/tmp"
product=''
store() { buildah --storage-driver vfs --root "$work/store" --runroot "$work/run" "$@"; }
contained() { # processes in a container of this run: buildah leaves them when it ends itself
  local process
  for process in /proc/[0-9]*; do
    case $(readlink "$process/root" 2>/dev/null) in "$work"/*) echo "${process#/proc/}" ;; esac
  done
}
cleanup() {
  status=$?
  trap - INT TERM
  if [ -n "$product" ]; then
    kill -TERM "$product" 2>/dev/null || true
    wait "$product" 2>/dev/null || true
  fi
  for pid in $(contained); do kill -KILL "$pid" 2>/dev/null || true; done
  store umount --all >/dev/null 2>&1 || true
  store rm --all >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

base=$(sed -n 's/^ARG BUN_IMAGE=//p' Dockerfile)
bun_version=$(sed -E 's/.*bun:([0-9.]+).*/\1/' <<<"$base")

echo "base: $base"
debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log" ||
  { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
rm -rf "$work/base"/var/cache/apt/* "$work/base"/var/lib/apt/lists/*
npm install --silent --no-fund --no-audit --prefix "$work/npm" "bun@$bun_version"
install -m 755 "$(realpath "$work/npm/node_modules/bun/bin/bun.exe")" "$work/base/usr/local/bin/bun"
container=$(store from scratch)
store add --quiet "$container" "$work/base" / >/dev/null
store commit --quiet --rm "$container" "$base" >/dev/null
rm -rf "$work/base" "$work/npm"

echo 'image: the Dockerfile as it stands'
secret=()
[ -z "$ca" ] || secret=(--secret "id=ca,src=$ca")
store bud --isolation chroot --pull-never --format docker --layers=false "${secret[@]}" \
  --tag carbon-ingestion:test .

user=$(store inspect --format '{{.Docker.Config.User}}' carbon-ingestion:test)
[ "$user" = 10001:10001 ] || { echo "the image runs as '$user'" >&2; exit 1; }

echo 'start: every service, from the image'
container=$(store from --pull-never carbon-ingestion:test)
inside() { store run --isolation chroot --user "$user" "$container" -- "$@"; }
free_ports=()
for service in NORMALIZATION ENRICHMENT AGGREGATION PROJECTION DATA_QUALITY; do
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
  free_ports+=("PORT_$service=$port")
done
variables=("${free_ports[@]}" CLICKHOUSE_HTTP_PORT=0 CLICKHOUSE_TCP_PORT=0)
inside env "${variables[@]}" bun runtime/main.ts >"$work/product.log" 2>&1 &
product=$!
wait_for() { # a line with $1, at most $2 seconds
  for _ in $(seq "$2"); do
    grep -q "\"event\":\"$1\"" "$work/product.log" && return 0
    kill -0 "$product" 2>/dev/null || break
    sleep 1
  done
  tail -n 20 "$work/product.log" >&2
  return 1
}
wait_for ready 60
inside env "${variables[@]}" bun runtime/cli/health.ts
[ "$(inside id -u)" = 10001 ]
[ -z "$sample" ] || wait_for sample_in 600
if inside env PORT_NORMALIZATION=1 bun runtime/cli/health.ts 2>/dev/null; then
  echo 'the health check is content with a port where nothing listens' >&2
  exit 1
fi

echo 'stop: SIGTERM drains'
pid=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$work/product.log" | head -n 1)
kill -TERM "$pid"
wait "$product"
product=''
store rm "$container" >/dev/null

echo 'apart: every service of docker-compose.yml, from the image'
bun scripts/run.ts tests/container/apart.ts "$work/store" "$work/run" carbon-ingestion:test &
product=$!
wait "$product"
product=''

left=$(contained; grep -F " $work" /proc/mounts || true; store containers --quiet; ls -A "$TMPDIR")
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }
echo 'container: built, started as 10001, healthy, drained; in one process and apart; nothing left behind'
