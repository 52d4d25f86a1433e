#!/bin/sh
# Part of `make test-fresh`: mounts what a running system has, and runs a command in the tree.
#
#   inside.sh TREE FOLDERS COMMAND…     in a mount and process namespace of its own, where these
#                                       mounts end with it; FOLDERS: a file, one folder of this
#                                       machine a line that apt, pip or npm reads there
set -eu

tree=$1 folders=$2
shift 2
mount --bind "$tree" "$tree" # a root that is a mount point, as anywhere: `unshare --mount` wants one
while read -r folder; do
    mkdir -p "$tree$folder"
    mount --bind "$folder" "$tree$folder"
    mount -o remount,bind,ro "$tree$folder"
done <"$folders"
mount -t proc proc "$tree/proc"
mount -t sysfs sysfs "$tree/sys"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/dev/shm" # what other programs of this machine keep there is not seen
cp /etc/resolv.conf /etc/hosts "$tree/etc/"
chroot "$tree" "$@"
