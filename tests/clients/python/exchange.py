"""What the Python clients share: where the exchange is, how one signs in, and how a step is told.

A step that fails is told with what the client saw, and the next ones go on: one run shows all that is wrong. What
the server does not declare is skipped, and said to be.
"""

import json
import os
import sys
import time
import traceback
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path

BASE = os.environ["HANDOFF_BASE"]
FHIR = f"{BASE}/fhir"
KEYS = Path(os.environ["HANDOFF_KEYS"])
FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
# What the people of the fixtures are called in their clinic.
MRN = ("https://river-clinic.example/mrn", ["RC-1001", "RC-1002", "RC-1003"])

_client = os.environ["HANDOFF_CLIENT"]
_failed = 0


class Skipped(Exception):
    """The server does not declare what this step needs."""


@contextmanager
def step(says):
    global _failed
    try:
        yield
        print(f"ok {_client}: {says}", flush=True)
    except Skipped as why:
        print(f"SKIPPED {_client}: {says}: {why}", flush=True)
    except (Exception, SystemExit) as error:
        _failed += 1
        print(f"FAILED {_client}: {says}: {told(error)}", flush=True)


def done():
    sys.exit(1 if _failed else 0)


def told(error):
    """The error, where it was raised in our script, and what the server answered if the library kept it."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "clients/python" in frame.filename]
    line = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    answer = getattr(error, "response", None)
    seen = f" [{answer.status_code} {answer.text[:1500]}]" if hasattr(answer, "status_code") else ""
    return f"{type(error).__name__} at {line}: {error}{seen}"


def metadata():
    with urllib.request.urlopen(f"{FHIR}/metadata") as answer:
        return json.load(answer)


def operations(of="system"):
    """Names of the operations declared at system level, or for a type."""
    rest = metadata()["rest"][0]
    where = rest if of == "system" else next((each for each in rest["resource"] if each["type"] == of), {})
    return {each["name"] for each in where.get("operation", [])}


def assertion(client, alg, audience=f"{BASE}/auth/token"):
    """A client assertion (SMART App Launch 2.2, client-confidential-asymmetric), for libraries that leave it to the
    program that uses them."""
    from jwcrypto.jwk import JWK
    from jwcrypto.jwt import JWT

    key = JWK(**json.loads((KEYS / f"{alg.lower()}.jwks").read_text())["keys"][0])
    claims = {"iss": client, "sub": client, "aud": audience, "exp": int(time.time()) + 240, "jti": str(uuid.uuid4())}
    jwt = JWT(header={"alg": alg, "kid": key["kid"], "typ": "JWT"}, claims=claims)
    jwt.make_signed_token(key)
    return jwt.serialize()


def patient(client, number, family):
    return {
        "resourceType": "Patient",
        "identifier": [{"system": f"https://clients.example/{client}", "value": str(number)}],
        "name": [{"family": family, "given": ["Ines"]}],
        "gender": "female",
        "birthDate": "1980-05-17",
    }


def goal(person, text):
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": text},
        "subject": {"reference": f"Patient/{person}"},
    }
