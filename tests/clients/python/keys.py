"""Makes the keys that the clients sign in with: `keys.py DIR` writes rs384.jwks and es384.jwks (private, one key
each, as client programs want them) and public.jwks (both, to register)."""

import json
import sys
from pathlib import Path

from jwcrypto.jwk import JWK

KINDS = {"RS384": {"kty": "RSA", "size": 2048}, "ES384": {"kty": "EC", "crv": "P-384"}}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    public = []
    for alg, kind in KINDS.items():
        key = JWK.generate(**kind, kid=alg.lower(), alg=alg, use="sig", key_ops=["sign"])
        private = {"keys": [key.export_private(as_dict=True)]}
        (folder / f"{alg.lower()}.jwks").write_text(json.dumps(private))
        public.append({**key.export_public(as_dict=True), "key_ops": ["verify"]})
    (folder / "public.jwks").write_text(json.dumps({"keys": public}))
