#!/usr/bin/env bash
# Debian 13's litewitness and sigsum-witness answer 404 to every request of their own protocol.
#
# They register "POST /path" as Go 1.22 understands it, but were built with the routing of Go 1.21:
# GODEBUG=httpmuxgo121=0 brings it back. The cause may hold for any Go server of that Debian.
# Needs Debian's apt and keys, ssh-agent, curl; no root. About a minute, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

for program in apt-get:apt dpkg-deb:dpkg ssh-agent:openssh-client curl:curl; do
    command -v "${program%:*}" >/dev/null || { echo "needs apt-get install ${program#*:}" >&2; exit 2; }
done
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || { echo "needs apt-get install debian-archive-keyring" >&2; exit 2; }
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
    2>/dev/null | grep -Eo '^(URIs:|deb )[^#]*' | grep -Eo '(https?|file)://[^ ]*/debian/?( |$)' |
    tr -d ' ' | head -n 1) || true
[ -n "$mirror" ] || { echo "needs a Debian mirror in this machine's apt sources" >&2; exit 2; }

work=$(mktemp -d)
trap 'trap "" TERM; kill $(jobs -p) "${SSH_AGENT_PID:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/tree"
chmod 755 "$work" # apt fetches as its own user
echo "deb [signed-by=$keys] $mirror trixie main" >"$work/sources.list"
touch "$work/status"
cat >"$work/apt.conf" <<EOF
Dir::Etc::sourcelist "$work/sources.list"; Dir::Etc::sourceparts "-"; Dir::State::status "$work/status";
Dir::State::lists "$work/lists"; Dir::Cache "$work/cache"; APT::Sandbox::User "$(id -un)";
EOF
export APT_CONFIG=$work/apt.conf
cd "$work"
{ apt-get update -qq && apt-get download -qq litetlog=0.4.3-3+b3 sigsum-go=0.11.2-1+b3
} || { echo "could not fetch the packages" >&2; exit 2; }
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
PATH=$work/tree/usr/bin:$PATH

ssh-keygen -q -t ed25519 -N '' -f "$work/key"
unset SSH_AGENT_PID
eval "$(ssh-agent -a "$work/agent")" >/dev/null
ssh-add -q "$work/key"
sigsum-key generate -o "$work/log" && sigsum-key generate -o "$work/witness"

origin=sigsum.org/v1/tree/$(sigsum-key to-hash -k "$work/log.pub")
id=$(sigsum-key to-vkey -k "$work/log.pub" | cut -d+ -f2)

# A first checkpoint of that log: origin, size, root, and the log's signature (C2SP tlog-checkpoint).
printf '%s\n1\n%s\n' "$origin" "$(head -c 32 /dev/zero | base64)" >"$work/body"
signature=$(printf '%b' "$(printf '%s' "$id$(sigsum-key sign -k "$work/log" <"$work/body")" |
    sed 's/../\\x&/g')" | base64 -w0)
{ printf 'old 0\n\n' && cat "$work/body" && printf '\n\342\200\224 %s %s\n' "$origin" "$signature"
} >"$work/checkpoint"

# status PROGRAM GODEBUG: what the server answers; litewitness is told of no log, sigsum-witness of this one
port=$((20000 + RANDOM % 10000))
status() {
    port=$((port + 1))
    case $1 in
    litewitness) set -- "$@" -db "$work/db$port" -name example.org/witness -listen "127.0.0.1:$port" \
        -ssh-agent "$work/agent" -key "$(ssh-keygen -lf "$work/key.pub" | cut -d' ' -f2)" ;;
    sigsum-witness) set -- "$@" -k "$work/witness" --log-key "$work/log.pub" \
        --state-file "$work/state$port" "127.0.0.1:$port" ;;
    esac
    GODEBUG=$2 "$1" "${@:3}" >>"$work/out" 2>&1 &
    curl --silent --retry 20 --retry-connrefused --retry-delay 1 --max-time 10 --output /dev/null \
        --write-out '%{http_code}' --data-binary "@$work/checkpoint" "http://127.0.0.1:$port/add-checkpoint"
    { kill $! && wait $!; } 2>/dev/null || true
}
lite="$(status litewitness '') $(status litewitness httpmuxgo121=0)"
sigsum="$(status sigsum-witness '') $(status sigsum-witness httpmuxgo121=0)"

for package in "$work"/*.deb; do dpkg-deb -W "$package"; done
echo "One would guess: a packaged witness answers a checkpoint: 200, or 403 where it does not know the log."
echo "Seen, as shipped and with GODEBUG=httpmuxgo121=0: litewitness ${lite/ /, }; sigsum-witness ${sigsum/ /, }."
[ "$lite $sigsum" = "404 403 404 200" ] || { echo "This has changed." >&2; exit 1; }
