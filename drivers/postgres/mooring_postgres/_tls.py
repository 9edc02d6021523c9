"""When a connection is encrypted, and whose certificate is believed.

libpq's own default, ``prefer``, goes on in plain text without a word. Here a server
elsewhere must prove who it is, unless the configuration says otherwise.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mooring.core import OpenError

from mooring_postgres._target import addresses, is_local, place

if TYPE_CHECKING:
    from mooring_postgres._config import PostgresConfig

KEYWORDS = ("sslmode", "sslrootcert", "sslcert", "sslkey")

# The file of trusted authorities on Debian, Fedora, openSUSE, and Alpine or macOS: an
# interpreter that was built elsewhere looks for it in places that are not there.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def tls_keywords(
    config: "PostgresConfig", keywords: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return libpq's keywords for TLS.

    Each is what the configuration sets, else the connection string, else the
    environment.

    Args:
        config: The configuration.
        keywords: What it, or its connection string, says about where to connect.
        environ: The environment of the process.

    Raises:
        OpenError: A server must prove who it is, and this machine trusts nobody.
    """
    found = tls_given(config, keywords, environ)
    root = found.get("sslrootcert")
    if "sslmode" not in found:
        found["sslmode"] = default_mode(config, keywords, environ)
    if found["sslmode"] != "verify-full" or root not in (None, "system"):
        return found
    if root is None and os.path.exists(_home(environ) + "/.postgresql/root.crt"):
        return found  # libpq takes it
    bundle = trusted_authorities()
    if bundle:
        # Also for "system": libpq in a wheel looks where its builder had them.
        found["sslrootcert"] = bundle
    elif root is None:
        raise OpenError(
            f"nothing to check the certificate of {place(keywords, environ)} with: this"
            " machine has no file of trusted authorities",
            hint=tls_hint(found),
        )
    return found


def tls_given(
    config: "PostgresConfig", keywords: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return those of libpq's keywords for TLS that somebody has set."""
    found = {}
    for keyword in KEYWORDS:
        own = config.sslmode or config.ssl_mode
        own = own if keyword == "sslmode" else getattr(config, keyword)
        value = own or keywords.get(keyword) or environ.get(f"PG{keyword.upper()}")
        if value:
            found[keyword] = value
    return found


def default_mode(
    config: "PostgresConfig", keywords: Mapping[str, str], environ: Mapping[str, str]
) -> str:
    """Return the mode where nobody sets one.

    Whoever names a certificate to check with wants it checked, also on this machine.
    """
    if config.sslrootcert or keywords.get("sslrootcert"):
        return "verify-full"
    if environ.get("PGSSLROOTCERT") == "system":
        return "verify-full"
    found = addresses(keywords, environ)
    if found is not None and all(map(is_local, found)):
        return "prefer"
    return "verify-full"


def is_undecided(
    config: "PostgresConfig", keywords: Mapping[str, str], environ: Mapping[str, str]
) -> bool:
    """Return whether the mode hangs on a service file, which can set one too."""
    given = tls_given(config, keywords, environ)
    return not given.get("sslmode") and addresses(keywords, environ) is None


def trusted_authorities() -> str | None:
    """Return the file of this machine with the authorities that it trusts, or None."""
    from ssl import get_default_verify_paths

    # The first is SSL_CERT_FILE, or where this interpreter's OpenSSL looks.
    for path in (get_default_verify_paths().cafile, *_BUNDLES):
        if path and os.path.isfile(path):
            return path
    return None


def tls_hint(found: Mapping[str, str]) -> str:
    """Return what to do when a connection failed on TLS.

    Args:
        found: The keywords it was made with; see `tls_keywords`.
    """
    mode = found.get("sslmode", "prefer")
    if mode in ("verify-ca", "verify-full"):
        root = found.get("sslrootcert")
        now = f" (now {root})" if root else ""
        return (
            f"set sslrootcert to the certificate of the authority that signed the"
            f" server's{now}; on a network that you trust, sslmode: require encrypts"
            " without a check, and disable does not encrypt"
        )
    if mode == "require":
        return (
            "turn TLS on at the server; on a network that you trust, sslmode: disable"
        )
    return (
        "set sslmode: require, or verify-full with sslrootcert, as the server wants it"
    )


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")
