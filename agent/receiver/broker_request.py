"""A recipient's key for its broker, and the request for a certificate."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent.disk.atomic_file import write_atomic, write_new

KEY, REQUEST = "tls.key", "tls.csr"


def make_request(folder: Path, recipient: str) -> Path:
    """Write `tls.key` and `tls.csr`, and return the key's path. A key that is there is never
    replaced. Raises StorageError.

    The request names the recipient and nothing else: what the certificate allows is the CA's
    affair.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, recipient)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    write_new(
        folder / KEY,
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    write_atomic(folder / REQUEST, csr.public_bytes(Encoding.PEM), 0o644)
    return folder / KEY
