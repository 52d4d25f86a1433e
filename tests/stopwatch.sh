#!/bin/sh
# Runs a command and says at the end how long it took, beside what it may take on two idle cores.
#
#   stopwatch.sh NAME SECONDS COMMAND…     the exit code is the command's: a busy machine fails nothing
set -eu

name=$1 limit=$2
shift 2

spoken() { if [ "$1" -ge 60 ]; then echo "$(($1 / 60)) min $(($1 % 60)) s"; else echo "$1 s"; fi; }

began=$(date +%s)
got=0; "$@" || got=$?
took=$(($(date +%s) - began))
note=
if [ "$took" -gt "$limit" ]; then
    note="; this machine has $(nproc) cores and a load of $(cut -d' ' -f1 /proc/loadavg)"
fi
echo "$name: $(spoken "$took") (limit $(spoken "$limit") on two idle cores$note)"
exit "$got"
