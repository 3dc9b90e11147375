"""Certificates for receivers of webhooks on loopback, right and wrong ones. No test in here."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """An authority of this test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("an authority of this test's own")
        built = _built(self._name, self._name, self._key.public_key(), DAY)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def server(self, *, address: str = "127.0.0.1", days: int = 1, own: bool = False) -> Path:
        """Return the file of a certificate and its key, valid from two days ago for `days` more.

        `own`: signed by itself.
        """
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("a receiver")
        built = _built(name, name if own else self._name, key.public_key(), days * DAY)
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        built = built.add_extension(alternative, critical=False)
        signed = built.sign(key if own else self._key, hashes.SHA256())
        self._made += 1
        file = self._folder / f"server-{self._made}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(signed.public_bytes(Encoding.PEM) + private)
        return file


def serving(file: Path) -> ssl.SSLContext:
    """Return a server's context; another certificate may be loaded into it while it serves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _built(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, left: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    built = built.serial_number(x509.random_serial_number())
    return built.not_valid_before(now - 2 * DAY).not_valid_after(now + left)
