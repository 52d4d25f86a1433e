#!/bin/sh
# Part of `make test-deb`: a stock card becomes a camera. cloud-init itself runs config/first-boot/user-data in a trixie tree, from a file system of its own, FAT where the kernel has it.
#
#   test_first_boot.sh FOLDER     needs root (mmdebstrap, chroot, mount of a loop device); FOLDER holds the trixie packages for this machine; ~5 minutes, and the tree
#
# The tree is Debian trixie with what Raspberry Pi OS Lite is made of, as far as Debian has it (raspios-lite.txt), and the data source as that sets it; it is entered, not booted: cloud-init's four stages are
# called one after the other, as its units would, and systemctl only enables. No network is there; what a network would bring comes from an archive in
# a folder. The booted tree of `make test-boot` has the same first boot under systemd, with and without a network.
set -eu

suite=trixie test=test_first_boot.sh folder=$1
. "$(dirname "$0")/tree.sh"
stock=$(grep -v '^#' "$here/raspios-lite.txt" | tr -s ' \n' ,)
base=$cache/deb-trixie-raspios extra=,${stock%,} recommends=true beside=python3-numpy
project=$(cd "$here/.." && pwd) python=${PYTHON:-python3}
fresh_tree
camera=$(ls "$folder"/platewarden_*_"$(dpkg --print-architecture)".deb)
boot=$tree/boot/firmware card=$tree/boot/firmware/platewarden

# The schema first: a word that cloud-init does not know would be skipped in silence on the camera.
cp "$project/config/first-boot/user-data" "$tree/debs/user-data"
inside cloud-init schema --config-file /debs/user-data >"$work/said" 2>&1 || { cat "$work/said" >&2; die "cloud-init refuses config/first-boot/user-data"; }
say "$(tail -n 1 "$work/said")"
sed 's/^runcmd:/runcmdd:/' "$tree/debs/user-data" >"$tree/debs/wrong"
if inside cloud-init schema --config-file /debs/wrong >/dev/null 2>&1; then die "this schema check would pass anything"; fi

