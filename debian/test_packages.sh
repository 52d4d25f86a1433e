#!/bin/sh
# `make test-deb`: installs, upgrades, removes and purges the packages in a fresh tree, and compares what is there before and after.
#
#   test_packages.sh SUITE FOLDER     needs root (mmdebstrap, chroot); FOLDER holds the suite's amd64 packages; about 4 minutes
#
# The mirror is the one that this machine uses already; the packages are installed without a network. The tree is not booted: the units have
# been tried elsewhere (systemd/README.md).
set -eu

suite=$1 folder=$2 test=test_packages.sh
. "$(dirname "$0")/tree.sh"

# Every file and link but dpkg's and apt's own records, and the backups that useradd and groupadd keep.
files() {
    (cd "$tree" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./run/systemd -o -path ./var/lib/dpkg -o -path ./var/log \
        -o -path ./var/cache/apt -o -path ./var/lib/apt -o -path ./debs -o -path './etc/*-' -o -path ./etc/.pwd.lock \) -prune -o -print | sort)
}

# doctor, in words and as JSON: exactly the NAMES fail, each with its fix beside it.
doctor_misses() {
    got=0; inside platewarden doctor >"$work/doctor.txt" 2>"$work/doctor.err" || got=$?
    inside platewarden doctor --json >"$work/doctor.json" 2>>"$work/doctor.err" || [ $? = "$got" ] || die "doctor --json ends with another code than doctor"
    if grep -q Traceback "$work/doctor.err"; then cat "$work/doctor.err" >&2; die "doctor: a traceback"; fi
    python3 "$here/check_doctor.py" "$work/doctor.txt" "$work/doctor.json" "$got" "$@" || { cat "$work/doctor.txt" >&2; die "doctor does not explain what is missing"; }
}

# The same package under a higher version, with one file more and one less: what an upgrade meets.
newer() {
    dpkg-deb -R "$1" "$work/newer"
    sed -i 's/^Version: .*/&.1/; s/(= \([^)]*\))/(= \1.1)/' "$work/newer/DEBIAN/control"
    if [ "$2" = platewarden ]; then
        mv "$work/newer/usr/lib/platewarden/agent/commands/aim.py" "$work/newer/usr/lib/platewarden/agent/commands/newer.py"
    fi
    dpkg-deb --root-owner-group -Znone -b "$work/newer" "$tree/debs/newer-$2.deb" >/dev/null
    rm -rf "$work/newer"
}

holds_no_bulk_reader() {
    dpkg-deb -c "$1" | awk '{print $6}' >"$work/held"
    for path in agent/commands/read.py agent/commands/demo.py agent/commands/receiver/ av/ agent/demo/ agent/bulk/ agent/receiver/ agent/peers/ agent/jurisdictions/ agent/docs/guide/clerk.md models/training iotcore; do
        if grep -q "usr/lib/platewarden/$path" "$work/held"; then die "the camera's package holds $path"; fi
    done
    grep -q usr/lib/platewarden/agent/commands/watch.py "$work/held" || die "the camera's package holds no watch"
}

# A receiver's and a desk's machine: nothing that looks at pictures, sends, or reads folders of them.
holds_no_camera() {
    dpkg-deb -c "$1" | awk '{print $6}' >"$work/held"
    for path in agent/commands/watch.py agent/commands/read.py agent/vision/ agent/camera/ agent/sealing/sealer.py models/ cv2/ onnxruntime/ av/; do
        if grep -q "usr/lib/platewarden/$path" "$work/held"; then die "$(basename "$1") holds $path"; fi
    done
}

