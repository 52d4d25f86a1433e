"""A client's key for its broker, and the request for a certificate."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def make_request(name: str) -> tuple[bytes, bytes]:
    """A new private key and the request, both PEM; P-256, because more brokers take it than
    Ed25519.

    The request holds this name and nothing else: what the certificate allows is the CA's affair.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, csr.public_bytes(Encoding.PEM)