# What an installer's computer leaves on the card: FAT, the folder of one camera of a batch, the package.
truncate -s 400M "$work/boot.img"
mkdir -p "$boot"
cleanup() { umount "$boot" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
mount_boot() { mount -o "$options" "$work/boot.img" "$boot" 2>/dev/null; }
options=loop,umask=0022
if ! { mkfs.vfat "$work/boot.img" >/dev/null 2>&1 && mount_boot; }; then
    say "this machine has no vfat (kernel) or dosfstools: the boot partition is ext4 here"
    options=loop
    mkfs.ext4 -q "$work/boot.img"
    mount_boot || die "no loop device can be mounted here"
fi
echo "console=tty1 root=PARTUUID=1-02 rootwait" >"$boot/cmdline.txt"
printf 'dsmode: local\ninstance_id: rpios-image\n' >"$boot/meta-data"
key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFictitiousFictitiousFictitiousFictitiousXX installer@test"
with_key() { sed "s|ssh-ed25519 AAAA-put-your-own.*installer@example|$key|" "$project/config/first-boot/user-data" >"$boot/user-data"; }
cp "$project/config/first-boot/user-data" "$boot/user-data"
mkdir -p "$card" "$tree/etc/cloud/cloud.cfg.d"
printf 'datasource_list: [ NoCloud, None ]\ndatasource:\n  NoCloud:\n    seedfrom: file:///boot/firmware\n' >"$tree/etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg"

# As the units do at a boot; a stage's own complaints are in its log.
cloud() {
    rm -rf "$tree/var/lib/cloud" "$tree/run/cloud-init"
    inside sh -c 'cloud-init init --local; cloud-init init; cloud-init modules --mode=config; cloud-init modules --mode=final' >"$work/cloud.log" 2>&1 || true
}
says() { grep -q -e "$1" "$card/first-boot.txt" 2>/dev/null || { tail -n 30 "$work/cloud.log" >&2; cat "$card/first-boot.txt" >&2 || true; die "the report does not say: $1"; }; }
nothing_enabled() { if ls "$tree"/etc/systemd/system/*.wants/platewarden-watch.service "$tree"/etc/systemd/system/*.wants/platewarden-deliver.service 2>/dev/null; then die "a unit was enabled"; fi; }

cloud
says "nothing was installed: .*still holds the example's SSH key"
nothing_enabled
say "with the example's SSH key it says: $(cat "$card/first-boot.txt")"
with_key
cloud
says "nothing was installed: .*must hold exactly one platewarden"
nothing_enabled
grep -q "$key" "$tree/home/installer/.ssh/authorized_keys" || die "the installer of user-data cannot log in"
grep -q 'NOT A CAMERA YET' "$tree/run/issue.d/platewarden.issue" || die "nothing stands above the login prompt"
say "without the package it says: $(cat "$card/first-boot.txt")"

# A package that needs what neither the system nor the card has: first alone, then with an archive that has it, as a card with a network finds one.
stand_in() { # NAME DEPENDS MODULE: a small package, into $work
    mkdir -p "$work/made/DEBIAN" "$work/made/usr/lib/python3/dist-packages"
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: stand-in\n%s' "$1" "${2:+Depends: $2
}" >"$work/made/DEBIAN/control"
    if [ -n "$3" ]; then printf '%s' "$picamera2" >"$work/made/usr/lib/python3/dist-packages/$3.py"; fi
    dpkg-deb --root-owner-group -b "$work/made" "$work/$1.deb" >/dev/null
    rm -rf "$work/made"
}
# The library as it is where no ribbon cable is in its socket.
picamera2='class Picamera2:
    def __init__(self, *_given, **_named):
        raise IndexError("list index out of range")
'
stand_in platewarden-needs-this "" ""
stand_in python3-picamera2 "" picamera2
dpkg-deb -R "$camera" "$work/needy"
sed -i 's/^Depends: /&platewarden-needs-this, /' "$work/needy/DEBIAN/control"
cp "$camera" "$card"
cloud
says "does not install from the card alone: .*python3-numpy"
nothing_enabled
say "with the package alone, and without a network, it says: $(cat "$card/first-boot.txt")"
cp "$tree/beside"/*.deb "$card"
say "beside it now lie: $(cd "$tree/beside" && echo *.deb)"
dpkg-deb --root-owner-group -Znone -b "$work/needy" "$card/$(basename "$camera")" >/dev/null
rm -rf "$work/needy"
cloud
says "does not install from the card alone: .*platewarden-needs-this"
nothing_enabled
say "without a package that it needs, and without a network, it says: $(cat "$card/first-boot.txt")"
mkdir "$tree/archive"
cp "$work/platewarden-needs-this.deb" "$work/python3-picamera2.deb" "$tree/archive"
(cd "$tree/archive" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)
echo 'deb [trusted=yes] file:///archive ./' >"$tree/etc/apt/sources.list.d/archive.list"
cloud
[ -x "$tree/usr/libexec/platewarden/first-boot" ] || { cat "$tree/var/log/platewarden-install.log" >&2; die "nothing was installed with an archive in reach"; }
[ -e "$tree/usr/lib/python3/dist-packages/picamera2.py" ] || die "the camera library was not fetched"
say "with an archive in reach, package and camera library were installed from it"
apt purge platewarden platewarden-needs-this python3-picamera2 python3-numpy
rm -rf "$tree/archive" "$tree/etc/apt/sources.list.d/archive.list" "$card"/*.deb
inside apt-get -qq update >/dev/null 2>&1 || true

cp "$camera" "$tree/beside"/*.deb "$card"
cloud
[ -x "$tree/usr/libexec/platewarden/first-boot" ] || { tail -n 30 "$work/cloud.log" >&2; cat "$card/first-boot.txt" >&2; die "the package was not installed"; }
[ -L "$tree/etc/systemd/system/multi-user.target.wants/platewarden-first-boot.service" ] || die "the first boot is not enabled"
nothing_enabled
say "cloud-init $(inside cloud-init --version | grep -Eo '[0-9.]+' | head -n 1) installed the package from the card and enabled the first boot"

cp "$work/python3-picamera2.deb" "$tree/debs"
lend_camera() {
    mkdir -p "$tree/opt/boot/tests/fakes" "$tree/opt/boot/tests/support"
    cp "$project/tests/fakes/picamera2.py" "$tree/opt/boot/tests/fakes"
    cp "$project/tests/support/media.py" "$tree/opt/boot/tests/support"
    cp "$project/tests/boot/picamera2.py" "$tree/usr/lib/python3/dist-packages/picamera2.py"
    (cd "$project" && "$python" -c 'import sys; from pathlib import Path; from tests.boot.city import street; street(Path(sys.argv[1]))' "$tree/opt/boot/street")
}
first_boot() { inside /usr/libexec/platewarden/first-boot >"$work/said" 2>&1 && got=0 || got=$?; if grep -q Traceback "$work/said"; then cat "$work/said" >&2; die "a traceback"; fi; }
first_boot
[ "$got" = 1 ] || die "without settings it ended with $got"
says "platewarden.toml is missing"
nothing_enabled

# A batch made elsewhere, with a city's root of the tests.
(cd "$project" && "$python" -m debian.make_batch "$work/batch")
cp -r "$work/batch/cam-1/." "$card/"
mv "$card/trust/root.json" "$work/root.json"
first_boot
[ "$got" = 1 ] || die "without a city's root it ended with $got"
says "the city's clerk gives it"
says "PRIVATE KEYS STILL LIE"
nothing_enabled
say "without settings or without a city's root it says so, and starts nothing"

mv "$work/root.json" "$card/trust/root.json"
first_boot
[ "$got" = 1 ] || die "without a camera library it ended with $got"
says "the camera library is missing"
nothing_enabled
[ -z "$(find "$card" -name '*.key')" ] || die "keys are left on the boot partition"
say "without a camera library it says: $(tail -n 1 "$card/first-boot.txt")"
inside dpkg -i /debs/python3-picamera2.deb >/dev/null
first_boot
[ "$got" = 1 ] || die "without a sensor it ended with $got"
says "doctor says fail *camera: "
nothing_enabled
say "without a sensor it says: $(tail -n 1 "$card/first-boot.txt")"

# A sensor is lent as in the tests of the camera: the project's own stand-in, on the real clock.
lend_camera
mv "$tree/usr/sbin/nft" "$work/nft"
first_boot
[ "$got" = 1 ] || die "without a firewall it ended with $got"
says "the firewall is missing: nft is not installed"
nothing_enabled
say "without a firewall it says: $(tail -n 1 "$card/first-boot.txt")"
mv "$work/nft" "$tree/usr/sbin/nft"
first_boot
[ "$got" = 0 ] || { cat "$work/said" >&2; die "it ended with $got"; }
says "this card is a camera now"
for unit in walls.service walls.path walls.timer; do [ -L "$tree/etc/systemd/system/multi-user.target.wants/platewarden-$unit" ] || [ -L "$tree/etc/systemd/system/timers.target.wants/platewarden-$unit" ] || [ -L "$tree/etc/systemd/system/paths.target.wants/platewarden-$unit" ] || die "$unit is not enabled"; done
for unit in watch deliver; do [ -L "$tree/etc/systemd/system/multi-user.target.wants/platewarden-$unit.service" ] || die "$unit is not enabled"; done
[ -z "$(find "$card" -name '*.key')" ] || die "keys are left on the boot partition"
while read -r name owner; do
    [ "$(inside stat -c %U:%a "/etc/platewarden/device/$name")" = "$owner:600" ] || die "$name is not $owner's alone"
    cmp "$work/batch/cam-1/device/$name" "$tree/etc/platewarden/device/$name" || die "$name was not placed as it was made"
done <<EOF
seal.key platewarden-watch
watch-log.key platewarden-watch
hotlist.key platewarden-watch
deliver-log.key platewarden-deliver
tls-waiting.key platewarden-deliver
EOF
# removed is not enough: the image's own blocks are searched
sync; umount "$boot"
for name in seal.key watch-log.key deliver-log.key hotlist.key tls-waiting.key; do
    "$python" -c 'import sys; sys.exit(open(sys.argv[1], "rb").read() in open(sys.argv[2], "rb").read())' "$work/batch/cam-1/device/$name" "$work/boot.img" ||
        die "$name can still be read in the boot partition's blocks"
done
mount_boot
grep -qx 'console=tty1 root=PARTUUID=1-02 rootwait cgroup_enable=memory' "$boot/cmdline.txt" || die "the kernel's line is $(cat "$boot/cmdline.txt")"
first_boot
[ "$got" = 0 ] || die "a second run ended with $got"
say "a batch's folder became a camera: keys placed, none left on the card, units enabled"

apt purge platewarden
[ ! -e "$tree/etc/platewarden" ] && [ ! -e "$tree/usr/libexec/platewarden" ] || die "purge left files"
if find "$tree/etc/systemd/system" -name 'platewarden-*' | grep .; then die "purge left these"; fi
say "purged"