nobody_started() {
    if ls "$tree"/etc/systemd/system/*.wants/platewarden-* 2>/dev/null; then die "a unit was enabled"; fi
}

# onnxruntime, numpy and the models as packaged, and the libraries that the camera's side loads.
networks='
import sys; sys.path.insert(0, "/usr/lib/platewarden")
import cryptography.x509, cv2, joserfc.jwe, numpy, onnxruntime, paho.mqtt.client, pyrage, segno, tuf.ngclient, agent.sides.watch
from pathlib import Path
for count, model in enumerate(sorted(Path("/usr/lib/platewarden/models").glob("*.onnx")), 1):
    session = onnxruntime.InferenceSession(model)
    kinds = {"tensor(float)": numpy.float32, "tensor(uint8)": numpy.uint8}
    shapes = {given.name: numpy.zeros([side if isinstance(side, int) else 1 for side in given.shape], kinds[given.type]) for given in session.get_inputs()}
    session.run(None, shapes)
print(count, "networks ran")
'

include=$include,nftables # of Debian, as all that the camera depends on: there is no network below
if [ "$suite" = trixie ]; then include=$include,python3-numpy; fi
fresh_tree
camera=$(ls "$folder"/platewarden_*_amd64.deb) receiver=$(ls "$folder"/platewarden-receiver_*_amd64.deb) city=$(ls "$folder"/platewarden-city_*_amd64.deb)
cp "$camera" "$receiver" "$city" "$tree/debs"
newer "$camera" platewarden
newer "$receiver" platewarden-receiver
newer "$city" platewarden-city
holds_no_bulk_reader "$camera"
holds_no_camera "$receiver"
holds_no_camera "$city"
files >"$work/before"
cp "$tree/etc/passwd" "$work/passwd"; cp "$tree/etc/group" "$work/group"

apt install "/debs/$(basename "$camera")"
say "camera's package installed, python $(inside python3 -c 'import platform; print(platform.python_version())')"
nobody_started
expect 0 "platewarden 0" platewarden --version
expect 2 "no settings file" platewarden status
expect 2 "pip install" platewarden read /debs
expect 2 "platewarden-receiver" platewarden receiver run
expect 2 "platewarden-city" platewarden policy check
expect 2 "pip install" platewarden demo
expect 1 "platewarden.toml is missing" platewarden doctor
doctor_misses settings camera
for command in aim deliver doctor provision run status update walls watch; do expect 0 Usage platewarden "$command" --help; done
install -m 644 "$tree/usr/share/doc/platewarden/examples/platewarden.toml" "$tree/etc/platewarden/platewarden.toml"
expect 0 "not enrolled" platewarden status
doctor_misses camera enrolment keys
grep -o '/usr/lib/platewarden/agent/docs/[a-z/-]*\.md' "$work/doctor.txt" >"$work/named" || die "doctor names no guide"
while read -r path; do [ -f "$tree$path" ] || die "doctor names $path, which is not there"; done <"$work/named"
[ -f "$tree/usr/share/doc/platewarden/docs/guide/installer.md" ] || die "no guide under /usr/share/doc"
expect 0 fingerprint platewarden provision
inside systemd-tmpfiles --create platewarden.conf 2>/dev/null || true
[ "$(inside stat -c %U:%a /etc/platewarden/device/seal.key)" = platewarden-watch:600 ] || die "the sealing key is not watch's alone"
doctor_misses camera enrolment
# without a city: each as its own user, a line and no restart (2 and 3 are final for the units)
expect 2 "needs its city's policy" runuser -u platewarden-watch -- platewarden watch
expect 2 "policy.toml" runuser -u platewarden-deliver -G platewarden -- platewarden deliver
expect 0 "^$(ls "$here"/../models/*.onnx | wc -l) networks ran" ORT_DISABLE_TELEMETRY=1 python3 -IBc "$networks"
say "what is missing is explained; the models load"

key=$(sha256sum "$tree/etc/platewarden/device/seal.key")
apt install /debs/newer-platewarden.deb
[ -f "$tree/usr/lib/platewarden/agent/commands/newer.py" ] || die "not upgraded"
if ls "$tree"/usr/lib/platewarden/agent/commands/__pycache__/aim.* 2>/dev/null; then die "the old version's compiled module is still there"; fi
[ "$key" = "$(sha256sum "$tree/etc/platewarden/device/seal.key")" ] || die "the upgrade touched a key"
nobody_started
apt remove platewarden
[ "$key" = "$(sha256sum "$tree/etc/platewarden/device/seal.key")" ] || die "remove destroyed a key"
[ ! -e "$tree/usr/lib/platewarden" ] || die "remove left code: $(find "$tree/usr/lib/platewarden" | head -n 3)"
[ ! -e "$tree/usr/bin/platewarden" ] || die "remove left the command"
apt install /debs/newer-platewarden.deb
apt purge platewarden
say "upgraded, removed with its state kept, installed again, purged"

apt install "/debs/$(basename "$receiver")"
nobody_started
expect 0 Usage platewarden receiver run --help
expect 0 Usage platewarden receiver open --help
expect 2 "platewarden-city" platewarden policy check
expect 2 "in the Debian package platewarden," platewarden watch
[ -f "$tree/usr/lib/platewarden/agent/docs/guide/recipient.md" ] || die "the recipient's guide is missing"
apt install "/debs/$(basename "$city")"
for command in audit broker bundle fleet hold hotlist policy provision receiver report; do expect 0 Usage platewarden "$command" --help; done
for guide in clerk auditor report witness; do [ -f "$tree/usr/lib/platewarden/agent/docs/guide/$guide.md" ] || die "the guide $guide is missing"; done
[ -d "$tree/usr/lib/platewarden/agent/config/policies/exampleville" ] || die "the example policy is missing"
apt remove platewarden-city
expect 0 Usage platewarden receiver run --help
apt install /debs/newer-platewarden-receiver.deb /debs/newer-platewarden-city.deb
apt purge platewarden-receiver platewarden-city
say "receiver's and city's packages installed, upgraded and purged"

files >"$work/after"
diff "$work/before" "$work/after" || die "purge left these"
diff "$work/passwd" "$tree/etc/passwd" && diff "$work/group" "$tree/etc/group" || die "purge left users"
say "nothing is left"
