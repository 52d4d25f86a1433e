#!/bin/sh
# Runs a command and says at the end how long it took, beside what it may take on two idle cores.
#
#   stopwatch.sh NAME SECONDS COMMAND…     the exit code is the command's: a busy machine fails nothing
set -eu

name=$1 limit=$2
shift 2

spoken() {
    minutes=$(($1 / 60)) seconds=$(($1 % 60))
    if [ $minutes = 0 ]; then echo "$seconds s"
    elif [ $seconds = 0 ]; then echo "$minutes min"
    else echo "$minutes min $seconds s"; fi
}

began=$(date +%s)
got=0; "$@" || got=$?
took=$(($(date +%s) - began))
note=
if [ "$took" -gt "$limit" ]; then
    note="; this machine has $(nproc) cores and a load of $(cut -d' ' -f1 /proc/loadavg)"
fi
echo "$name: $(spoken "$took") (limit $(spoken "$limit") on two idle cores$note)"
exit "$got"
