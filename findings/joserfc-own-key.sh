#!/usr/bin/env bash
# joserfc opens a general JWE only for who holds every recipient's key, unless a registry says otherwise.
#
# Needs python3 with venv. About 20 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: joserfc==1.8.0 cryptography==50.0.2
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - <<'EOF'
import sys
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

keys = [OKPKey.generate_key("X25519", {"kid": name}) for name in ("police", "parking", "court")]
message = jwe.GeneralJSONEncryption({"enc": "A256GCM"}, b"hello")
for key in keys:
    message.add_recipient({"alg": "ECDH-ES+A256KW", "kid": key.kid}, key)
sealed = jwe.encrypt_json(message, None)


def opened(key, registry=None):
    try:
        return jwe.decrypt_json(sealed, key, registry=registry).plaintext == b"hello"
    except JoseError as error:
        return type(error).__name__


any_one = jwe.JWERegistry(verify_all_recipients=False)
seen = {
    "one's own key": opened(keys[1]),
    "a KeySet of it": opened(KeySet([keys[1]])),
    "a KeySet of all": opened(KeySet(keys)),
    "one's own key and verify_all_recipients=False": opened(keys[1], any_one),
    "a KeySet of it and verify_all_recipients=False": opened(KeySet([keys[1]]), any_one),
}
print(f"joserfc {version('joserfc')}")
print("One would guess: a JWE to three recipients opens with the key of any one of them.")
print("Seen: " + "; ".join(f"{how}: {'opens' if said is True else said}" for how, said in seen.items()))
expected = ["DecodeError", "InvalidKeyIdError", True, True, "InvalidKeyIdError"]
sys.exit(None if list(seen.values()) == expected else "This has changed.")
EOF
